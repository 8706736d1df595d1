/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a thread goes to sleep: its stacks, in the kernel and outside.
 *
 * They go into the ring as they are, and the agent keeps each different one once. A map of stacks
 * (bpf_get_stackid) would make the record smaller, but it loses each stack whose hash falls on
 * another's, for as long as that is there, or, asked to, puts the wrong one in its place; and the
 * agent could not tell one process's addresses from another's.
 *
 * A user stack is walked by its frame pointers, as perf does, and only as far as its pages are in
 * memory. Which program its addresses are of say the process's start and its count of execve(2).
 */
#ifndef _SCHEDSCOPE_STACKS_BPF_H
#define _SCHEDSCOPE_STACKS_BPF_H

#include "here.bpf.h"
#include "off_cpu.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

const volatile bool with_stacks = false;

#define FRAMES_BYTES	(SCHEDSCOPE_STACK_FRAMES_MAX * sizeof(__u64))

#define SAMPLE_NO_USER_STACK	1 /* in its flags: it is the kernel's own thread */

/* In the ring in the place of a REC_STACK. Known to userspace/collect/stacks.h, too. */
struct stack_sample {
	struct schedscope_rec rec; /* its size is that of the frames, too */
	__u64 start_ns;	    /* of the process */
	__u32 tid;
	__u32 pid;
	__u32 exec_number;
	__u16 kernel_frames; /* 0: it could not be walked, or there is none */
	__u16 user_frames;
	__u64 frames[2 * SCHEDSCOPE_STACK_FRAMES_MAX]; /* the kernel's first; the innermost first */
};

/* A process as long as it runs one program. Known to userspace/collect/probes.cc, too. */
struct process_image {
	__u64 start_ns;
	__u64 exec_number;
};

/* A CPU's own: no switch is traced within another. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stack_sample);
} stack_samples SEC(".maps");

/* Bytes of frames at @frames; 0 when it cannot be walked. */
static __always_inline __u64 walk_stack(void *ctx, void *frames, __u64 flags)
{
	long bytes = bpf_get_stack(ctx, frames, FRAMES_BYTES, flags);

	return bytes < 0 || bytes > (long)FRAMES_BYTES ? 0 : bytes;
}

static __always_inline void send_stack(void *ctx, const struct here *here,
				       struct task_struct *prev)
{
	bool has_user = !(prev->flags & TASK_FLAGS_NO_CALLS);
	struct stack_sample *sample;
	__u64 kernel, user = 0, bytes;
	__u32 zero = 0;

	sample = bpf_map_lookup_elem(&stack_samples, &zero);
	if (!sample)
		return; /* there is one */
	kernel = walk_stack(ctx, sample->frames, 0);
	if (has_user)
		user = walk_stack(ctx, (void *)sample->frames + kernel, BPF_F_USER_STACK);
	bytes = __builtin_offsetof(struct stack_sample, frames) + kernel + user;
	fill_header(&sample->rec, here->now, SCHEDSCOPE_REC_STACK, bytes, here->cpu);
	sample->rec.flags = has_user ? 0 : SAMPLE_NO_USER_STACK;
	sample->start_ns = prev->group_leader->start_time;
	sample->tid = prev->pid;
	sample->pid = prev->tgid;
	sample->exec_number = prev->self_exec_id;
	sample->kernel_frames = kernel / sizeof(__u64);
	sample->user_frames = user / sizeof(__u64);
	output_here(here, sample, bytes);
}

/* Written for each task of a walk that is told which: who has its tid now. */
SEC("iter/task")
int tell_image(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct process_image image = {};

	if (!task)
		return 0;
	image.start_ns = task->group_leader->start_time;
	image.exec_number = task->self_exec_id;
	bpf_seq_write(ctx->meta->seq, &image, sizeof(image));
	return 0;
}

#endif /* _SCHEDSCOPE_STACKS_BPF_H */
