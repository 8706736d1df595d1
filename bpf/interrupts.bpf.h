/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Time that interrupts take out of slices, summed per CPU and sent where a slice ends: a record
 * for each interrupt would cost more than many of them take.
 *
 * A hard interrupt upon a softirq counts as hard, and the softirq's clock stands meanwhile, so
 * that no ns is in both. Hard ones nest where a handler demultiplexes: the outermost counts. A
 * softirq in ksoftirqd is that thread's own running; on PREEMPT_RT all are some thread's, and the
 * agent leaves those two programs out.
 *
 * Programs of a hard interrupt and of the switch run with interrupts off; those of a softirq may
 * be interrupted by either at any instruction, which is what the order of their stores is for.
 */
#ifndef _SCHEDSCOPE_INTERRUPTS_BPF_H
#define _SCHEDSCOPE_INTERRUPTS_BPF_H

#include "filter.bpf.h"
#include "here.bpf.h"
#include <bpf/bpf_tracing.h>

const volatile bool interrupts_wanted = false;

/* A slice that goes on is told of after so long, with its next interrupt. */
#define INTERRUPTS_TOLD_EVERY_NS	1000000000ULL

/* Of a CPU. */
struct interrupt_state {
	__u64 hard_ns;
	__u64 soft_ns;
	__u64 hard_begin_ns;
	__u64 soft_begin_ns; /* 0: in none, or its program has not come to it yet */
	__u64 since_ns;	     /* what is summed here is from then on */
	__u32 hard_count;
	__u32 soft_count;
	__u32 hard_depth;
	__u32 in_soft;
	__u32 tid; /* who runs; SCHEDSCOPE_TID_NONE before the first switch */
	__u32 unused;
} __attribute__((aligned(128)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_CPUS); /* likewise */
	__type(key, __u32);
	__type(value, struct interrupt_state);
} interrupt_states SEC(".maps");

static __always_inline struct interrupt_state *interrupts_here(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return recording ? bpf_map_lookup_elem(&interrupt_states, &cpu) : NULL;
}

static __always_inline void send_interrupts(const struct here *here,
					    const struct interrupt_state *state, __u32 tid,
					    __u16 flags)
{
	struct schedscope_interrupts *rec =
		reserve_here(here, SCHEDSCOPE_REC_INTERRUPTS, sizeof(*rec));

	if (!rec)
		return;
	rec->rec.flags = flags;
	rec->hard_ns = state->hard_ns;
	rec->soft_ns = state->soft_ns;
	rec->for_ns = here->now - state->since_ns;
	rec->tid = tid;
	rec->of_cpu = here->cpu;
	rec->hard_count = state->hard_count;
	rec->soft_count = state->soft_count;
	submit(rec);
}

static __always_inline void sum_anew(struct interrupt_state *state, __u64 now, __u32 tid)
{
	state->hard_ns = 0;
	state->soft_ns = 0;
	state->hard_count = 0;
	state->soft_count = 0;
	state->since_ns = now;
	state->tid = tid;
}

/* At a switch, which no interrupt is in the way of: an exit that was not seen is over. */
static __always_inline void interrupts_at_switch(const struct here *here, __u32 prev_tid,
						 __u32 next_tid, bool selected)
{
	struct interrupt_state *state;

	if (!interrupts_wanted)
		return;
	state = bpf_map_lookup_elem(&interrupt_states, &here->cpu);
	if (!state)
		return;
	if (selected && (state->hard_count || state->soft_count))
		send_interrupts(here, state, prev_tid, 0);
	sum_anew(state, here->now, next_tid);
	state->hard_depth = 0;
	state->in_soft = 0;
}

/* Whoever has been on the CPU for long: what it lost so far. */
static __always_inline void tell_so_far(struct interrupt_state *state)
{
	__u32 tid = bpf_get_current_task_btf()->pid;
	struct here here;

	if (!get_here(&here))
		return;
	here.interruptible = false;
	if (is_selected(tid))
		send_interrupts(&here, state, tid, SCHEDSCOPE_INTERRUPTS_GOES_ON);
	sum_anew(state, here.now, tid);
}

