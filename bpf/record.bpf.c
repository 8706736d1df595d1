// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event stream: what the scheduler does, as records in one ring per CPU.
 *
 * sched_switch, sched_waking, sched_wakeup and sched_migrate_task are called with
 * interrupts off (rq->lock or pi_lock held; but for a thread that wakes itself):
 * nothing here may wake, sleep or loop.
 */
#include "kernel_types.bpf.h"

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "clock_step.h"
#include "core_fixes.bpf.h"
#include "eevdf.bpf.h"
#include "filter.bpf.h"
#include "here.bpf.h"
#include "hotplug.bpf.h"
#include "interrupts.bpf.h"
#include "off_cpu.bpf.h"
#include "ring.bpf.h"
#include "rules.bpf.h"
#include "slice_end.bpf.h"
#include "stacks.bpf.h"
#include "task.bpf.h"
#include "twice.bpf.h"
#include "uapi/schedscope.h"

char LICENSE[] SEC("license") = "GPL";

/* The flag of the walk that runs: SCHEDSCOPE_TASK_BEGIN or SCHEDSCOPE_TASK_END. */
__u16 walk_flag = 0;

#define MOST_THREADS	(1 << 22) /* the kernel's PID_MAX_LIMIT */

static __always_inline void send_namespace(struct here *here, struct task_struct *task)
{
	struct schedscope_namespace *rec;

	if (!namespace_level(task))
		return;
	rec = reserve_here(here, SCHEDSCOPE_REC_NAMESPACE, sizeof(*rec));
	if (!rec)
		return;
	fill_namespace(rec, task);
	submit(rec);
}

/* Whether it is selected was looked at once: it may be another thing by now. */
static __always_inline bool send_task(struct here *here, struct task_struct *task, __u16 flag)
{
	struct schedscope_task *rec = reserve_here(here, SCHEDSCOPE_REC_TASK, sizeof(*rec));

	if (!rec)
		return false;
	fill_task(rec, task);
	rec->rec.flags |= flag;
	submit(rec);
	send_namespace(here, task);
	return true;
}

/* Who a neighbour of a recorded thread is; without a filter everybody is recorded. */
static __always_inline void introduce(struct here *here, struct task_struct *task)
{
	if (filtering && needs_introduction(task) &&
	    !send_task(here, task, SCHEDSCOPE_TASK_BYSTANDER))
		introduction_failed(task);
}

static __always_inline void send_exec(struct here *here, __u32 tid, __u32 old_tid)
{
	struct schedscope_exec *rec = reserve_here(here, SCHEDSCOPE_REC_EXEC, sizeof(*rec));

	if (!rec)
		return;
	rec->tid = tid;
	rec->old_tid = old_tid;
	submit(rec);
}

/* The leader of its group until another thread called execve, and took its tid and start time. */
static __always_inline bool was_leader(struct task_struct *task, __u32 tid)
{
	return task->flags & TASK_FLAG_EXITING && tid != (__u32)task->tgid &&
	       task->group_leader->start_time == task->start_time;
}

/*
 * A thread that calls execve exchanges tids with its group's leader, long before it passes
 * sched_process_exec: the leader may have its last switch under the new one, and the caller may
 * sleep. So this is told with the first that is seen of either of them; and then again. The caller
 * has another tid than when it came to this CPU.
 */
static __always_inline void look_at_tid(struct here *here, struct task_struct *task, __u32 tid)
{
	struct cpu_state *state = here->state;
	__u32 old_tid;

	if (was_leader(task, tid)) {
		old_tid = tid;
		tid = task->tgid;
	} else if (state->current == (__u64)task && state->current_tid != tid) {
		old_tid = state->current_tid;
		state->current_tid = tid;
	} else {
		return;
	}
	exchange_reasons(old_tid, tid, task->start_time, SELECTED_BY_ANY);
	if (is_selected(tid))
		send_exec(here, tid, old_tid);
}

static __always_inline void send_futex(const struct here *here, struct task_struct *task,
				       const struct syscall *call)
{
	struct schedscope_futex *rec = reserve_here(here, SCHEDSCOPE_REC_FUTEX, sizeof(*rec));

	if (!rec)
		return;
	fill_futex(rec, task, call);
	submit(rec);
}

/* What prev, which goes to sleep, waits for; the flags of its switch. */
static __always_inline __u16 note_sleep(const struct here *here, struct task_struct *prev,
					unsigned int prev_state, __u32 *number)
{
	struct syscall call;

	if (!get_syscall(prev, &call))
		return 0;
	/* A sleep in futex(2) for something else, a page of memory, is not interruptible. */
	if (in_futex(&call) && prev_state & TASK_INTERRUPTIBLE)
		send_futex(here, prev, &call);
	*number = call.number;
	return SCHEDSCOPE_SWITCH_SYSCALL | (call.compat ? SCHEDSCOPE_SWITCH_COMPAT : 0);
}

