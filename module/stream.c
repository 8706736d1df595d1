// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event stream: what the scheduler does, as records.
 *
 * A record is made in its place on its CPU's stage, with interrupts off, so that a CPU's records
 * are in the order of their times and its counts need no atomics; no probe runs in an NMI.
 * stage.c has what becomes of it.
 */
#include <linux/bug.h>
#include <linux/cleanup.h>
#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/prio.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "clock_step.h"
#include "compat.h"
#include "nominal_slice.h"
#include "off_cpu.h"
#include "probes.h"
#include "slice_end.h"
#include "stage.h"
#include "stream.h"

DEFINE_STATIC_KEY_FALSE(stream_running);
DEFINE_STATIC_KEY_FALSE(stream_measured);

/*
 * The stream that runs. Set before the first probe can look at it, and cleared
 * after the last one has: they find it without asking.
 */
static struct stream *running;

/* CLOCK_MONOTONIC, as the BPF witness reads it. */
u64 stream_now(void)
{
	return ktime_get_mono_fast_ns();
}

/*
 * A tid that is used again is another thread: its start time differs, and with it,
 * in 254 of 255 cases, its mark. Only a tid that comes round again before its last
 * owner's last switch makes use of that.
 */
static u8 mark_of(const struct task_struct *task)
{
	return 1 + task->start_time % 255;
}

/**
 * stream_is_selected() - whether a thread's records are wanted
 * @stream: stream
 * @tid: thread; 0, idle, is wanted with all others only
 */
bool stream_is_selected(const struct stream *stream, pid_t tid)
{
	return !stream->selected || READ_ONCE(stream->selected[tid]);
}

/**
 * stream_select() - from now on they are
 * @stream: a stream that selects
 * @task: thread
 */
void stream_select(struct stream *stream, const struct task_struct *task)
{
	WRITE_ONCE(stream->selected[task->pid], mark_of(task));
}

static void select_child(struct task_struct *parent, struct task_struct *child)
{
	if (!running->selected)
		return;
	if (stream_is_selected(running, parent->pid))
		stream_select(running, child);
	/* Else it may be marked for one that had the tid before: that is another mark. */
	else if (READ_ONCE(running->selected[child->pid]) != mark_of(child))
		WRITE_ONCE(running->selected[child->pid], 0);
}

/* At a thread's last switch, when its tid may already be a new thread's. */
static void forget(const struct task_struct *task, pid_t tid)
{
	if (!running->selected)
		return;
	if (READ_ONCE(running->selected[tid]))
		cmpxchg(&running->selected[tid], mark_of(task), 0);
	if (READ_ONCE(running->introduced[tid]))
		cmpxchg(&running->introduced[tid], mark_of(task), 0);
}

static u32 granted_slice(const struct stream *stream, const struct task_struct *task)
{
	return min_t(u64, nominal_slice(task, stream->rr_slice_ns), U32_MAX);
}

static u64 switches_of(const struct task_struct *task)
{
	return READ_ONCE(task->nvcsw) + READ_ONCE(task->nivcsw);
}

/*
 * What a thread has run is known at a switch, and until the next one nobody knows as of when.
 * Context: this CPU's run queue is locked, interrupts are off.
 */
static void note_in(struct stream_cpu *here, const struct task_struct *next, u64 now)
{
	WRITE_ONCE(here->in_ns, 0);
	smp_wmb(); /* pairs with those in run_at_slice_begin() */
	WRITE_ONCE(here->in_task, next);
	WRITE_ONCE(here->in_switches, next->nvcsw + next->nivcsw);
	WRITE_ONCE(here->in_run_ns, next->se.sum_exec_runtime);
	smp_wmb(); /* as above */
	WRITE_ONCE(here->in_ns, now);
}

/* Of a thread on a CPU: when its slice began, and what it had run until then; 0: not known. */
static u64 run_at_slice_begin(const struct stream *stream, const struct task_struct *task,
			      u64 switches, u64 *run_ns)
{
	const struct stream_cpu *cpu = per_cpu_ptr(stream->cpus, task_cpu(task));
	u64 begin_ns = READ_ONCE(cpu->in_ns);

	smp_rmb(); /* pairs with those in note_in() */
	if (READ_ONCE(cpu->in_task) != task || READ_ONCE(cpu->in_switches) != switches)
		return 0;
	*run_ns = READ_ONCE(cpu->in_run_ns);
	smp_rmb(); /* as above */
	return READ_ONCE(cpu->in_ns) == begin_ns ? begin_ns : 0;
}

