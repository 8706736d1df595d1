// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a thread that goes to sleep waits for: its system call, and the futex.
 * The rules are those of bpf/off_cpu.bpf.h, so that both witnesses say the same.
 *
 * At the switch the thread is still current: its registers are those that it
 * entered the kernel with, and its memory is mapped. Reading that takes no fault:
 * what is not there is not read.
 */
#include <linux/errno.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>
#include <linux/unistd.h>

#include <asm/syscall.h>

#include "compat.h"
#include "off_cpu.h"
#include "uapi/schedscope.h"

/* From 6.7 on, and then the same on all architectures. */
#define NR_FUTEX_WAIT	455

/* A pthread_mutex_t of glibc, as far as it says who has it; the word is that of the futex. */
struct mutex_words {
	u32 value;
	u32 count;
	u32 owner;
	u32 users;
	u32 type;
};

/**
 * off_cpu_call() - the system call that a thread is in
 * @task: thread, current
 *
 * Context: any but NMI.
 */
struct off_cpu_call off_cpu_call(struct task_struct *task)
{
	struct off_cpu_call none = { .number = -1 };
	struct pt_regs *regs = task_pt_regs(task);

	/* Their registers, if there are any, are not of a system call that they made. */
	if (task->flags & (PF_KTHREAD | PF_IO_WORKER | COMPAT_PF_USER_WORKER))
		return none;
	/* Until the call has a result: who is preempted on his way out of one is not in it. */
	if ((s32)regs->ax != -ENOSYS)
		return none;
	return (struct off_cpu_call) {
		.number = syscall_get_nr(task, regs),
		.compat = compat_in_32bit_syscall(),
	};
}

static bool in_futex(struct off_cpu_call call)
{
	return !call.compat && (call.number == __NR_futex || call.number == __NR_futex_waitv ||
				call.number == NR_FUTEX_WAIT);
}

/* What of them can be read, the rest is 0; SCHEDSCOPE_FUTEX_*. */
static u16 read_words(const void __user *word, struct mutex_words *words)
{
	if (word && !copy_from_user_nofault(words, word, sizeof(*words)))
		return SCHEDSCOPE_FUTEX_VALUE | SCHEDSCOPE_FUTEX_MUTEX;
	*words = (struct mutex_words) {};
	if (word && !copy_from_user_nofault(&words->value, word, sizeof(words->value)))
		return SCHEDSCOPE_FUTEX_VALUE;
	words->value = 0;
	return 0;
}

/**
 * off_cpu_futex() - the futex that a thread goes to sleep for
 * @task: thread, current, about to leave the CPU
 * @state: its state, as given to the tracepoint
 * @call: the system call that it is in
 * @rec: where to, but for the header's other fields than the flags
 *
 * Context: any but NMI; page faults are not taken.
 *
 * Return: whether there is one.
 */
bool off_cpu_futex(struct task_struct *task, unsigned int state, struct off_cpu_call call,
		   struct schedscope_futex *rec)
{
	struct mutex_words words;
	unsigned long args[6];

	/* A sleep in futex(2) for something else, a page of memory, is not interruptible. */
	if (!in_futex(call) || !(state & TASK_INTERRUPTIBLE))
		return false;

	syscall_get_arguments(task, task_pt_regs(task), args);
	*rec = (struct schedscope_futex) {
		.tid = task->pid,
		.word = call.number == __NR_futex_waitv ? 0 : args[0],
		.op = call.number == __NR_futex ? args[1] : 0,
		.expected = call.number == __NR_futex ? args[2] :
			    call.number == NR_FUTEX_WAIT ? args[1] : 0,
	};
	rec->rec.flags = read_words((void __user *)(unsigned long)rec->word, &words);
	if (task_pid(task) && task_pid(task)->level)
		rec->rec.flags |= SCHEDSCOPE_FUTEX_NAMESPACE;
	rec->value = words.value;
	rec->owner = words.owner;
	rec->users = words.users;
	rec->type = words.type;
	return true;
}