/* The kernel's counters of prev, which leaves. */
static __always_inline void send_counts(const struct here *here, struct task_struct *prev,
					__u32 prev_tid, __u16 flags)
{
	struct schedscope_counts *rec = reserve_here(here, SCHEDSCOPE_REC_COUNTS, sizeof(*rec));

	if (!rec)
		return;
	rec->rec.flags = flags;
	rec->tid = prev_tid;
	rec->reserved = 0;
	rec->switches = prev->nvcsw + prev->nivcsw;
	rec->run_ns = prev->se.sum_exec_runtime;
	submit(rec);
}

/* Another CPU may give it another one at any moment: see look_at_tid(). */
static __always_inline __u32 tid_now(struct task_struct *task)
{
	return *(volatile int *)&task->pid;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	__u32 prev_tid = tid_now(prev), next_tid = tid_now(next);
	struct schedscope_switch *rec;
	__u32 resched_tid;
	struct here here;
	bool selected, last;
	__u16 flags;

	if (!get_here(&here))
		return 0;
	here.interruptible = false;
	if (prev_tid != tid_now(prev) || next_tid != tid_now(next)) {
		/* Just now: the switch comes after that. */
		prev_tid = tid_now(prev);
		next_tid = tid_now(next);
		here.now = bpf_ktime_get_ns();
	}
	last = !preempt && prev_state & TASK_DEAD;
	look_at_tid(&here, prev, prev_tid);
	look_at_tid(&here, next, next_tid);
	here.state->in_ns = 0;
	barrier();
	here.state->current = (__u64)next;
	here.state->current_tid = next_tid;
	here.state->seen_switches++;
	flags = take_cause(here.state, prev, preempt, prev_state, &resched_tid);
	selected = is_selected(prev_tid);
	interrupts_at_switch(&here, prev_tid, next_tid, selected);
	if (!selected && !is_selected(next_tid)) {
		if (last)
			deselect(prev, prev_tid); /* it may have been */
		return 0;
	}

	introduce(&here, prev);
	introduce(&here, next);
	if (selected && prev_tid && !preempt && prev_state)
		flags |= note_sleep(&here, prev, prev_state, &resched_tid);
	if (with_stacks && selected && prev_tid && !preempt && prev_state && !last)
		send_stack(ctx, &here, prev);
	if (selected && prev_tid && (last || !here.state->clocks_apart_ns))
		send_counts(&here, prev, prev_tid, last ? 0 : SCHEDSCOPE_COUNTS_BEGIN);
	eevdf_at_switch(&here, prev, next, selected, preempt || !prev_state);
	note_in(here.state, next, here.now);
	here.state->switches++;
	rec = reserve_here(&here, SCHEDSCOPE_REC_SWITCH, sizeof(*rec));
	if (!rec)
		goto out;
	rec->rec.flags = flags;
	rec->prev_tid = prev_tid;
	rec->next_tid = next_tid;
	rec->prev_state = prev_state;
	rec->prev_switches = prev->nvcsw + prev->nivcsw;
	rec->prev_slice_ns = nominal_slice(prev);
	rec->prev_prio = prev->prio;
	rec->next_prio = next->prio;
	rec->prev_policy = prev->policy;
	rec->next_policy = next->policy;
	rec->clock_step = clock_step_take(&here.state->clocks_apart_ns, here.now,
					  prev_tid ? prev->se.exec_start : 0,
					  next_tid ? next->se.exec_start : 0);
	rec->resched_tid = resched_tid;
	submit(rec);
out:
	if (last)
		deselect(prev, prev_tid);
	return 0;
}

static __always_inline void send_waking(struct here *here, struct task_struct *task, __u16 kind)
{
	struct task_struct *waker = bpf_get_current_task_btf();
	struct schedscope_waking *rec;

	look_at_tid(here, waker, waker->pid);
	introduce(here, waker);
	rec = reserve_here(here, kind, sizeof(*rec));
	if (!rec)
		return;
	rec->rec.flags = here->state->in_timer ? SCHEDSCOPE_WAKING_TIMER : 0;
	rec->tid = task->pid;
	rec->waker_tid = waker->pid;
	rec->target_cpu = task->thread_info.cpu;
	rec->reserved = 0;
	submit(rec);
}

SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	struct here here;

	if (!get_here(&here))
		return 0;
	/* A thread that wakes itself does it without its pi_lock. */
	here.interruptible = task == bpf_get_current_task_btf();
	wakeup_begins(here.state, task);
	if (is_selected(task->pid))
		send_waking(&here, task, SCHEDSCOPE_REC_WAKING);
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	struct here here;

	if (get_state(&here))
		wakeup_ends(here.state, task);
	return 0;
}

