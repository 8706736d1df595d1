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
	/* Their sizes differ between kernels: see struct task_struct. */
	if (BPF_CORE_READ_BITFIELD_PROBED(task, on_cpu))
		flags |= SCHEDSCOPE_TASK_ON_CPU;
	if (BPF_CORE_READ_BITFIELD_PROBED(task, on_rq))
		flags |= SCHEDSCOPE_TASK_ON_RQ;
	return flags;
}

/* When the kernel counted the run time of a thread on a CPU last. */
static __always_inline __u64 run_counted_at(struct task_struct *task)
{
	struct cpu_state *state;

	if (!BPF_CORE_READ_BITFIELD_PROBED(task, on_cpu))
		return 0;
	state = cpu_state_of(BPF_CORE_READ(task, thread_info.cpu));
	if (!state || !state->clocks_apart_ns)
		return 0;
	return BPF_CORE_READ(task, se.exec_start) + state->clocks_apart_ns;
}

/* The kernel's count of a thread's run time, and as of when; it may count just now, at a tick. */
static __always_inline void read_run(struct task_struct *task, __u64 *run_ns, __u64 *run_at_ns)
{
	*run_at_ns = run_counted_at(task);
	*run_ns = BPF_CORE_READ(task, se.sum_exec_runtime);
	barrier();
	if (run_counted_at(task) != *run_at_ns)
		*run_at_ns = 0;
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
	rec->switches = BPF_CORE_READ(task, nvcsw) + BPF_CORE_READ(task, nivcsw);
	read_run(task, &rec->run_ns, &rec->run_at_ns);
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
