// SPDX-License-Identifier: GPL-2.0-only
/* Does a thread say that its group's quota keeps it off the CPU? */
#include <linux/sched.h>

bool feature(const struct task_struct *task)
{
	return task->throttled;
}