static __always_inline void send_fork(struct here *here, struct task_struct *parent,
				      struct task_struct *child)
{
	struct schedscope_fork *rec = reserve_here(here, SCHEDSCOPE_REC_FORK, sizeof(*rec));

	if (!rec)
		return;
	rec->parent_tid = parent->pid;
	rec->tid = child->pid;
	rec->pid = child->tgid;
	rec->reserved = 0;
	submit(rec);
}

/*
 * A new thread is complete here, and not yet at sched_process_fork, which threads that the kernel
 * makes for a process (io_uring's) do not pass, and where a program may be preempted from 7.2 on,
 * and is then left out for the next thread. Its maker is current.
 */
SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_wakeup_new, struct task_struct *task)
{
	struct task_struct *parent = bpf_get_current_task_btf();
	struct here here;

	if (!get_here(&here))
		return 0;
	select_child(parent, task);
	if (is_selected(task->pid)) {
		send_fork(&here, parent, task);
		send_task(&here, task, 0);
		send_waking(&here, task, SCHEDSCOPE_REC_WAKEUP_NEW);
	}
	return 0;
}

static __always_inline void program_replaced(struct task_struct *task, int old_pid)
{
	struct here here;

	if (!get_here(&here))
		return;
	/* But for that of its name: the new one was told of. */
	exchange_reasons(old_pid, task->pid, task->start_time, SELECTED_BY_ANY & ~SELECTED_BY_COMM);
	if (!is_selected(task->pid))
		return;
	send_exec(&here, task->pid, old_pid);
	send_task(&here, task, 0);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	first_does(EVENT_EXEC);
	program_replaced(task, old_pid);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec_again, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	if (left_to_second(EVENT_EXEC))
		program_replaced(task, old_pid);
	return 0;
}

static __always_inline void send_exit(struct task_struct *task)
{
	struct schedscope_exit *rec;
	struct here here;

	if (!get_here(&here) || !is_selected(task->pid))
		return;
	rec = reserve_here(&here, SCHEDSCOPE_REC_EXIT, sizeof(*rec));
	if (!rec)
		return;
	rec->tid = task->pid;
	rec->pid = task->tgid;
	rec->switches = task->nvcsw + task->nivcsw;
	rec->run_ns = task->se.sum_exec_runtime;
	rec->run_at_ns = run_at_slice_begin(task, rec->switches, &rec->run_ns);
	submit(rec);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	first_does(EVENT_EXIT);
	send_exit(task);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit_again, struct task_struct *task)
{
	if (left_to_second(EVENT_EXIT))
		send_exit(task);
	return 0;
}

SEC("tp_btf/sched_migrate_task")
int BPF_PROG(on_migrate, struct task_struct *task, int to_cpu)
{
	struct schedscope_migrate *rec;
	struct here here;

	if (!get_here(&here) || !is_selected(task->pid))
		return 0;
	rec = reserve_here(&here, SCHEDSCOPE_REC_MIGRATE, sizeof(*rec));
	if (!rec)
		return 0;
	rec->tid = task->pid;
	rec->from_cpu = task->thread_info.cpu;
	rec->to_cpu = to_cpu;
	rec->reserved = 0;
	submit(rec);
	return 0;
}

/*
 * A TASK record of what may have changed whether its thread is selected. One that comes into the
 * selection is read after it is in, and one that leaves has left before it is out: nothing of the
 * time in between is taken for certain.
 */
static __always_inline struct schedscope_task *reserve_moved(struct here *here, bool enters)
{
	if (enters)
		here->now = bpf_ktime_get_ns();
	return reserve_here(here, SCHEDSCOPE_REC_TASK, sizeof(struct schedscope_task));
}

static __always_inline __u16 moved_flags(bool selected)
{
	return SCHEDSCOPE_TASK_MOVED | (selected ? 0 : SCHEDSCOPE_TASK_BYSTANDER);
}

/* Called before the name changes: the record takes the new one. */
static __always_inline void send_rename(struct task_struct *task, const char *comm)
{
	struct schedscope_task *rec;
	bool crosses = false;
	struct here here;
	bool selected;

	if (!get_here(&here))
		return;
	look_at_tid(&here, task, task->pid);
	if (comm_glob_count)
		crosses = set_reason(task->pid, task->start_time, SELECTED_BY_COMM,
				     has_selected_comm(comm));
	selected = is_selected(task->pid);
	if (!selected && !crosses)
		return;
	rec = reserve_moved(&here, crosses && selected);
	if (!rec)
		return;
	fill_task(rec, task);
	if (crosses)
		rec->rec.flags |= moved_flags(selected);
	__builtin_memset(rec->comm, 0, sizeof(rec->comm));
	bpf_probe_read_kernel_str(rec->comm, sizeof(rec->comm), comm);
	submit(rec);
	if (crosses)
		send_namespace(&here, task);
}

