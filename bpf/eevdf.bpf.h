/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a fair thread stands as it leaves a CPU and as it takes it: the kernel's virtual times.
 *
 * The switch is decided by then: the next thread is its queue's current one and out of the tree,
 * the one before, if it stays runnable or is kept for its lag, back in it.
 */
#ifndef _SCHEDSCOPE_EEVDF_BPF_H
#define _SCHEDSCOPE_EEVDF_BPF_H

#include "core_fixes.bpf.h"
#include "fair_fixes.bpf.h"
#include "filter.bpf.h"
#include "here.bpf.h"

const volatile bool eevdf_wanted = false;

#define LEAST_FAIR_PRIO	100
#define POLICY_EXT	7 /* of sched_ext */

/* Rounded down, as the kernel does. BPF divides unsigned numbers only. */
static __always_inline __s64 divided(__s64 sum, __u64 by)
{
	if (sum >= 0)
		return (__u64)sum / by;
	return -(__s64)(((__u64)-sum + by - 1) / by);
}

/* The kernel's avg_vruntime(): the sums are of the tree, which the current one is not in. */
static __always_inline __u64 average_of(const struct cfs_rq *queue)
{
	const struct sched_entity *curr = queue->curr;
	__u64 weights = sum_of_weights(queue);
	__u64 zero = zero_of(queue);
	__s64 sum = weighted_sum(queue);
	unsigned long weight;

	if (curr && curr->on_rq) {
		weight = summed_weight(queue, fair_weight(curr));
		sum += (__s64)(curr->vruntime - zero) * (__s64)weight;
		weights += weight;
	}
	return weights ? zero + divided(sum, weights) : zero;
}

static __always_inline __u16 fill_queue(struct schedscope_eevdf *rec, const struct cfs_rq *queue)
{
	if (!queue)
		return 0;
	if (!has_eevdf()) {
		rec->queue_vruntime = queue->min_vruntime;
		return SCHEDSCOPE_EEVDF_QUEUE;
	}
	rec->queue_vruntime = average_of(queue);
	return SCHEDSCOPE_EEVDF_QUEUE;
}

static __always_inline __u16 fill_lag(struct schedscope_eevdf *rec, const struct sched_entity *se,
				      __u16 flags)
{
	if (!has_eevdf())
		return se->on_rq ? 0 : SCHEDSCOPE_EEVDF_OFF_QUEUE;
	if (!se->on_rq) {
		rec->lag = se->vlag;
		return SCHEDSCOPE_EEVDF_LAG | SCHEDSCOPE_EEVDF_OFF_QUEUE;
	}
	if (!(flags & SCHEDSCOPE_EEVDF_QUEUE))
		return 0;
	rec->lag = rec->queue_vruntime - rec->vruntime;
	return SCHEDSCOPE_EEVDF_LAG;
}

static __always_inline __u16 fill_request(struct schedscope_eevdf *rec,
					  const struct sched_entity *se)
{
	__u16 flags = 0;

	if (has_deadline(se)) {
		rec->deadline = se->deadline;
		rec->slice_ns = se->slice;
		flags |= SCHEDSCOPE_EEVDF_DEADLINE;
	}
	if (has_protection(se)) {
		rec->protected_until = se->vprot;
		flags |= SCHEDSCOPE_EEVDF_PROTECTED;
	}
	if (has_custom_slice(se))
		flags |= SCHEDSCOPE_EEVDF_CUSTOM;
	if (is_delayed(se))
		flags |= SCHEDSCOPE_EEVDF_DELAYED;
	return flags;
}

static __always_inline void send_eevdf(const struct here *here, struct task_struct *task,
				       __u16 flags)
{
	struct schedscope_eevdf *rec = reserve_here(here, SCHEDSCOPE_REC_EEVDF, sizeof(*rec));
	struct sched_entity *se = &task->se;

	if (!rec)
		return;
	rec->vruntime = se->vruntime;
	rec->deadline = 0;
	rec->lag = 0;
	rec->protected_until = 0;
	rec->queue_vruntime = 0;
	rec->slice_ns = 0;
	rec->weight = fair_weight(se);
	rec->tid = task->pid;
	rec->reserved = 0;
	flags |= fill_queue(rec, queue_of(se));
	flags |= fill_lag(rec, se, flags);
	rec->rec.flags = flags | fill_request(rec, se);
	submit(rec);
}

/*
 * A runnable one that is in no queue is another class's (sched_ext runs those of all policies),
 * unless its group's quota has taken it out.
 */
static __always_inline bool is_fair(const struct task_struct *task, bool runnable)
{
	return task->pid && task->prio >= LEAST_FAIR_PRIO && task->policy != POLICY_EXT &&
	       (task->se.on_rq || !runnable || task_throttled(task));
}

static __always_inline void eevdf_at_switch(const struct here *here, struct task_struct *prev,
					    struct task_struct *next, bool selected, bool runnable)
{
	if (!eevdf_wanted)
		return;
	if (selected && is_fair(prev, runnable))
		send_eevdf(here, prev, 0);
	if (is_fair(next, true) && is_selected(next->pid))
		send_eevdf(here, next, SCHEDSCOPE_EEVDF_IN);
}

#endif /* _SCHEDSCOPE_EEVDF_BPF_H */
