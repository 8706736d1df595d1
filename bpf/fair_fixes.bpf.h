/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fair scheduler's state: one function per difference between kernels, with the change that
 * made it. Stable kernels have some of these changes, too, so each field is asked for by itself.
 * With the run queue locked, as at a switch.
 */
#ifndef _SCHEDSCOPE_FAIR_FIXES_BPF_H
#define _SCHEDSCOPE_FAIR_FIXES_BPF_H

#include "kernel_types.bpf.h"
#include <bpf/bpf_core_read.h>

#define NICE_0_LOAD	(1UL << 20)

/* CFS before commit 147f3efaa241 ("sched/fair: Implement an EEVDF-like scheduling policy", 6.6). */
static __always_inline bool has_eevdf(void)
{
	return bpf_core_field_exists(((struct sched_entity *)0)->deadline);
}

/*
 * Where a thread's entity is queued: with its group's, until 7.3 made one queue of all threads of
 * a CPU (h_curr is the group's from then on: sched/eevdf's flat pick).
 */
static __always_inline struct cfs_rq *queue_of(struct sched_entity *se)
{
	if (!bpf_core_field_exists(se->cfs_rq))
		return NULL; /* a kernel without groups */
	if (bpf_core_field_exists(((struct cfs_rq *)0)->h_curr))
		return &se->cfs_rq->rq->cfs;
	return se->cfs_rq;
}

/* What its vruntime is scaled by: likewise, its share of the whole CPU from 7.3 on. */
static __always_inline unsigned long fair_weight(const struct sched_entity *se)
{
	return bpf_core_field_exists(se->h_load) ? se->h_load.weight : se->load.weight;
}

/*
 * The weight that counts in a queue's sums: in full since commit 4823725d9d1d ("sched/fair:
 * Increase weight bits for avg_vruntime", 7.1), shifted where that would overflow.
 */
static __always_inline unsigned long summed_weight(const struct cfs_rq *queue, unsigned long weight)
{
	unsigned int shift = 10;

	if (bpf_core_field_exists(queue->sum_shift))
		shift = queue->sum_shift;
	if (!shift || !weight)
		return weight;
	weight >>= shift & 63;
	return weight < 2 ? 2 : weight;
}

/* Commit dcbc9d3f0e59 ("sched/fair: Rename cfs_rq::avg_vruntime to ::sum_w_vruntime", 7.0). */
static __always_inline __s64 weighted_sum(const struct cfs_rq *queue)
{
	return bpf_core_field_exists(queue->sum_w_vruntime) ? queue->sum_w_vruntime :
							       queue->avg_vruntime;
}

/* Commit 4ff674fa986c ("sched/fair: Rename cfs_rq::avg_load to cfs_rq::sum_weight", 7.0). */
static __always_inline __u64 sum_of_weights(const struct cfs_rq *queue)
{
	return bpf_core_field_exists(queue->sum_weight) ? queue->sum_weight : queue->avg_load;
}

/*
 * What the sums are relative to: no longer the least of all since commit 79f3f9bedd14
 * ("sched/eevdf: Fix min_vruntime vs avg_vruntime", 6.19).
 */
static __always_inline __u64 zero_of(const struct cfs_rq *queue)
{
	return bpf_core_field_exists(queue->zero_vruntime) ? queue->zero_vruntime :
							     queue->min_vruntime;
}

/*
 * Until when it is protected. Before 6.17 a copy of the deadline in vlag stood for that, and
 * could not be told from a lag. It shares its place with vlag until "sched/fair: Separate se->vlag
 * from se->vprot" (7.0): only what is in the queue has it.
 */
static __always_inline bool has_protection(const struct sched_entity *se)
{
	return bpf_core_field_exists(se->vprot) && se->on_rq;
}

/* 6.12, commit 857b158dc5e8 ("sched/eevdf: Use sched_attr::sched_runtime to set request/slice"). */
static __always_inline bool has_custom_slice(const struct sched_entity *se)
{
	return bpf_core_field_exists(se->custom_slice) && se->custom_slice;
}

/* 6.12, commit 152e11f6df29 ("sched/fair: Implement delayed dequeue"). */
static __always_inline bool is_delayed(const struct sched_entity *se)
{
	return bpf_core_field_exists(se->sched_delayed) && se->sched_delayed;
}

/* 6.12, commit 82e9d0456e06 ("sched/fair: Avoid re-setting virtual deadline on 'migrations'"). */
static __always_inline bool has_deadline(const struct sched_entity *se)
{
	return has_eevdf() && !(bpf_core_field_exists(se->rel_deadline) && se->rel_deadline);
}

#endif /* _SCHEDSCOPE_FAIR_FIXES_BPF_H */
