/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a thread that goes to sleep waits for: its system call, and the futex.
 *
 * At the switch it is still current: its registers are those that it entered the kernel
 * with, and its memory is mapped. Reading that never faults: what is not there is not read.
 */
#ifndef _SCHEDSCOPE_OFF_CPU_BPF_H
#define _SCHEDSCOPE_OFF_CPU_BPF_H

#include "kernel_types.bpf.h"
#include "ring.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define ERRNO_NOSYS		38

#define NR_SCHED_YIELD_X86_64	24
#define NR_FUTEX_X86_64		202
#define NR_FUTEX_WAITV_X86_64	449
#define NR_FUTEX_WAIT_X86_64	455

/* Threads whose registers, if there are any, are not of a system call that they made. */
#define TASK_FLAGS_NO_CALLS	(TASK_FLAG_KTHREAD | TASK_FLAG_IO_WORKER | TASK_FLAG_USER_WORKER)

/* The system call that a thread is in, which is current. */
struct syscall {
	struct pt_regs *regs;
	__s64 number; /* negative: none */
	bool compat; /* of the 32-bit table */
};

static __always_inline bool get_syscall(struct task_struct *task, struct syscall *call)
{
	if (task->flags & TASK_FLAGS_NO_CALLS)
		return false;
	call->regs = (struct pt_regs *)bpf_task_pt_regs(task);
	/* The kernel writes -1 for all other ways in. */
	call->number = (__s32)call->regs->orig_ax;
	call->compat = task->thread_info.status & THREAD_STATUS_COMPAT;
	/* Until the call has a result: who is preempted on his way out of one is not in it. */
	return call->number >= 0 && (__s32)call->regs->ax == -ERRNO_NOSYS;
}

static __always_inline bool in_futex(const struct syscall *call)
{
	return !call->compat && (call->number == NR_FUTEX_X86_64 ||
				 call->number == NR_FUTEX_WAIT_X86_64 ||
				 call->number == NR_FUTEX_WAITV_X86_64);
}

/* A pthread_mutex_t of glibc, as far as it says who has it; the word is that of the futex. */
struct mutex_words {
	__u32 value;
	__u32 count;
	__u32 owner;
	__u32 users;
	__u32 type;
};

static __always_inline void fill_futex(struct schedscope_futex *rec, struct task_struct *task,
				       const struct syscall *call)
{
	struct mutex_words words = {};
	__u16 flags = 0;

	rec->tid = task->pid;
	rec->word = call->number == NR_FUTEX_WAITV_X86_64 ? 0 : call->regs->di;
	rec->op = call->number == NR_FUTEX_X86_64 ? call->regs->si : 0;
	rec->expected = call->number == NR_FUTEX_X86_64	     ? call->regs->dx :
			call->number == NR_FUTEX_WAIT_X86_64 ? call->regs->si :
							       0;
	if (rec->word && !bpf_probe_read_user(&words, sizeof(words), (void *)rec->word))
		flags = SCHEDSCOPE_FUTEX_VALUE | SCHEDSCOPE_FUTEX_MUTEX;
	else if (rec->word && !bpf_probe_read_user(&words.value, sizeof(words.value),
						   (void *)rec->word))
		flags = SCHEDSCOPE_FUTEX_VALUE;
	if (task->thread_pid && task->thread_pid->level)
		flags |= SCHEDSCOPE_FUTEX_NAMESPACE;
	rec->value = words.value;
	rec->owner = words.owner;
	rec->users = words.users;
	rec->type = words.type;
	rec->reserved = 0;
	rec->rec.flags = flags;
}

#endif