/*
 * The kernel's counters of a thread, and as of when. One that is switched meanwhile, by another
 * CPU, was on that, and had them at no moment that is known.
 */
static void read_counts(const struct stream *stream, struct schedscope_task *rec,
			const struct task_struct *task)
{
	bool on_cpu = compat_task_on_cpu(task);

	rec->switches = switches_of(task);
	smp_rmb(); /* what is between was so at one moment if these two do not change */
	rec->run_ns = READ_ONCE(task->se.sum_exec_runtime);
	if (on_cpu)
		rec->run_at_ns = run_at_slice_begin(stream, task, rec->switches, &rec->run_ns);
	else
		rec->run_at_ns = stream_now();
	smp_rmb(); /* as above */
	if (compat_task_on_cpu(task) != on_cpu || switches_of(task) != rec->switches) {
		on_cpu = true;
		rec->run_at_ns = 0;
	}
	if (on_cpu)
		rec->rec.flags |= SCHEDSCOPE_TASK_ON_CPU;
}

/**
 * stream_fill_task() - who a thread is, but for the record's header
 * @stream: stream
 * @rec: where to; its flags are set
 * @task: thread
 *
 * Context: any but NMI. The task cannot go away.
 */
void stream_fill_task(const struct stream *stream, struct schedscope_task *rec,
		      struct task_struct *task)
{
	guard(rcu)();
	rec->rec.flags = (task->flags & PF_KTHREAD ? SCHEDSCOPE_TASK_KTHREAD : 0) |
			 (READ_ONCE(task->on_rq) ? SCHEDSCOPE_TASK_ON_RQ : 0);
	rec->tid = task->pid;
	rec->pid = task->tgid;
	rec->ppid = rcu_dereference(task->real_parent)->tgid;
	rec->state = READ_ONCE(task->__state);
	rec->start_ns = task->start_time;
	rec->cgroup_id = compat_cgroup_id(task);
	read_counts(stream, rec, task);
	rec->slice_ns = granted_slice(stream, task);
	rec->prio = task->prio;
	rec->nice = PRIO_TO_NICE(task->static_prio);
	rec->policy = task->policy;
	rec->task_cpu = task_cpu(task);
	/* Not under its lock, which may sleep: a name that changes just now is both in part. */
	strscpy_pad(rec->comm, task->comm, sizeof(rec->comm));
}

/* Room for a record on this CPU's stage; all but its header is the caller's to write. */
static __always_inline void *reserve(u16 kind, u16 size, u64 now)
{
	return stage_reserve(running, kind, size, now);
}

/* For what is rare. */
static void keep(const struct schedscope_rec *from, u16 kind, u16 size, u64 now)
{
	struct schedscope_rec *to = reserve(kind, size, now);

	to->flags = from->flags;
	memcpy((u8 *)to + sizeof(*to), (const u8 *)from + sizeof(*from), size - sizeof(*to));
}

/* Whether it is selected was looked at once: it may be another thing by now. */
static void send_task(struct task_struct *task, u16 flag, u64 now)
{
	struct schedscope_task *rec = reserve(SCHEDSCOPE_REC_TASK, sizeof(*rec), now);

	stream_fill_task(running, rec, task);
	rec->rec.flags |= flag;
}

/* Who a neighbour of a recorded thread is; when all are recorded, all are known. */
static void introduce(struct task_struct *task, u64 now)
{
	u8 *known;

	if (!running->selected || !task->pid || stream_is_selected(running, task->pid))
		return;
	known = &running->introduced[task->pid];
	if (READ_ONCE(*known) == mark_of(task))
		return;
	send_task(task, SCHEDSCOPE_TASK_BYSTANDER, now);
	/* Should the record be lost, stage.c takes that back. */
	WRITE_ONCE(*known, mark_of(task));
}

/*
 * A thread that calls execve and is not its group's leader has taken the leader's tid and start
 * time, and the leader its tid: both stay what they are. May be called again: a mark of the
 * caller's tid that has the leader's start time is the leader's.
 */
