/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few fields of the kernel's structures that the probes read. CO-RE finds
 * them by name in the running kernel's BTF, so this says which fields, not where
 * they are, and no kernel's generated header is needed to build.
 */
#ifndef _SCHEDSCOPE_KERNEL_TYPES_BPF_H
#define _SCHEDSCOPE_KERNEL_TYPES_BPF_H

#include <linux/types.h>
#include <stdbool.h>

#define TASK_DEAD		0x80
#define TASK_FLAG_KTHREAD	0x00200000 /* PF_KTHREAD */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct thread_info {
	unsigned long flags;
	__u32 cpu;
};

struct sched_entity {
	__u64 exec_start;
	__u64 sum_exec_runtime;
	__u64 slice; /* from 6.6; see nominal_slice() */
};

struct sched_dl_entity {
	__u64 dl_runtime;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	unsigned int flags;
	/* int, and u8 from 7.x on: libbpf fits the load to the size where both are unsigned */
	unsigned int on_cpu;
	unsigned int on_rq;
	int prio;
	int static_prio;
	unsigned int policy;
	int pid;
	int tgid;
	struct sched_entity se;
	struct sched_dl_entity dl;
	struct task_struct *real_parent;
	struct css_set *cgroups;
	unsigned long nvcsw;
	unsigned long nivcsw;
	__u64 start_time;
	char comm[16];
	bool throttled; /* from 6.18; see quota_used() */
};

struct pt_regs {
	unsigned long ax;
	unsigned long orig_ax;
};

struct linux_binprm;
struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

#endif
