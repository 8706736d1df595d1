/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules that select threads for as long as they hold: by cgroup and by name. Each is judged where
 * a thread may come to match it or cease to: at its birth, its move, its renaming.
 */
#ifndef _SCHEDSCOPE_RULES_BPF_H
#define _SCHEDSCOPE_RULES_BPF_H

#include "kernel_types.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

const volatile bool selects_cgroups = false;
const volatile __u32 comm_glob_count = 0;

/* The ids of cgroups whose threads are recorded, and those of the cgroups below them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u8);
} selected_cgroups SEC(".maps");

/*
 * A glob as a bit-parallel automaton: bit i of a state stands for "the first i of its characters,
 * stars left out, are matched". userspace/collect/comm_glob.h makes it.
 */
struct comm_glob {
	__u32 stars;	     /* where any character leaves the state as it is */
	__u32 matched;	     /* the one bit of a whole match */
	__u32 accepts[256];  /* by character: the bits that it takes on to the next */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct comm_glob);
} comm_globs SEC(".maps");

struct cgroup_search {
	struct cgroup *cgroup;
	bool found;
};

static __always_inline __u64 cgroup_id_of(struct cgroup *cgroup)
{
	return BPF_CORE_READ(cgroup, kn, id);
}

static long look_at_ancestor(__u32 level, struct cgroup_search *search)
{
	struct cgroup **ancestors = (void *)search->cgroup +
				    bpf_core_field_offset(struct cgroup, ancestors);
	struct cgroup *ancestor = NULL;
	__u64 id;

	bpf_probe_read_kernel(&ancestor, sizeof(ancestor), ancestors + level);
	id = cgroup_id_of(ancestor);
	search->found = bpf_map_lookup_elem(&selected_cgroups, &id);
	return search->found;
}

static __always_inline bool in_selected_cgroup(struct task_struct *task)
{
	struct cgroup *cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	struct cgroup_search search = { .cgroup = cgroup };

	if (!selects_cgroups)
		return false;
	/* It is the last one of its own ancestors. */
	bpf_loop(BPF_CORE_READ(cgroup, level) + 1, look_at_ancestor, &search, 0);
	return search.found;
}

struct comm_search {
	__u8 comm[SCHEDSCOPE_COMM_LEN];
	bool found;
};

static long look_at_glob(__u32 index, struct comm_search *search)
{
	const struct comm_glob *glob = bpf_map_lookup_elem(&comm_globs, &index);
	__u32 state = 1;
	int i;

	if (!glob)
		return 1;
	for (i = 0; i < SCHEDSCOPE_COMM_LEN && search->comm[i]; i++)
		state = (state & glob->accepts[search->comm[i]]) << 1 | (state & glob->stars);
	search->found = state & glob->matched;
	return search->found;
}

static __always_inline bool has_selected_comm(const char *comm)
{
	struct comm_search search = {};

	if (!comm_glob_count)
		return false;
	bpf_probe_read_kernel_str(search.comm, sizeof(search.comm), comm);
	bpf_loop(comm_glob_count, look_at_glob, &search, 0);
	return search.found;
}

#endif
