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
#define TASK_INTERRUPTIBLE	0x1
#define TASK_FLAG_IO_WORKER	0x00000010 /* PF_IO_WORKER */
#define TASK_FLAG_USER_WORKER	0x00004000 /* PF_USER_WORKER, from 6.4 on; unused before */
#define TASK_FLAG_EXITING	0x00000004 /* PF_EXITING */
#define TASK_FLAG_KTHREAD	0x00200000 /* PF_KTHREAD */
#define THREAD_STATUS_COMPAT	0x2 /* TS_COMPAT: in a 32-bit system call */

/* Which number each has, the kernel says. */
enum cpuhp_state {
	CPUHP_BRINGUP_CPU,
	CPUHP_TEARDOWN_CPU,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct thread_info {
	unsigned long flags;
	__u32 status;
	__u32 cpu;
};

/* By the clock of the run queue: since when the task waits for a CPU; 0: it does not. */
struct sched_info {
	__u64 last_queued;
};

struct load_weight {
	unsigned long weight;
};

/* What of these two a kernel has, and under which name: see fair_fixes.bpf.h. */
struct cfs_rq;

struct sched_entity {
	struct load_weight load;
	struct load_weight h_load;
	unsigned int on_rq; /* u8 from 6.12 on, see on_cpu below */
	unsigned char sched_delayed;
	unsigned char rel_deadline;
	unsigned char custom_slice;
	__u64 exec_start;
	__u64 sum_exec_runtime;
	__u64 slice; /* from 6.6; see nominal_slice() */
	__u64 vruntime;
	__u64 deadline;
	__s64 vlag;
	__u64 vprot;
	struct cfs_rq *cfs_rq;
	struct sched_entity *parent; /* the group's, on the same CPU */
};

struct rq;

struct cfs_rq {
	__u64 min_vruntime;
	__u64 zero_vruntime;
	__s64 avg_vruntime;
	__s64 sum_w_vruntime;
	__u64 avg_load;
	__u64 sum_weight;
	unsigned int sum_shift;
	struct sched_entity *curr;
	struct sched_entity *h_curr;
	struct rq *rq;
};

struct rq {
	__u64 clock;
	struct cfs_rq cfs;
};

struct sched_dl_entity {
	__u64 dl_runtime;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[]; /* the root first; from 6.1 */
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct list_head {
	struct list_head *next;
};

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[]; /* of the first namespace, …, of its own: level + 1 of them */
};

#define KERNEL_PIDTYPE_TGID	1

struct signal_struct {
	struct list_head thread_head;
	struct pid *pids[4];
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
	struct pid *thread_pid;
	struct sched_entity se;
	struct sched_dl_entity dl;
	struct sched_info sched_info;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	__u64 self_exec_id;
	struct signal_struct *signal;
	struct list_head thread_node;
	struct css_set *cgroups;
	unsigned long nvcsw;
	unsigned long nivcsw;
	__u64 start_time;
	char comm[16];
	bool throttled; /* from 6.18 on; see task_throttled() */
};

struct pt_regs {
	unsigned long ax;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
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
