/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which threads are recorded: those that have a reason to be. A thread may have several, and may
 * lose one: it is selected as long as it has any.
 */
#ifndef _SCHEDSCOPE_FILTER_BPF_H
#define _SCHEDSCOPE_FILTER_BPF_H

#include "kernel_types.bpf.h"
#include "rules.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define SELECTED_BY_ID		(1 << 0) /* named by the agent, or made by such a one */
#define SELECTED_BY_CGROUP	(1 << 1) /* as long as it is in a cgroup of the rules */
#define SELECTED_BY_COMM	(1 << 2) /* as long as its name matches one */
#define SELECTED_BY_ANY		(SELECTED_BY_ID | SELECTED_BY_CGROUP | SELECTED_BY_COMM)

const volatile bool filtering = false;

struct selection {
	__u64 start_ns; /* start_time, 0 when the agent selected it and any will do */
	__u32 reasons;	/* SELECTED_BY_*; 0: it had one */
	__u32 unused;
};

/* By tid. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 17);
	__type(key, __u32);
	__type(value, struct selection);
} selected_tids SEC(".maps");

/* Neighbours of recorded threads whose identity was sent; tid -> start_time. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 14);
	__type(key, __u32);
	__type(value, __u64);
} introduced_tids SEC(".maps");

/* Threads that could not be selected because the map was full: counted, so never silent. */
__u64 selection_failed = 0;

static __always_inline bool is_selected(__u32 tid)
{
	struct selection *known;

	if (!filtering)
		return true;
	known = bpf_map_lookup_elem(&selected_tids, &tid);
	return known && known->reasons;
}

static __always_inline void select_for(__u32 tid, __u64 start_ns, __u32 reasons)
{
	struct selection fresh = { .start_ns = start_ns, .reasons = reasons };

	if (bpf_map_update_elem(&selected_tids, &tid, &fresh, BPF_ANY))
		__sync_fetch_and_add(&selection_failed, 1);
}

/*
 * Gives a thread a reason to be recorded, or takes it away; whether it is now recorded and was not
 * before, or the other way round. Atomic, since different events tell of different reasons.
 */
static __always_inline bool set_reason(__u32 tid, __u64 start_ns, __u32 reason, bool holds)
{
	struct selection *known = bpf_map_lookup_elem(&selected_tids, &tid);
	__u32 before;

	if (!known || (known->start_ns && known->start_ns != start_ns)) {
		if (holds)
			select_for(tid, start_ns, reason);
		return holds;
	}
	if (holds) {
		before = __sync_fetch_and_or(&known->reasons, reason);
		return !before;
	}
	before = __sync_fetch_and_and(&known->reasons, ~reason);
	return before && !(before & ~reason);
}

/* A new thread has its maker's reason, if that is one to inherit, and those of the rules. */
static __always_inline void select_child(struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tid = parent->pid;
	__u32 child_tid = child->pid;
	struct selection *known;
	__u32 reasons;

	if (!filtering)
		return;
	known = bpf_map_lookup_elem(&selected_tids, &parent_tid);
	reasons = known ? known->reasons & SELECTED_BY_ID : 0;
	if (in_selected_cgroup(child))
		reasons |= SELECTED_BY_CGROUP;
	if (has_selected_comm(child->comm))
		reasons |= SELECTED_BY_COMM;
	if (reasons) {
		select_for(child->pid, child->start_time, reasons);
		return;
	}
	/* Of a thread that had the tid before, and whose last switch was not met. */
	known = bpf_map_lookup_elem(&selected_tids, &child_tid);
	if (known && known->start_ns && known->start_ns != child->start_time)
		bpf_map_delete_elem(&selected_tids, &child_tid);
}

/*
 * A thread that calls execve and is not its group's leader has taken the leader's tid and start
 * time, and the leader its tid: both keep their reasons. May be called again: an entry of the
 * caller's tid that has the leader's start time is the leader's.
 */
static __always_inline void exchange_reasons(__u32 old_tid, __u32 tid, __u64 start_ns, __u32 which)
{
	struct selection *caller, *leader;
	__u32 callers, leaders;

	if (!filtering || old_tid == tid)
		return;
	caller = bpf_map_lookup_elem(&selected_tids, &old_tid);
	if (caller && caller->start_ns == start_ns)
		return;
	leader = bpf_map_lookup_elem(&selected_tids, &tid);
	callers = caller ? caller->reasons & which : 0;
	leaders = leader ? leader->reasons : 0;
	if (callers)
		set_reason(tid, start_ns, callers, true);
	if (caller || leaders)
		select_for(old_tid, start_ns, leaders);
}

/*
 * The walk at the start: who the rules select of those that are there. Events go on meanwhile:
 * a move that this reading missed is told of after it was made, hence the second look. (A name
 * is told of before it is made. One that changes just here may keep what its old name gave it.)
 */
static __always_inline void select_by_rules(struct task_struct *task)
{
	bool is_in = in_selected_cgroup(task);

	if (is_in) {
		set_reason(task->pid, task->start_time, SELECTED_BY_CGROUP, true);
		if (!in_selected_cgroup(task))
			set_reason(task->pid, task->start_time, SELECTED_BY_CGROUP, false);
	}
	if (has_selected_comm(task->comm))
		set_reason(task->pid, task->start_time, SELECTED_BY_COMM, true);
}

/* At a thread's last switch, when its tid may already be a new thread's. */
static __always_inline void deselect(struct task_struct *task, __u32 tid)
{
	struct selection *known;

	if (!filtering)
		return;
	known = bpf_map_lookup_elem(&selected_tids, &tid);
	if (known && (!known->start_ns || known->start_ns == task->start_time))
		bpf_map_delete_elem(&selected_tids, &tid);
}

/* Whether a neighbour's identity has still to be sent. */
static __always_inline bool needs_introduction(struct task_struct *task)
{
	__u32 tid = task->pid;
	__u64 start = task->start_time;
	__u64 *known;

	if (!tid || is_selected(tid))
		return false;
	known = bpf_map_lookup_elem(&introduced_tids, &tid);
	if (known && *known == start)
		return false;
	/* A failure means that it is sent again: no loss. */
	bpf_map_update_elem(&introduced_tids, &tid, &start, BPF_ANY);
	return true;
}

/* There was no room for it. */
static __always_inline void introduction_failed(struct task_struct *task)
{
	__u32 tid = task->pid;

	bpf_map_delete_elem(&introduced_tids, &tid);
}

#endif