SEC("tp_btf/task_rename")
int BPF_PROG(on_rename, struct task_struct *task, const char *comm)
{
	first_does(EVENT_RENAME);
	send_rename(task, comm);
	return 0;
}

SEC("tp_btf/task_rename")
int BPF_PROG(on_rename_again, struct task_struct *task, const char *comm)
{
	if (left_to_second(EVENT_RENAME))
		send_rename(task, comm);
	return 0;
}

/* A thread is in another cgroup. */
static __always_inline void thread_moved(struct task_struct *task)
{
	__u32 tid = BPF_CORE_READ(task, pid);
	struct schedscope_task *rec;
	bool crosses = false;
	struct here here;
	bool selected;

	if (!get_here(&here))
		return;
	if (selects_cgroups)
		crosses = set_reason(tid, BPF_CORE_READ(task, start_time), SELECTED_BY_CGROUP,
				     in_selected_cgroup(task));
	selected = is_selected(tid);
	if (!selected && !crosses)
		return;
	rec = reserve_moved(&here, crosses && selected);
	if (!rec)
		return;
	fill_task(rec, task);
	rec->rec.flags |= moved_flags(selected);
	submit(rec);
	if (crosses)
		send_namespace(&here, task);
}

struct group_walk {
	struct list_head *at;
	struct list_head *head;
};

/* The group's list is the kernel's own, read as it reads it: under RCU, which every program is. */
static long next_of_group(__u32 index, struct group_walk *walk)
{
	struct list_head *at = walk->at;

	thread_moved((void *)at - bpf_core_field_offset(struct task_struct, thread_node));
	walk->at = BPF_CORE_READ(at, next);
	return !walk->at || walk->at == walk->head;
}

/* A whole process moves at once. */
static __always_inline void moved(struct cgroup *cgroup, struct task_struct *task, bool threadgroup)
{
	struct group_walk walk;
	struct list_head *head;

	/* A move in a hierarchy of version 1 moves nobody here. */
	if (!recording || BPF_CORE_READ(task, cgroups, dfl_cgrp) != cgroup)
		return;
	if (!threadgroup) {
		thread_moved(task);
		return;
	}
	head = (void *)BPF_CORE_READ(task, signal) +
	       bpf_core_field_offset(struct signal_struct, thread_head);
	walk.head = head;
	walk.at = BPF_CORE_READ(head, next);
	bpf_loop(MOST_THREADS, next_of_group, &walk, 0);
}

/*
 * Called after the move. Nobody forks in a process that moves: who is made after it is made in the
 * new cgroup.
 */
SEC("?tp_btf/cgroup_attach_task")
int BPF_PROG(on_cgroup_attach, struct cgroup *cgroup, const char *path, struct task_struct *task,
	     bool threadgroup)
{
	moved(cgroup, task, threadgroup);
	return 0;
}

SEC("?tp_btf/local_timer_entry")
int BPF_PROG(on_timer_entry, int vector)
{
	struct here here;

	if (get_state(&here))
		timer_begins(here.state);
	return 0;
}

SEC("?tp_btf/local_timer_exit")
int BPF_PROG(on_timer_exit, int vector)
{
	struct here here;

	if (get_state(&here))
		timer_ends(here.state);
	return 0;
}

static __always_inline void walk_namespace(struct seq_file *seq, struct task_struct *task)
{
	struct schedscope_namespace rec = {};

	if (!namespace_level(task))
		return;
	fill_header(&rec.rec, bpf_ktime_get_ns(), SCHEDSCOPE_REC_NAMESPACE, sizeof(rec),
		    SCHEDSCOPE_CPU_NONE);
	fill_namespace(&rec, task);
	bpf_seq_write(seq, &rec, sizeof(rec));
}

/* All threads, as records for the agent to read: at the start and at the end. */
SEC("iter/task")
int walk_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct schedscope_task rec = {};

	if (!task || !task->pid)
		return 0;
	if (filtering && walk_flag == SCHEDSCOPE_TASK_BEGIN)
		select_by_rules(task);
	fill_header(&rec.rec, bpf_ktime_get_ns(), SCHEDSCOPE_REC_TASK, sizeof(rec),
		    SCHEDSCOPE_CPU_NONE);
	if (!is_selected(task->pid))
		return 0;
	fill_task(&rec, task);
	rec.rec.flags |= walk_flag;
	bpf_seq_write(ctx->meta->seq, &rec, sizeof(rec));
	if (walk_flag == SCHEDSCOPE_TASK_BEGIN)
		walk_namespace(ctx->meta->seq, task);
	return 0;
}
