/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDSCOPE_NOMINAL_SLICE_H
#define SCHEDSCOPE_NOMINAL_SLICE_H

#include <linux/sched.h>
#include <linux/sched/prio.h>

#include "compat.h"

/**
 * nominal_slice() - what the scheduler grants a thread
 * @task: thread
 * @rr_slice_ns: what it grants SCHED_RR: a sysctl that a module cannot read; 0: unknown
 *
 * Return: ns; 0 when it has no such thing, or it is not known.
 */
static inline u64 nominal_slice(const struct task_struct *task, u64 rr_slice_ns)
{
	if (task->policy == SCHED_RR)
		return rr_slice_ns;
	if (task->policy == SCHED_DEADLINE)
		return task->dl.dl_runtime;
	return task->prio >= MAX_RT_PRIO ? compat_fair_slice(task) : 0;
}

#endif /* SCHEDSCOPE_NOMINAL_SLICE_H */
