/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From 7.2 on (commit a46023d5616e, "tracing: Guard __DECLARE_TRACE() use of __DO_TRACE_CALL() with
 * SRCU-fast") a program may be preempted where the kernel calls it with preemption on, and is then
 * left out for the next thread on that CPU. So there are two of each, called one after the other:
 * the second does it where the first was left out.
 */
#ifndef _SCHEDSCOPE_TWICE_BPF_H
#define _SCHEDSCOPE_TWICE_BPF_H

#include "ring.bpf.h"
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 12);
	__type(key, __u64);
	__type(value, __u8);
} done_by_first SEC(".maps");

/* Events that the second took for left out by the first, */
__u64 caught_by_second = 0;
/* and of those the ones that the first did, but found no room to say so: they are told twice. */
__u64 told_twice = 0;

#define EVENT_EXEC	1
#define EVENT_EXIT	2
#define EVENT_RENAME	3

static __always_inline __u64 event_key(__u8 event)
{
	return bpf_get_current_pid_tgid() << 8 | event;
}

static __always_inline void first_does(__u8 event)
{
	__u64 key = event_key(event);
	__u8 done = 1;

	if (bpf_map_update_elem(&done_by_first, &key, &done, BPF_ANY))
		__sync_fetch_and_add(&told_twice, 1);
}

static __always_inline bool left_to_second(__u8 event)
{
	__u64 key = event_key(event);

	if (!bpf_map_delete_elem(&done_by_first, &key) || !recording)
		return false;
	__sync_fetch_and_add(&caught_by_second, 1);
	return true;
}

#endif /* _SCHEDSCOPE_TWICE_BPF_H */
