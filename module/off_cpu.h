/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDSCOPE_OFF_CPU_H
#define SCHEDSCOPE_OFF_CPU_H

#include <linux/types.h>

struct schedscope_futex;
struct task_struct;

/**
 * struct off_cpu_call - the system call that a thread is in
 * @number: its number, negative when it is in none
 * @compat: the number is of the 32-bit table
 */
struct off_cpu_call {
	int number;
	bool compat;
};

struct off_cpu_call off_cpu_call(struct task_struct *task);
bool off_cpu_futex(struct task_struct *task, unsigned int state, struct off_cpu_call call,
		   struct schedscope_futex *rec);

#endif /* SCHEDSCOPE_OFF_CPU_H */
