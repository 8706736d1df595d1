/* SPDX-License-Identifier: GPL-2.0-only */
/* Which threads are recorded. A child of one that is, is too. */
#ifndef _SCHEDSCOPE_FILTER_BPF_H
#define _SCHEDSCOPE_FILTER_BPF_H

#include "kernel_types.bpf.h"
#include <bpf/bpf_helpers.h>

const volatile bool filtering = false;

/* tid -> start_time, 0 when the agent selected it and any will do. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 17);
	__type(key, __u32);
	__type(value, __u64);
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
	return !filtering || bpf_map_lookup_elem(&selected_tids, &tid);
}

static __always_inline void select_child(struct task_struct *parent, struct task_struct *child)
{
	__u32 tid = child->pid;
	__u64 start = child->start_time;

	if (!filtering || !is_selected(parent->pid))
		return;
	if (bpf_map_update_elem(&selected_tids, &tid, &start, BPF_ANY))
		__sync_fetch_and_add(&selection_failed, 1);
}

/* At a thread's last switch, when its tid may already be a new thread's. */
static __always_inline void deselect(struct task_struct *task)
{
	__u32 tid = task->pid;
	__u64 *start;

	if (!filtering)
		return;
	start = bpf_map_lookup_elem(&selected_tids, &tid);
	if (start && (!*start || *start == task->start_time))
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

#endif
