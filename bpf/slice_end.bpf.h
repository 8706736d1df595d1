/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why the scheduler was asked to take a running thread off its CPU.
 *
 * The kernel asks by setting need_resched on the running thread. It is read before and
 * after each wakeup and each timer interrupt, and who found it clear and left it set has
 * asked. A request that ends with the same thread going on shows nowhere, so "clear
 * before" is what keeps an old request from being taken for a new one.
 *
 * From 6.17 on kernels say it themselves (sched_set_need_resched_tp), but not to BPF: there
 * every program runs in an RCU read section, whose end may itself ask for a reschedule
 * (rcu_read_unlock_special(), with CONFIG_PREEMPT_RCU), before it has noted that it has: the
 * program is called again, and so on, until the stack is used up. Debian's 7.3 dies of it
 * within seconds. The module's probe has no such section, and uses it.
 */
#ifndef _SCHEDSCOPE_SLICE_END_BPF_H
#define _SCHEDSCOPE_SLICE_END_BPF_H

#include "core_fixes.bpf.h"
#include "kernel_types.bpf.h"
#include "off_cpu.bpf.h"
#include "ring.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Set by the agent: which flags of a thread are a request. */
const volatile unsigned long need_resched_flags = 0;

static __always_inline bool current_needs_resched(void)
{
	struct task_struct *current = bpf_get_current_task_btf();

	return current->thread_info.flags & need_resched_flags;
}

/*
 * The thread on @cpu needs a reschedule. A kernel's run queues are not always found by
 * name, so the switch probe keeps who runs where; that thread may be leaving just now,
 * which makes this a hint.
 */
static __always_inline bool cpu_needs_resched(struct cpu_state *state, __u32 cpu)
{
	struct task_struct *task = (struct task_struct *)state->current;

	if (cpu == bpf_get_smp_processor_id())
		return current_needs_resched();
	return task && BPF_CORE_READ(task, thread_info.flags) & need_resched_flags;
}

static __always_inline void note_cause(struct cpu_state *state, __u32 cause, __u32 tid)
{
	state->resched_cause = cause;
	state->resched_tid = tid;
}

static __always_inline void wakeup_begins(struct cpu_state *state, struct task_struct *task)
{
	__u32 cpu = task->thread_info.cpu;
	struct cpu_state *target;

	state->waking = (__u64)task;
	target = cpu_state_of(cpu);
	state->waking_cpu = cpu;
	state->waking_began_clear = target && !cpu_needs_resched(target, cpu);
	/* In the timer interrupt: what is set by now, and by no wakeup, is the tick's. */
	if (state->in_timer && state->timer_began_clear && !state->resched_cause &&
	    current_needs_resched())
		note_cause(state, SCHEDSCOPE_SWITCH_TICK, 0);
}

/*
 * A wakeup may begin on one CPU and end on the one that the thread is to run on, in an
 * interrupt that the first has sent.
 */
static __always_inline void wakeup_ends(struct cpu_state *state, struct task_struct *task)
{
	__u32 cpu = task->thread_info.cpu;
	bool began_here = state->waking == (__u64)task;
	struct cpu_state *target;
	bool began_clear;

	state->waking = 0;
	target = cpu_state_of(cpu);
	if (!target)
		return;
	/* Woken elsewhere than it last was: all that is known is who asked there before. */
	began_clear = began_here && cpu == state->waking_cpu ? state->waking_began_clear :
							       !target->resched_cause;
	if (began_clear && cpu_needs_resched(target, cpu))
		note_cause(target, SCHEDSCOPE_SWITCH_WAKEUP, task->pid);
}

/*
 * Interrupts are off while a wakeup is in progress: none is on a CPU that takes the timer's or
 * that switches. One that is left was sent on to another CPU.
 */
static __always_inline void no_wakeup_here(struct cpu_state *state)
{
	state->waking = 0;
}

static __always_inline void timer_begins(struct cpu_state *state)
{
	no_wakeup_here(state);
	state->in_timer = 1;
	state->timer_began_clear = !current_needs_resched();
	if (state->timer_began_clear)
		note_cause(state, 0, 0);
}

static __always_inline void timer_ends(struct cpu_state *state)
{
	if (state->timer_began_clear && !state->resched_cause &&
	    current_needs_resched())
		note_cause(state, SCHEDSCOPE_SWITCH_TICK, 0);
	state->in_timer = 0;
}

static __always_inline bool in_sched_yield(struct task_struct *prev)
{
	struct syscall call;

	return get_syscall(prev, &call) && !call.compat && call.number == NR_SCHED_YIELD_X86_64;
}

/* Takes what is known of the slice that ends now, for the record's flags. */
static __always_inline __u16 take_cause(struct cpu_state *state, struct task_struct *prev,
					bool preempt, __u32 prev_state, __u32 *resched_tid)
{
	__u16 flags = preempt ? SCHEDSCOPE_SWITCH_PREEMPT : 0;

	no_wakeup_here(state);
	*resched_tid = 0;
	if (prev->pid && (preempt || !prev_state)) {
		flags |= state->resched_cause;
		if (state->resched_cause == SCHEDSCOPE_SWITCH_WAKEUP)
			*resched_tid = state->resched_tid;
		if (!preempt && in_sched_yield(prev))
			flags |= SCHEDSCOPE_SWITCH_YIELD;
		if (quota_used(prev))
			flags |= SCHEDSCOPE_SWITCH_THROTTLED;
	}
	note_cause(state, 0, 0);
	return flags;
}

#endif