static void exchange_selected(const struct task_struct *task, pid_t tid, pid_t old_tid)
{
	const u8 mark = mark_of(task);
	u8 caller, leader;

	if (!running->selected || old_tid == tid)
		return;
	caller = READ_ONCE(running->selected[old_tid]);
	leader = READ_ONCE(running->selected[tid]);
	if (!caller && READ_ONCE(running->introduced[old_tid]) == mark)
		return;
	if (caller)
		WRITE_ONCE(running->selected[tid], mark);
	if (caller == mark)
		return;
	WRITE_ONCE(running->selected[old_tid], leader ? mark : 0);
	if (!leader)
		WRITE_ONCE(running->introduced[old_tid], mark);
}

static void send_exec(pid_t tid, pid_t old_tid, u64 now)
{
	struct schedscope_exec *rec = reserve(SCHEDSCOPE_REC_EXEC, sizeof(*rec), now);

	rec->tid = tid;
	rec->old_tid = old_tid;
}

/*
 * The leader of its group until another thread called execve, and took its tid and start time.
 * That one may be gone, to be precise: its memory is looked at, no more.
 */
static bool was_leader(const struct task_struct *task, pid_t tid)
{
	u64 start_ns;

	return task->flags & PF_EXITING && tid != task->tgid &&
	       !get_kernel_nofault(start_ns, &task->group_leader->start_time) &&
	       start_ns == task->start_time;
}

/*
 * A thread that calls execve exchanges tids with its group's leader, long before it passes
 * sched_process_exec: the leader may have its last switch under the new one, and the caller may
 * sleep. So this is told with the first that is seen of either of them; and then again. The caller
 * has another tid than when it came to this CPU.
 */
static void look_at_tid(const struct task_struct *task, pid_t tid, u64 now)
{
	struct stream_cpu *here = this_cpu_ptr(running->cpus);
	pid_t old_tid;

	if (was_leader(task, tid)) {
		old_tid = tid;
		tid = task->tgid;
	} else if (here->task == task && here->tid != tid) {
		old_tid = here->tid;
		here->tid = tid;
	} else {
		return;
	}
	exchange_selected(task, tid, old_tid);
	if (stream_is_selected(running, tid))
		send_exec(tid, old_tid, now);
}

/* What a thread that goes to sleep waits for: into its switch, and before it. */
static void note_sleep(struct task_struct *prev, unsigned int prev_state, u64 now,
		       struct slice_end *end)
{
	struct off_cpu_call call = off_cpu_call(prev);
	struct schedscope_futex futex;

	if (call.number < 0)
		return;
	if (off_cpu_futex(prev, prev_state, call, &futex))
		keep(&futex.rec, SCHEDSCOPE_REC_FUTEX, sizeof(futex), now);
	end->flags |= SCHEDSCOPE_SWITCH_SYSCALL | (call.compat ? SCHEDSCOPE_SWITCH_COMPAT : 0);
	end->resched_tid = call.number;
}

/* The kernel's counters of a thread that leaves. */
static void send_counts(const struct task_struct *prev, pid_t prev_tid, u16 flags, u64 now)
{
	struct schedscope_counts *rec = reserve(SCHEDSCOPE_REC_COUNTS, sizeof(*rec), now);

	rec->rec.flags = flags;
	rec->tid = prev_tid;
	rec->reserved = 0;
	rec->switches = prev->nvcsw + prev->nivcsw;
	rec->run_ns = prev->se.sum_exec_runtime;
}

/*
 * A CPU that goes idle has nothing on its stage: its reader would have to wake it. Nor has one
 * whose stopper comes, of the highest priority: that may be taking the CPU away.
 */
static void flush_before(const struct task_struct *next)
{
	if (!next->pid || !next->prio)
		stage_flush(running);
}

/**
 * stream_switch() - a CPU goes from one thread to another
 * @preempt: @prev was preempted in the kernel
 * @prev: thread that leaves
 * @next: thread that takes over
 * @prev_tid: tid of @prev, read before @now was
 * @next_tid: tid of @next, likewise
 * @prev_state: state of @prev, as given to the tracepoint
 * @end: what is known of why @prev leaves
 * @now: when, as the ledger has it: a CPU may stand still between two readings of the clock
 *
 * Context: this CPU's run queue is locked, interrupts are off.
 */