static __always_inline int hard_begins(void)
{
	struct interrupt_state *state = interrupts_here();
	__u64 now;

	if (!state || state->hard_depth++)
		return 0;
	now = bpf_ktime_get_ns();
	state->hard_begin_ns = now;
	if (state->in_soft && state->soft_begin_ns)
		state->soft_ns += now - state->soft_begin_ns;
	return 0;
}

static __always_inline int hard_ends(void)
{
	struct interrupt_state *state = interrupts_here();
	__u64 now;

	/* Without its entry: it had begun before the recording. */
	if (!state || !state->hard_depth || --state->hard_depth)
		return 0;
	now = bpf_ktime_get_ns();
	state->hard_ns += now - state->hard_begin_ns;
	state->hard_count++;
	if (state->in_soft)
		state->soft_begin_ns = now;
	else if (now - state->since_ns > INTERRUPTS_TOLD_EVERY_NS)
		tell_so_far(state);
	return 0;
}

SEC("?tp_btf/irq_handler_entry")
int BPF_PROG(hard_begins_irq_handler)
{
	return hard_begins();
}

SEC("?tp_btf/irq_handler_exit")
int BPF_PROG(hard_ends_irq_handler)
{
	return hard_ends();
}

/* Interrupts of x86 that are no device's have tracepoints of their own, or none. */
#define VECTOR(name)						\
	SEC("?tp_btf/" #name "_entry")				\
	int BPF_PROG(hard_begins_##name)			\
	{							\
		return hard_begins();				\
	}							\
								\
	SEC("?tp_btf/" #name "_exit")				\
	int BPF_PROG(hard_ends_##name)				\
	{							\
		return hard_ends();				\
	}

VECTOR(local_timer)
VECTOR(reschedule)
VECTOR(call_function)
VECTOR(call_function_single)
VECTOR(irq_work)
VECTOR(x86_platform_ipi)
VECTOR(spurious_apic)
VECTOR(error_apic)
VECTOR(threshold_apic)
VECTOR(deferred_error_apic)
VECTOR(thermal_apic)

/* As the kernel itself tells them: of all kernel threads their names begin so alone. */
static __always_inline bool in_ksoftirqd(void)
{
	static const char name[8] = "ksoftirq";
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 i;

	if (!(task->flags & TASK_FLAG_KTHREAD))
		return false;
	for (i = 0; i < sizeof(name); i++) {
		if (task->comm[i] != name[i])
			return false;
	}
	return true;
}

SEC("?tp_btf/softirq_entry")
int BPF_PROG(soft_begins)
{
	struct interrupt_state *state = interrupts_here();

	if (!state || in_ksoftirqd())
		return 0;
	state->soft_begin_ns = 0;
	barrier();
	state->in_soft = 1;
	barrier();
	/* An interrupt from here on sets its own end as the begin: later than this clock. */
	__sync_val_compare_and_swap(&state->soft_begin_ns, 0, bpf_ktime_get_ns());
	return 0;
}

SEC("?tp_btf/softirq_exit")
int BPF_PROG(soft_ends)
{
	struct interrupt_state *state = interrupts_here();
	__u64 now, begin_ns;

	if (!state || !state->in_soft)
		return 0;
	now = bpf_ktime_get_ns();
	barrier();
	state->in_soft = 0;
	barrier();
	begin_ns = state->soft_begin_ns;
	/* Else an interrupt came after that clock, and has counted until then. */
	if (begin_ns && now > begin_ns)
		__sync_fetch_and_add(&state->soft_ns, now - begin_ns);
	__sync_fetch_and_add(&state->soft_count, 1);
	return 0;
}

#endif /* _SCHEDSCOPE_INTERRUPTS_BPF_H */
