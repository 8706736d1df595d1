/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the clock of the records and the one that the scheduler charges run time by go
 * apart: pure functions, for the module, the BPF programs and, in tests, user space.
 *
 * The scheduler reads its clock once, when it begins to look for the next thread, or even
 * earlier (rq_clock_skip_update()), and on a virtual CPU much may happen until the switch is
 * stamped. It says what it read: se.exec_start of the thread that leaves is until when it was
 * charged, that of the one that comes from when on. They may differ: a thread that its
 * group's quota takes off is charged only until it is taken off its queue (from 6.18 on).
 */
#ifndef SCHEDSCOPE_CLOCK_STEP_H
#define SCHEDSCOPE_CLOCK_STEP_H

#include "uapi/schedscope.h"

static inline __s64 clock_step_ns(__s16 step)
{
	__s64 size = step < 0 ? -(__s64)step : step;

	size = size < SCHEDSCOPE_CLOCK_STEP_US ? size * 1000 :
						 (size - SCHEDSCOPE_CLOCK_STEP_US) * 1000000;
	return step < 0 ? -size : size;
}

static inline __s16 clock_step_of(__s64 ns)
{
	__u64 size = (ns < 0 ? -(__u64)ns : (__u64)ns) / 1000;

	if (size >= SCHEDSCOPE_CLOCK_STEP_US) {
		size = size / 1000 + SCHEDSCOPE_CLOCK_STEP_US;
		if (size > SCHEDSCOPE_CLOCK_STEP_MOST)
			size = SCHEDSCOPE_CLOCK_STEP_MOST;
	}
	return ns < 0 ? -(__s16)size : (__s16)size;
}

/**
 * clock_step_take() - for the record of a switch
 * @apart_ns: of the CPU: how far its two clocks are apart, as its records say so far; 0: none
 * @now_ns: when the switch is stamped
 * @prev_ns: until when the thread that leaves was charged; 0: it is the idle task
 * @next_ns: from when on the one that comes is; 0: it is the idle task
 *
 * Return: what has come to it since the record before.
 */
static inline __s16 clock_step_take(__s64 *apart_ns, __u64 now_ns, __u64 prev_ns, __u64 next_ns)
{
	__s64 more = now_ns - prev_ns - *apart_ns;
	__s16 step = 0;

	if (!prev_ns || !*apart_ns) {
		*apart_ns = now_ns - (next_ns ? next_ns : prev_ns);
		return 0;
	}
	if (more >= SCHEDSCOPE_CLOCK_STEP_LEAST_NS || more <= -SCHEDSCOPE_CLOCK_STEP_LEAST_NS) {
		step = clock_step_of(more);
		*apart_ns += clock_step_ns(step);
	}
	if (next_ns)
		*apart_ns -= next_ns - prev_ns;
	return step;
}

#endif /* SCHEDSCOPE_CLOCK_STEP_H */
