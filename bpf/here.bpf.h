/* SPDX-License-Identifier: GPL-2.0-only */
/* Where and when a probe runs, and room for its records there. */
#ifndef _SCHEDSCOPE_HERE_BPF_H
#define _SCHEDSCOPE_HERE_BPF_H

#include "ring.bpf.h"

struct here {
	__u32 cpu;
	struct cpu_state *state;
	__u64 now;
	bool interruptible; /* the probe is called with interrupts on, or may be */
};

/* Where the probe runs; without the time, which not every probe needs. */
static __always_inline struct cpu_state *get_state(struct here *here)
{
	if (!recording)
		return NULL;
	here->cpu = bpf_get_smp_processor_id();
	here->state = cpu_state_of(here->cpu);
	return here->state;
}

static __always_inline bool get_here(struct here *here)
{
	if (!get_state(here))
		return false;
	here->now = bpf_ktime_get_ns();
	here->interruptible = true;
	return true;
}

static __always_inline void *reserve_here(const struct here *here, __u16 kind, __u64 size)
{
	return reserve(here->state, here->cpu, here->now, kind, size, here->interruptible);
}

/* A record whose size only the probe knows, with its header filled in; it is copied. */
static __always_inline void output_here(const struct here *here, void *rec, __u64 size)
{
	void *ring = ring_for_one(here->state, here->cpu, here->interruptible);

	if (!ring || bpf_ringbuf_output(ring, rec, size, BPF_RB_NO_WAKEUP))
		count_lost(here->state, here->now);
}

#endif /* _SCHEDSCOPE_HERE_BPF_H */