void stream_switch(bool preempt, struct task_struct *prev, struct task_struct *next,
		   pid_t prev_tid, pid_t next_tid, unsigned int prev_state, struct slice_end end,
		   u64 now)
{
	bool is_last = !preempt && prev_state & TASK_DEAD;
	struct stream_cpu *here = this_cpu_ptr(running->cpus);
	struct schedscope_switch *rec;
	bool selected;

	if (prev_tid != READ_ONCE(prev->pid) || next_tid != READ_ONCE(next->pid)) {
		/* Just now, by another CPU, see look_at_tid(): the switch comes after that. */
		prev_tid = READ_ONCE(prev->pid);
		next_tid = READ_ONCE(next->pid);
		now = stream_now();
	}
	look_at_tid(prev, prev_tid, now);
	look_at_tid(next, next_tid, now);
	here->task = next;
	here->tid = next_tid;
	selected = stream_is_selected(running, prev_tid);
	if (static_branch_unlikely(&stream_measured))
		here->measured_switches++;
	if (!selected && !stream_is_selected(running, next_tid)) {
		if (is_last)
			forget(prev, prev_tid);
		flush_before(next);
		return;
	}
	introduce(prev, now);
	introduce(next, now);
	if (selected && prev_tid && !preempt && prev_state)
		note_sleep(prev, prev_state, now, &end);
	/* The clocks are told apart from the CPU's first switch on. */
	if (selected && prev_tid && (is_last || !here->clocks_apart_ns))
		send_counts(prev, prev_tid, is_last ? 0 : SCHEDSCOPE_COUNTS_BEGIN, now);
	rec = reserve(SCHEDSCOPE_REC_SWITCH, sizeof(*rec), now);
	rec->rec.flags = end.flags;
	rec->prev_tid = prev_tid;
	rec->next_tid = next_tid;
	rec->prev_state = prev_state;
	rec->prev_switches = prev->nvcsw + prev->nivcsw;
	rec->prev_slice_ns = granted_slice(running, prev);
	rec->prev_prio = prev->prio;
	rec->next_prio = next->prio;
	rec->prev_policy = prev->policy;
	rec->next_policy = next->policy;
	rec->clock_step = clock_step_take(&here->clocks_apart_ns, now,
					  prev_tid ? prev->se.exec_start : 0,
					  next_tid ? next->se.exec_start : 0);
	rec->resched_tid = end.resched_tid;
	note_in(here, next, now);
	here->switches++;
	if (is_last)
		forget(prev, prev_tid);
	flush_before(next);
}

static void send_waking(struct task_struct *task, u16 kind, u64 now)
{
	struct schedscope_waking *rec;

	look_at_tid(current, current->pid, now);
	introduce(current, now);
	rec = reserve(kind, sizeof(*rec), now);
	rec->rec.flags = slice_end_in_timer() ? SCHEDSCOPE_WAKING_TIMER : 0;
	rec->tid = task->pid;
	rec->waker_tid = current->pid;
	rec->target_cpu = task_cpu(task);
	rec->reserved = 0;
}

/**
 * stream_waking() - a thread is about to be made runnable
 * @task: thread
 * @now: when, as the ledger has it; 0: it does not say
 */
void stream_waking(struct task_struct *task, u64 now)
{
	guard(irqsave)();
	if (stream_is_selected(running, task->pid))
		send_waking(task, SCHEDSCOPE_REC_WAKING, now ?: stream_now());
}

/**
 * stream_wakeup_new() - a new thread is, for the first time
 * @task: thread, complete only here, not yet at its fork: so is its identity
 */
void stream_wakeup_new(struct task_struct *task)
{
	u64 now;

	guard(irqsave)();
	/* Threads that the kernel makes for a process, such as io_uring's, pass no fork. */
	if (!stream_is_selected(running, task->pid))
		select_child(current, task);
	if (!stream_is_selected(running, task->pid))
		return;
	now = stream_now();
	send_task(task, 0, now);
	send_waking(task, SCHEDSCOPE_REC_WAKEUP_NEW, now);
}

/**
 * stream_fork() - a thread was made
 * @parent: thread that made it
 * @child: thread
 */
void stream_fork(struct task_struct *parent, struct task_struct *child)
{
	struct schedscope_fork rec = {
		.parent_tid = parent->pid,
		.tid = child->pid,
		.pid = child->tgid,
	};

	guard(irqsave)();
	select_child(parent, child);
	if (stream_is_selected(running, child->pid))
		keep(&rec.rec, SCHEDSCOPE_REC_FORK, sizeof(rec), stream_now());
}

