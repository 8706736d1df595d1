/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between the kernels that this module is built for, under one
 * neutral name each. There is no #if anywhere else. Kbuild finds out what there
 * is by compiling the little files in features/, since stable kernels take
 * changes back to versions that did not have them. A wrong answer does not
 * compile: each probe is checked against the tracepoint's prototype.
 */
#ifndef SCHEDSCOPE_COMPAT_H
#define SCHEDSCOPE_COMPAT_H

#include <linux/cgroup.h>
#include <linux/compat.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/ring_buffer.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>
#ifdef CONFIG_X86_LOCAL_APIC
#include <asm/trace/irq_vectors.h>
#endif

#include "features/features.h"

/* What a probe on sched_process_exit is called with; group_dead came with 6.16. */
#ifdef HAVE_EXIT_GROUP_DEAD
#define COMPAT_PROCESS_EXIT_ARGS	struct task_struct *task, bool group_dead
#else
#define COMPAT_PROCESS_EXIT_ARGS	struct task_struct *task
#endif

/* A kernel for one CPU has no on_cpu. */
static inline bool compat_task_on_cpu(const struct task_struct *task)
{
#ifdef CONFIG_SMP
	return READ_ONCE(task->on_cpu);
#else
	return task == current;
#endif
}

/* In a run queue, or on a CPU. */
static inline bool compat_task_in_use(const struct task_struct *task)
{
	return compat_task_on_cpu(task) || READ_ONCE(task->on_rq);
}

/* The prototypes of tracepoints that not all kernels have; no kernel without them names them. */
#ifdef HAVE_SCHED_SET_NEED_RESCHED
#define compat_check_need_resched(probe) \
	check_trace_callback_type_sched_set_need_resched_tp(probe)
#else
#define compat_check_need_resched(probe)	((void)(probe))
#endif

#ifdef CONFIG_X86_LOCAL_APIC
#define compat_check_timer_entry(probe)	check_trace_callback_type_local_timer_entry(probe)
#define compat_check_timer_exit(probe)	check_trace_callback_type_local_timer_exit(probe)
#else
#define compat_check_timer_entry(probe)	((void)(probe))
#define compat_check_timer_exit(probe)	((void)(probe))
#endif

/* The thread is asked to leave its CPU, at once or (lazily) at the next tick. */
static inline bool compat_needs_resched(struct task_struct *task)
{
#ifdef TIF_NEED_RESCHED_LAZY
	if (test_tsk_thread_flag(task, TIF_NEED_RESCHED_LAZY))
		return true;
#endif
	return test_tsk_thread_flag(task, TIF_NEED_RESCHED);
}

/* What virtual time goes by: from 7.3 on a CPU has one queue for the tasks of all groups. */
#ifdef HAVE_SE_H_LOAD
#define compat_fair_weight(task)	((task)->se.h_load.weight)
#else
#define compat_fair_weight(task)	((task)->se.load.weight)
#endif

/*
 * The fair scheduler grants slices: EEVDF, from 6.6 on. CFS had none. A slice ends when the
 * task's virtual time has reached its deadline; while the task is on a CPU the difference is,
 * as of the scheduler's last look at it, what is left.
 */
#ifdef HAVE_SE_SLICE
#define COMPAT_FAIR_SLICES	true
#define compat_fair_slice(task)	((task)->se.slice)

static inline s64 compat_fair_left_virtual(const struct task_struct *task)
{
	return task->se.deadline - task->se.vruntime;
}
#else
#define COMPAT_FAIR_SLICES	false
#define compat_fair_slice(task)	((void)(task), 0)

static inline s64 compat_fair_left_virtual(const struct task_struct *task)
{
	return 0;
}
#endif

/* Before 6.3 (and in 6.1's stable kernels) the flags of a mapping are simply written. */
static inline void compat_vm_flags_mod(struct vm_area_struct *vma, unsigned long set,
				       unsigned long clear)
{
#ifdef HAVE_VM_FLAGS_MOD
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

/*
 * Whether its group's quota takes a fair thread off the CPU. Before 6.18 it was the group that was
 * taken off its queue, with the thread still queued in it.
 *
 * Context: the thread's run queue is locked, at a switch away from it.
 */
#ifdef CONFIG_CFS_BANDWIDTH
#define COMPAT_QUOTA_TOLD	true

static inline bool compat_quota_used(const struct task_struct *task)
{
#ifdef HAVE_TASK_THROTTLED
	return task->throttled;
#else
	const struct sched_entity *group;

	if (!task->se.on_rq)
		return false;
	for (group = task->se.parent; group; group = group->parent)
		if (!group->on_rq)
			return true;
	return false;
#endif
}
#else
#define COMPAT_QUOTA_TOLD	false

static inline bool compat_quota_used(const struct task_struct *task)
{
	return false;
}
#endif

/* Threads that never run a program of their own, as the kernel's threads do; from 6.4 on. */
#ifdef PF_USER_WORKER
#define COMPAT_PF_USER_WORKER	PF_USER_WORKER
#else
#define COMPAT_PF_USER_WORKER	0
#endif

/* In a system call of the 32-bit table; those of x32 are x86-64's own, with a bit set. */
static inline bool compat_in_32bit_syscall(void)
{
#ifdef CONFIG_X86_64
	return in_ia32_syscall();
#else
	return in_compat_syscall();
#endif
}

/* The id in cgroup v2, 0 when unknown. Context: RCU read side. */
static inline u64 compat_cgroup_id(struct task_struct *task)
{
#ifdef CONFIG_CGROUPS
	return cgroup_id(task_dfl_cgroup(task));
#else
	return 0;
#endif
}

/* A page to read a ring by: up to 6.7 the page itself. */
struct compat_ring_page {
#ifdef HAVE_RING_READ_PAGE
	struct buffer_data_read_page *page;
#else
	void *page;
#endif
};

static inline int compat_ring_page_alloc(struct trace_buffer *ring, int cpu,
					 struct compat_ring_page *to)
{
	int err;

#ifdef HAVE_RING_READ_PAGE_OUT
	err = ring_buffer_alloc_read_page(ring, cpu, &to->page);
#else
	to->page = ring_buffer_alloc_read_page(ring, cpu);
	err = PTR_ERR_OR_ZERO(to->page);
#endif
	if (err)
		to->page = NULL;
	return err;
}

/* To the CPU that it was allocated for; nothing when it was not. */
static inline void compat_ring_page_free(struct trace_buffer *ring, int cpu,
					 struct compat_ring_page *page)
{
	if (page->page)
		ring_buffer_free_read_page(ring, cpu, page->page);
}

/* Takes a page of what is in the ring; where in it that begins, negative when there is none. */
static inline int compat_ring_page_read(struct trace_buffer *ring, int cpu,
					struct compat_ring_page *to)
{
#ifdef HAVE_RING_READ_PAGE
	return ring_buffer_read_page(ring, to->page, PAGE_SIZE, cpu, 0);
#else
	return ring_buffer_read_page(ring, &to->page, PAGE_SIZE, cpu, 0);
#endif
}

static inline void *compat_ring_page_data(const struct compat_ring_page *from)
{
#ifdef HAVE_RING_READ_PAGE
	return ring_buffer_read_page_data(from->page);
#else
	return from->page;
#endif
}

#endif /* SCHEDSCOPE_COMPAT_H */
