// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who asked the scheduler to take a running thread off its CPU.
 *
 * The rules are those of bpf/slice_end.bpf.h, so that both witnesses say the
 * same: where the kernel says that it asks (sched_set_need_resched_tp), the
 * asker is who is active there, a wakeup in progress or else the timer
 * interrupt. Older kernels do not say so: there need_resched is read before and
 * after each wakeup and each timer interrupt, and who found it clear and left
 * it set has asked. A request that ends with the same thread going on shows
 * nowhere, so "clear before" keeps an old one from being taken for a new one.
 *
 * A CPU's request is also written by others, which wake a thread there: they
 * hold its run queue's lock, but the timer interrupt does not. So it is one
 * word, and whoever comes second wins; a wrong word misnames one slice's end.
 * All else here is a CPU's own, written with interrupts off.
 */
#include <linux/cache.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/unistd.h>

#include "compat.h"
#include "off_cpu.h"
#include "slice_end.h"
#include "uapi/schedscope.h"

/* A request: the tid in the lower half, what follows in the upper. */
#define ASKED_BY_TICK	((u64)SCHEDSCOPE_SWITCH_TICK << 32)
#define ASKED_BY_WAKEUP	((u64)SCHEDSCOPE_SWITCH_WAKEUP << 32)
#define ASKED_BY_ANY	(ASKED_BY_TICK | ASKED_BY_WAKEUP)
/* By nobody that is known, and maybe by the wakeup whose end comes next. */
#define ASKED_BY_NOBODY	BIT_ULL(63)

/**
 * struct cpu_asked - what is known of one CPU
 * @asked: the request that is open
 * @running: thread on this CPU, NULL before its first switch
 * @waking: thread whose wakeup began here and has not ended here: a key, never
 *	followed, since it may be long gone
 * @waking_tid: its tid
 * @waking_cpu: CPU that it was on last; where the kernel tells, the one chosen since
 * @waking_began_clear: nobody had asked there before
 * @timer_began_clear: nobody had asked here before the timer interrupt
 * @in_timer: this CPU is in the timer interrupt
 */
struct cpu_asked {
	u64 asked;
	struct task_struct *running;
	struct task_struct *waking;
	u32 waking_tid;
	int waking_cpu;
	bool waking_began_clear;
	bool timer_began_clear;
	bool in_timer;
};

static DEFINE_PER_CPU_ALIGNED(struct cpu_asked, cpu_asked);

static bool kernel_tells __ro_after_init;

static struct cpu_asked *asked_of(int cpu)
{
	return per_cpu_ptr(&cpu_asked, cpu);
}

static void ask(struct cpu_asked *target, u64 asked)
{
	WRITE_ONCE(target->asked, asked);
}

static void ask_by_wakeup(struct cpu_asked *target, u32 tid)
{
	ask(target, ASKED_BY_WAKEUP | tid);
}

/*
 * Whether the thread on @cpu needs a reschedule. The run queues are the
 * scheduler's own, so the switch probe keeps who runs where. That thread may
 * be leaving just now, which makes this a hint, but it is not freed: the kernel
 * drops its reference after its last switch, through RCU, and we are called
 * with preemption off. So the switch probe is the last to be detached.
 */
static bool cpu_needs_resched(int cpu)
{
	struct task_struct *running;

	if (cpu == smp_processor_id())
		return compat_needs_resched(current);
	running = READ_ONCE(asked_of(cpu)->running);
	return running && compat_needs_resched(running);
}

/**
 * slice_end_waking() - a wakeup begins on this CPU
 * @task: thread that is woken
 *
 * Context: preemption is off; interrupts, too, unless @task is current.
 */
void slice_end_waking(struct task_struct *task)
{
	struct cpu_asked *here = this_cpu_ptr(&cpu_asked);
	int cpu = task_cpu(task);

	here->waking = task;
	here->waking_tid = task->pid;
	here->waking_cpu = cpu;
	if (kernel_tells)
		return;
	here->waking_began_clear = !cpu_needs_resched(cpu);
	/* In the timer interrupt: what is set by now, and by no wakeup, is the tick's. */
	if (here->in_timer && here->timer_began_clear &&
	    !(READ_ONCE(here->asked) & ASKED_BY_ANY) && compat_needs_resched(current))
		ask(here, ASKED_BY_TICK);
}

/**
 * slice_end_woken() - a wakeup ends on this CPU
 * @task: thread that is runnable now
 *
 * A wakeup may begin on one CPU and end on the one that the thread is to run
 * on, in an interrupt that the first has sent. There the kernel asks before it
 * says who is woken.
 *
 * Context: as slice_end_waking().
 */
