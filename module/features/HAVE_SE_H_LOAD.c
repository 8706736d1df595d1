// SPDX-License-Identifier: GPL-2.0-only
/* Does virtual time go by a weight of the whole group hierarchy? */
#include <linux/sched.h>

unsigned long feature(const struct task_struct *task)
{
	return task->se.h_load.weight;
}
