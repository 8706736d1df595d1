// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long slices were, and how long those that came next had been in this CPU's run queue, by
 * class: counted where it happens, and nothing else. Both times are the scheduler's own, which has
 * noted them in the tasks, by the run queue's clock: no map is looked up by task, and no wakeup is
 * seen. A task of any class has a place in its CPU's fair queues, and so the way to its clock: not
 * all kernels tell programs where the run queues are.
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

#define HALVE(bits)			\
	if (ns >> (bits)) {		\
		ns >>= (bits);		\
		bucket += (bits);	\
	}
	HALVE(32)
	HALVE(16)
	HALVE(8)
	HALVE(4)
	HALVE(2)
	HALVE(1)
#undef HALVE
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
	since = prev->sched_info.last_arrival;
	if (prev->pid && since)
		count(&here->of[SCHEDSCOPE_TALLY_SLICE][class_of(prev->prio)],
		      now > since ? now - since : 0);
	since = next->sched_info.last_queued;
	if (next->pid && since)
		count(&here->of[SCHEDSCOPE_TALLY_QUEUED][class_of(next->prio)],
		      now > since ? now - since : 0);
	return 0;
}
