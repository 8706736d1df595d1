/* SPDX-License-Identifier: GPL-2.0-only */
/* Who a thread is: sent when it is first seen and when it changes, not with each switch. */
#ifndef _SCHEDSCOPE_TASK_BPF_H
#define _SCHEDSCOPE_TASK_BPF_H

#include "core_fixes.bpf.h"
#include "kernel_types.bpf.h"
#include "ring.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define NICE_0_PRIO	120

static __always_inline __u16 task_flags(struct task_struct *task)
{
	__u16 flags = 0;

	if (task->flags & TASK_FLAG_KTHREAD)
		flags |= SCHEDSCOPE_TASK_KTHREAD;
	if (task->on_cpu)
		flags |= SCHEDSCOPE_TASK_ON_CPU;
	if (task->on_rq)
		flags |= SCHEDSCOPE_TASK_ON_RQ;
	return flags;
}

/* When the kernel counted the run time of a thread on a CPU last. */
static __always_inline __u64 run_counted_at(struct task_struct *task)
{
	struct cpu_state *state;

	if (!task->on_cpu)
		return 0;
	state = cpu_state_of(task->thread_info.cpu);
	if (!state || !state->clocks_apart_ns)
		return 0;
	return task->se.exec_start + state->clocks_apart_ns;
}

/* The kernel's count of a thread's run time, and as of when; it may count just now, at a tick. */
static __always_inline void read_run(struct task_struct *task, __u64 *run_ns, __u64 *run_at_ns)
{
	*run_at_ns = run_counted_at(task);
	*run_ns = task->se.sum_exec_runtime;
	barrier();
	if (run_counted_at(task) != *run_at_ns)
		*run_at_ns = 0;
}

static __always_inline void fill_task(struct schedscope_task *rec, struct task_struct *task)
{
	rec->rec.flags = task_flags(task);
	rec->tid = task->pid;
	rec->pid = task->tgid;
	rec->ppid = BPF_CORE_READ(task, real_parent, tgid);
	rec->state = task->__state;
	rec->start_ns = task->start_time;
	rec->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	rec->switches = task->nvcsw + task->nivcsw;
	read_run(task, &rec->run_ns, &rec->run_at_ns);
	rec->slice_ns = nominal_slice(task);
	rec->prio = task->prio;
	rec->nice = task->static_prio - NICE_0_PRIO;
	rec->policy = task->policy;
	rec->task_cpu = task->thread_info.cpu;
	bpf_probe_read_kernel(rec->comm, sizeof(rec->comm), task->comm);
}

#endif
