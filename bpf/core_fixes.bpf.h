/* SPDX-License-Identifier: GPL-2.0-only */
/* One function per difference between kernels, with the change that made it. */
#ifndef _SCHEDSCOPE_CORE_FIXES_BPF_H
#define _SCHEDSCOPE_CORE_FIXES_BPF_H

#include "kernel_types.bpf.h"
#include <bpf/bpf_core_read.h>

#define TASK_SCHED_RR		2
#define TASK_SCHED_DEADLINE	6

const volatile __u64 rr_slice_ns = 0; /* sysctl sched_rr_timeslice_ms */

/*
 * What the scheduler granted, 0 when it has no such thing: CFS had none before
 * commit 147f3efaa241 ("sched/fair: Implement an EEVDF-like scheduling policy", 6.6).
 */
static __always_inline __u32 granted_slice(__u32 policy, int prio, __u64 dl_runtime,
					   __u64 fair_slice)
{
	__u64 slice = 0;

	if (policy == TASK_SCHED_RR)
		slice = rr_slice_ns;
	else if (policy == TASK_SCHED_DEADLINE)
		slice = dl_runtime;
	else if (prio >= 100)
		slice = fair_slice;
	return slice > 0xffffffff ? 0xffffffff : slice;
}

static __always_inline __u32 nominal_slice(const struct task_struct *task)
{
	return granted_slice(task->policy, task->prio, task->dl.dl_runtime,
			     bpf_core_field_exists(task->se.slice) ? task->se.slice : 0);
}

/* Of a task whose pointer the verifier does not trust. */
static __always_inline __u32 nominal_slice_read(const struct task_struct *task)
{
	__u64 fair_slice = 0;

	if (bpf_core_field_exists(task->se.slice))
		fair_slice = BPF_CORE_READ(task, se.slice);
	return granted_slice(BPF_CORE_READ(task, policy), BPF_CORE_READ(task, prio),
			     BPF_CORE_READ(task, dl.dl_runtime), fair_slice);
}

/* The verifier wants a bound: what is deeper in groups is not told. */
#define MOST_GROUPS 32

/* A fair thread that its group's quota has taken off its queue. */
static __always_inline bool task_throttled(const struct task_struct *task)
{
	return bpf_core_field_exists(task->throttled) && task->throttled;
}

/*
 * Whether its group's quota takes a fair thread off the CPU. Before commit e1fad12dcb66
 * ("sched/fair: Switch to task based throttle model", 6.18) it was the group that was taken
 * off its queue, with the thread still queued in it: by the time of the switch, when this is
 * asked.
 */
static __always_inline bool quota_used(const struct task_struct *task)
{
	const struct sched_entity *group;
	int i;

	if (bpf_core_field_exists(task->throttled))
		return task_throttled(task);
	if (!bpf_core_field_exists(task->se.parent) || !task->se.on_rq)
		return false;
	group = task->se.parent;
	for (i = 0; i < MOST_GROUPS && group; i++) {
		if (!group->on_rq)
			return true;
		group = group->parent;
	}
	return false;
}

#endif
