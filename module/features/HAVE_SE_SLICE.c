// SPDX-License-Identifier: GPL-2.0-only
/* Does the fair scheduler grant slices? */
#include <linux/sched.h>

u64 feature(const struct task_struct *task)
{
	return task->se.slice;
}
