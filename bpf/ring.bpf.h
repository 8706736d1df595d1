/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One ring per CPU, and the count of what did not fit.
 *
 * Every record that a probe wants to keep goes through reserve(): it is produced,
 * and then either kept or lost. The first record that fits after a loss is preceded
 * by a REC_LOST that says where the gap is.
 */
#ifndef _SCHEDSCOPE_RING_BPF_H
#define _SCHEDSCOPE_RING_BPF_H

#include "kernel_types.bpf.h"
#include "uapi/schedscope.h"
#include <bpf/bpf_helpers.h>

#define MAX_CPUS 4096 /* shrunk to the machine's before loading */

/*
 * What the probes know of a CPU: 128 bytes, as the agent reads it. Written by that CPU, but for the
 * two resched fields.
 */
struct cpu_state {
	/* totals since recording began */
	__u64 produced;
	__u64 lost;
	__u64 switches;
	__u64 seen_switches; /* also those that the filter leaves out */
	/* the gap that is not yet in the ring */
	__u64 gap_count;
	__u64 gap_begin_ns;
	__u64 gap_end_ns;
	__s64 clocks_apart_ns; /* clock_step.h */
	/* when current came in, 0 if that is not recorded, or what follows changes */
	__u64 in_ns;
	__u64 in_switches; /* the kernel's counters of it then */
	__u64 in_run_ns;
	/* slice_end.bpf.h */
	__u32 resched_cause;
	__u32 resched_tid;
	__u32 in_timer;
	__u32 waking_cpu;
	__u16 timer_began_clear;
	__u16 waking_began_clear;
	__u32 current_tid; /* of what `current` points to, when that was last looked at */
	__u64 waking;  /* struct task_struct * whose wakeup began here and has not ended here */
	__u64 current; /* struct task_struct * that this CPU runs, 0 before its first switch */
} __attribute__((aligned(128)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_CPUS);
	__type(key, __u32);
	__type(value, struct cpu_state);
} cpu_states SEC(".maps");

struct cpu_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* the agent makes the real ones */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_CPUS);
	__type(key, __u32);
	__array(values, struct cpu_ring);
} rings SEC(".maps");

/* The agent sets it once everything is attached, and clears it to stop. */
volatile bool recording = false;

static __always_inline struct cpu_state *cpu_state_of(__u32 cpu)
{
	return bpf_map_lookup_elem(&cpu_states, &cpu);
}

/*
 * Atomic, since a probe that runs with interrupts on (fork, exec, exit, rename) may
 * be interrupted by one that does not between the load and the store.
 */
static __always_inline void count_lost(struct cpu_state *state, __u64 now)
{
	__sync_fetch_and_add(&state->lost, 1);
	if (__sync_fetch_and_add(&state->gap_count, 1) == 0)
		state->gap_begin_ns = now;
	state->gap_end_ns = now;
}

static __always_inline void fill_header(struct schedscope_rec *rec, __u64 now, __u16 kind,
					__u16 size, __u32 cpu)
{
	rec->time_ns = now;
	rec->kind = kind;
	rec->size = size;
	rec->cpu = cpu;
	rec->flags = 0;
}

/* Puts the pending gap into the ring; false when not even that fits. */
static __always_inline bool mark_gap(void *ring, struct cpu_state *state, __u32 cpu)
{
	struct schedscope_lost *lost = bpf_ringbuf_reserve(ring, sizeof(*lost), 0);

	if (!lost)
		return false;
	lost->begin_ns = state->gap_begin_ns;
	lost->end_ns = state->gap_end_ns;
	lost->count = __sync_lock_test_and_set(&state->gap_count, 0);
	lost->cause = SCHEDSCOPE_LOST_RING_FULL;
	lost->tid = 0;
	fill_header(&lost->rec, lost->end_ns, SCHEDSCOPE_REC_LOST, sizeof(*lost), cpu);
	bpf_ringbuf_submit(lost, BPF_RB_NO_WAKEUP);
	return true;
}

/*
 * A locked addition costs as much as the rest of the count. With interrupts off it takes none:
 * nothing but a probe on the same CPU counts here.
 */
static __always_inline void count_produced(struct cpu_state *state, bool interruptible)
{
	if (interruptible)
		__sync_fetch_and_add(&state->produced, 1);
	else
		state->produced++;
}

/* The ring for one more record, which is counted as produced; NULL when it must be lost. */
static __always_inline void *ring_for_one(struct cpu_state *state, __u32 cpu, bool interruptible)
{
	void *ring = bpf_map_lookup_elem(&rings, &cpu);

	count_produced(state, interruptible);
	if (ring && state->gap_count && !mark_gap(ring, state, cpu))
		return NULL;
	return ring;
}

/*
 * Room for one record in this CPU's ring with its header filled in, or NULL, counted.
 * The caller submits with submit().
 */
static __always_inline void *reserve(struct cpu_state *state, __u32 cpu, __u64 now, __u16 kind,
				     __u64 size, bool interruptible)
{
	void *ring = ring_for_one(state, cpu, interruptible);
	void *rec = NULL;

	if (!ring)
		goto lost;
	rec = bpf_ringbuf_reserve(ring, size, 0);
	if (!rec)
		goto lost;
	fill_header(rec, now, kind, size, cpu);
	return rec;
lost:
	count_lost(state, now);
	return NULL;
}

/* A wakeup of the reader for each record would cost 50 times the record: it polls. */
static __always_inline void submit(void *rec)
{
	bpf_ringbuf_submit(rec, BPF_RB_NO_WAKEUP);
}

#endif
