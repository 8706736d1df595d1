/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between the kernels that this module is built for, under one
 * neutral name each. There is no #if anywhere else. Kbuild looks for the
 * features in the kernel's headers, since stable kernels take changes back to
 * versions that did not have them. A wrong guess does not compile: each probe
 * is checked against the tracepoint's prototype.
 */
#ifndef SCHEDSCOPE_COMPAT_H
#define SCHEDSCOPE_COMPAT_H

#include <linux/sched.h>

/* What a probe on sched_process_exit is called with; group_dead came with 6.16. */
#ifdef HAVE_EXIT_GROUP_DEAD
#define COMPAT_PROCESS_EXIT_ARGS	struct task_struct *task, bool group_dead
#else
#define COMPAT_PROCESS_EXIT_ARGS	struct task_struct *task
#endif

/*
 * In a run queue, or on a CPU. A kernel for one CPU has no on_cpu, and no waker
 * that meets another thread on it.
 */
static inline bool compat_task_in_use(const struct task_struct *task)
{
#ifdef CONFIG_SMP
	if (READ_ONCE(task->on_cpu))
		return true;
#endif
	return READ_ONCE(task->on_rq);
}

#endif /* SCHEDSCOPE_COMPAT_H */
