/* SPDX-License-Identifier: GPL-2.0-only */
/* Who a thread is: sent when it is first seen and when it changes, not with each switch. */
#ifndef _SCHEDSCOPE_TASK_BPF_H
#define _SCHEDSCOPE_TASK_BPF_H

#include "core_fixes.bpf.h"
#include "kernel_types.bpf.h"
#include "ring.bpf.h"
#include "rules.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define NICE_0_PRIO	120

/*
 * Some tasks come from a walk along their group's list, by pointers that the verifier does not
 * trust: what is told of a task is read, not loaded.
 */
static __always_inline __u16 task_flags(struct task_struct *task)
{
	__u16 flags = 0;

	if (BPF_CORE_READ(task, flags) & TASK_FLAG_KTHREAD)
		flags |= SCHEDSCOPE_TASK_KTHREAD;
	/* Its size differs between kernels: see struct task_struct. */
	if (BPF_CORE_READ_BITFIELD_PROBED(task, on_rq))
		flags |= SCHEDSCOPE_TASK_ON_RQ;
	return flags;
}

static __always_inline __u64 switches_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, nvcsw) + BPF_CORE_READ(task, nivcsw);
}

/* What a thread has run is known at a switch, and until the next one nobody knows as of when. */
static __always_inline void note_in(struct cpu_state *state, struct task_struct *next, __u64 now)
{
	state->in_switches = next->nvcsw + next->nivcsw;
	state->in_run_ns = next->se.sum_exec_runtime;
	barrier();
	state->in_ns = now;
}

/* Of a thread on a CPU: when its slice began, and what it had run until then; 0: not known. */
static __always_inline __u64 run_at_slice_begin(struct task_struct *task, __u64 switches,
						__u64 *run_ns)
{
	struct cpu_state *state = cpu_state_of(BPF_CORE_READ(task, thread_info.cpu));
	volatile __u64 *in_ns;
	__u64 begin_ns;

	if (!state)
		return 0;
	in_ns = &state->in_ns;
	begin_ns = *in_ns;
	if (!begin_ns || state->current != (__u64)task || state->in_switches != switches)
		return 0;
	*run_ns = state->in_run_ns;
	barrier();
	return *in_ns == begin_ns ? begin_ns : 0;
}

/*
 * The kernel's counters of a thread, and as of when. One that is switched meanwhile, by another
 * CPU, was on that, and had them at no moment that is known.
 */
static __always_inline void read_counts(struct task_struct *task, struct schedscope_task *rec)
{
	bool on_cpu = BPF_CORE_READ_BITFIELD_PROBED(task, on_cpu);

	rec->switches = switches_of(task);
	barrier();
	rec->run_ns = BPF_CORE_READ(task, se.sum_exec_runtime);
	if (on_cpu)
		rec->run_at_ns = run_at_slice_begin(task, rec->switches, &rec->run_ns);
	else
		rec->run_at_ns = bpf_ktime_get_ns();
	barrier();
	if (BPF_CORE_READ_BITFIELD_PROBED(task, on_cpu) != on_cpu ||
	    switches_of(task) != rec->switches) {
		on_cpu = true;
		rec->run_at_ns = 0;
	}
	if (on_cpu)
		rec->rec.flags |= SCHEDSCOPE_TASK_ON_CPU;
}

static __always_inline void fill_task(struct schedscope_task *rec, struct task_struct *task)
{
	rec->rec.flags = task_flags(task);
	rec->tid = BPF_CORE_READ(task, pid);
	rec->pid = BPF_CORE_READ(task, tgid);
	rec->ppid = BPF_CORE_READ(task, real_parent, tgid);
	rec->state = BPF_CORE_READ(task, __state);
	rec->start_ns = BPF_CORE_READ(task, start_time);
	rec->cgroup_id = cgroup_id_of(BPF_CORE_READ(task, cgroups, dfl_cgrp));
	read_counts(task, rec);
	rec->slice_ns = nominal_slice_read(task);
	rec->prio = BPF_CORE_READ(task, prio);
	rec->nice = BPF_CORE_READ(task, static_prio) - NICE_0_PRIO;
	rec->policy = BPF_CORE_READ(task, policy);
	rec->task_cpu = BPF_CORE_READ(task, thread_info.cpu);
	bpf_core_read(rec->comm, sizeof(rec->comm), &task->comm);
}

static __always_inline struct upid *number_at(struct pid *pid, __u32 level)
{
	return (void *)pid + bpf_core_field_offset(struct pid, numbers) +
	       level * bpf_core_type_size(struct upid);
}

/* 0: it is in the first namespace. */
static __always_inline __u32 namespace_level(struct task_struct *task)
{
	return BPF_CORE_READ(task, thread_pid, level);
}

/* A thread as its own pid namespace sees it. */
static __always_inline void fill_namespace(struct schedscope_namespace *rec,
					   struct task_struct *task)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	struct upid *number = number_at(pid, level);
	struct upid *group = number_at(BPF_CORE_READ(signal, pids[KERNEL_PIDTYPE_TGID]), level);

	rec->tid = BPF_CORE_READ(task, pid);
	rec->level = level;
	rec->ns_tid = BPF_CORE_READ(number, nr);
	rec->ns_pid = BPF_CORE_READ(group, nr);
	rec->ns_id = BPF_CORE_READ(number, ns, ns.inum);
}

#endif