void slice_end_woken(struct task_struct *task)
{
	struct cpu_asked *here = this_cpu_ptr(&cpu_asked);
	bool began_here = here->waking == task;
	int cpu = task_cpu(task);
	struct cpu_asked *target = asked_of(cpu);
	bool began_clear;

	here->waking = NULL;
	if (kernel_tells) {
		if (!began_here && target == here && READ_ONCE(here->asked) & ASKED_BY_NOBODY)
			ask_by_wakeup(here, task->pid);
		return;
	}
	/* Woken elsewhere than it last was: all that is known is who asked there before. */
	if (began_here && cpu == here->waking_cpu)
		began_clear = here->waking_began_clear;
	else
		began_clear = !(READ_ONCE(target->asked) & ASKED_BY_ANY);
	if (began_clear && cpu_needs_resched(cpu))
		ask_by_wakeup(target, task->pid);
}

/**
 * slice_end_timer_entry() - the timer interrupt begins
 *
 * Context: hard interrupt. A wakeup has interrupts off while it is in progress:
 * one that is left here was sent on to another CPU.
 */
void slice_end_timer_entry(void)
{
	struct cpu_asked *here = this_cpu_ptr(&cpu_asked);
	u64 asked = READ_ONCE(here->asked);

	here->waking = NULL;
	here->in_timer = true;
	here->timer_began_clear = !compat_needs_resched(current);
	/* But for a request that another CPU makes at this moment. */
	if (here->timer_began_clear && asked)
		cmpxchg(&here->asked, asked, 0);
}

/**
 * slice_end_timer_exit() - the timer interrupt ends
 *
 * Context: hard interrupt.
 */
void slice_end_timer_exit(void)
{
	struct cpu_asked *here = this_cpu_ptr(&cpu_asked);

	if (!kernel_tells && here->timer_began_clear &&
	    !(READ_ONCE(here->asked) & ASKED_BY_ANY) && compat_needs_resched(current))
		ask(here, ASKED_BY_TICK);
	here->in_timer = false;
}

/**
 * slice_end_migrated() - a thread is put on another CPU
 * @task: thread
 * @cpu: the other CPU
 *
 * Context: @task->pi_lock or its run queue's lock is held, interrupts are off.
 */
void slice_end_migrated(struct task_struct *task, int cpu)
{
	struct cpu_asked *here = this_cpu_ptr(&cpu_asked);

	/* Else need_resched is read again where it was read when the wakeup began. */
	if (kernel_tells && here->waking == task)
		here->waking_cpu = cpu;
}

/**
 * slice_end_asked() - the kernel says that it asks, before it does
 * @task: thread that is to leave
 * @cpu: its CPU
 *
 * It asks twice where preemption is lazy: a wakeup, or the tick, that may wait,
 * and then the next tick, which may not. The first has ended the slice.
 *
 * Context: the run queue of @cpu is locked, interrupts are off.
 */
void slice_end_asked(struct task_struct *task, int cpu)
{
	struct cpu_asked *here = this_cpu_ptr(&cpu_asked);
	struct cpu_asked *target = asked_of(cpu);

	if (compat_needs_resched(task))
		return;

	/* A wakeup that is in progress asks only for where its thread is to run. */
	if (here->waking && here->waking_cpu == cpu)
		ask_by_wakeup(target, here->waking_tid);
	else if (here->in_timer)
		ask(target, ASKED_BY_TICK);
	else
		ask(target, ASKED_BY_NOBODY);
}

static bool in_sched_yield(struct task_struct *prev)
{
	struct off_cpu_call call = off_cpu_call(prev);

	return !call.compat && call.number == __NR_sched_yield;
}

/**
 * slice_end_switch() - take what is known of the slice that ends now
 * @preempt: @prev was preempted in the kernel
 * @prev: thread that leaves, current
 * @next: thread that takes over
 * @prev_state: state of @prev, as given to the tracepoint
 *
 * To be called once a switch: it is forgotten then.
 *
 * Context: this CPU's run queue is locked, interrupts are off.
 */
struct slice_end slice_end_switch(bool preempt, struct task_struct *prev,
				  struct task_struct *next, unsigned int prev_state)
{
	struct cpu_asked *here = this_cpu_ptr(&cpu_asked);
	struct slice_end end = { .flags = preempt ? SCHEDSCOPE_SWITCH_PREEMPT : 0 };
	u64 asked = READ_ONCE(here->asked);

	here->waking = NULL;
	WRITE_ONCE(here->running, next);
	if (asked)
		ask(here, 0);
	if (!prev->pid || (prev_state && !preempt))
		return end;

	end.flags |= (asked & ASKED_BY_ANY) >> 32;
	end.resched_tid = (u32)asked;
	if (!preempt && in_sched_yield(prev))
		end.flags |= SCHEDSCOPE_SWITCH_YIELD;
	if (compat_quota_used(prev))
		end.flags |= SCHEDSCOPE_SWITCH_THROTTLED;
	return end;
}

/**
 * slice_end_in_timer() - this CPU is in the timer interrupt
 */
bool slice_end_in_timer(void)
{
	return this_cpu_read(cpu_asked.in_timer);
}

/**
 * slice_end_init() - before the probes
 * @tells: the kernel has sched_set_need_resched_tp
 */
void __init slice_end_init(bool tells)
{
	kernel_tells = tells;
}