/**
 * stream_exec() - a thread replaced its program
 * @task: thread
 * @old_tid: its tid before
 */
void stream_exec(struct task_struct *task, pid_t old_tid)
{
	u64 now;

	guard(irqsave)();
	exchange_selected(task, task->pid, old_tid);
	if (!stream_is_selected(running, task->pid))
		return;
	now = stream_now();
	send_exec(task->pid, old_tid, now);
	send_task(task, 0, now);
}

/**
 * stream_exit() - a thread begins to exit
 * @task: thread
 */
void stream_exit(struct task_struct *task)
{
	struct schedscope_exit rec = {
		.tid = task->pid,
		.pid = task->tgid,
	};

	guard(irqsave)();
	if (!stream_is_selected(running, task->pid))
		return;
	rec.switches = task->nvcsw + task->nivcsw;
	rec.run_ns = task->se.sum_exec_runtime;
	rec.run_at_ns = run_at_slice_begin(running, task, rec.switches, &rec.run_ns);
	keep(&rec.rec, SCHEDSCOPE_REC_EXIT, sizeof(rec), stream_now());
}

/**
 * stream_migrate() - a thread is put on another CPU
 * @task: thread
 * @to_cpu: the other CPU
 */
void stream_migrate(struct task_struct *task, int to_cpu)
{
	struct schedscope_migrate rec = {
		.tid = task->pid,
		.from_cpu = task_cpu(task),
		.to_cpu = to_cpu,
	};

	guard(irqsave)();
	if (stream_is_selected(running, task->pid))
		keep(&rec.rec, SCHEDSCOPE_REC_MIGRATE, sizeof(rec), stream_now());
}

/**
 * stream_rename() - a thread's name is about to change
 * @task: thread
 * @comm: the new name
 */
void stream_rename(struct task_struct *task, const char *comm)
{
	struct schedscope_task rec;
	u64 now;

	guard(irqsave)();
	now = stream_now();
	look_at_tid(task, task->pid, now);
	if (!stream_is_selected(running, task->pid))
		return;
	stream_fill_task(running, &rec, task);
	strscpy_pad(rec.comm, comm, sizeof(rec.comm));
	keep(&rec.rec, SCHEDSCOPE_REC_TASK, sizeof(rec), now);
}

/**
 * stream_hotplug() - a CPU went, or comes
 * @of_cpu: CPU
 * @flags: SCHEDSCOPE_HOTPLUG_*
 */
void stream_hotplug(unsigned int of_cpu, u16 flags)
{
	struct schedscope_hotplug rec = {
		.rec.flags = flags,
		.of_cpu = of_cpu,
	};

	guard(irqsave)();
	keep(&rec.rec, SCHEDSCOPE_REC_HOTPLUG, sizeof(rec), stream_now());
}

/**
 * stream_begin() - records are made from now on
 * @stream: where to; belongs to the probes until stream_end()
 *
 * Return: 0 or a negative errno: then nothing has changed.
 */
int stream_begin(struct stream *stream)
{
	int err;

	running = stream;
	err = probes_attach_stream();
	if (err)
		return err;
	static_branch_enable(&stream_running);
	return 0;
}

/**
 * stream_measure() - times all probes of the module from now on, or no longer
 * @on: which
 *
 * Context: process context, may sleep; a stream runs.
 */
void stream_measure(bool on)
{
	if (on)
		static_branch_enable(&stream_measured);
	else
		static_branch_disable(&stream_measured);
}

/**
 * stream_probed() - a probe is over that was timed
 * @ns: what it took; one that was interrupted by another holds that one's, too
 *
 * Context: preemption is off. Atomic on its CPU, as others may interrupt.
 */
void stream_probed(u64 ns)
{
	this_cpu_add(running->cpus->probe_ns, ns);
	this_cpu_inc(running->cpus->probe_runs);
}

/**
 * stream_end() - no record is made any more when this returns
 */
void stream_end(void)
{
	static_branch_disable(&stream_measured);
	static_branch_disable(&stream_running);
	/* Waits for probes that have found the key on, too. */
	probes_detach_stream();
	stage_settle();
	running = NULL;
}
