// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long slices were, and how long those that came next had been in this CPU's run queue, by
 * class: counted where it happens, and nothing else. Since when a task is in the queue, the
 * scheduler has noted in it, by the run queue's clock: no map is looked up by task, and no wakeup
 * is seen. A task of any class has a place in its CPU's fair queues, and so the way to its clock:
 * not all kernels tell programs where the run queues are.
 *
 * Called with the run queue locked and interrupts off: what is counted is this CPU's alone.
 */
#include "kernel_types.bpf.h"

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "uapi/schedscope.h"

char LICENSE[] SEC("license") = "GPL";

struct tally {
	__u64 count;
	__u64 sum_ns;
	__u64 max_ns;
	__u64 hist[SCHEDSCOPE_HIST_BUCKETS];
};

struct cpu_tally {
	__u64 switched; /* when, the last time; 0: not yet */
	struct tally of[SCHEDSCOPE_TALLIES][SCHEDSCOPE_CLASSES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_tally);
} tallies SEC(".maps");

/* By powers of two, as the ledger's. */
static __always_inline __u32 bucket_of(__u64 ns)
{
	__u32 bucket = 0;

	if (ns >> 32) {
		ns >>= 32;
		bucket += 32;
	}
	if (ns >> 16) {
		ns >>= 16;
		bucket += 16;
	}
	if (ns >> 8) {
		ns >>= 8;
		bucket += 8;
	}
	if (ns >> 4) {
		ns >>= 4;
		bucket += 4;
	}
	if (ns >> 2) {
		ns >>= 2;
		bucket += 2;
	}
	bucket += ns >> 1;
	return bucket < SCHEDSCOPE_HIST_BUCKETS ? bucket : SCHEDSCOPE_HIST_BUCKETS - 1;
}

static __always_inline __u32 class_of(int prio)
{
	if (prio < 0)
		return SCHEDSCOPE_CLASS_DEADLINE;
	return prio < 100 ? SCHEDSCOPE_CLASS_REALTIME : SCHEDSCOPE_CLASS_FAIR;
}

static __always_inline void count(struct tally *tally, __u64 ns)
{
	__u32 bucket = bucket_of(ns);

	tally->count++;
	tally->sum_ns += ns;
	if (ns > tally->max_ns)
		tally->max_ns = ns;
	if (bucket < SCHEDSCOPE_HIST_BUCKETS)
		tally->hist[bucket]++;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct cpu_tally *here;
	__u64 now, since;
	__u32 key = 0;

	here = bpf_map_lookup_elem(&tallies, &key);
	if (!here)
		return 0;
	now = (prev->pid ? prev : next)->se.cfs_rq->rq->clock;
	since = here->switched;
	here->switched = now;
	/* Not by the task's own note: who was preempted on its way to sleep gets no new one. */
	if (prev->pid && since)
		count(&here->of[SCHEDSCOPE_TALLY_SLICE][class_of(prev->prio)],
		      now > since ? now - since : 0);
	since = next->sched_info.last_queued;
	if (next->pid && since)
		count(&here->of[SCHEDSCOPE_TALLY_QUEUED][class_of(next->prio)],
		      now > since ? now - since : 0);
	return 0;
}
