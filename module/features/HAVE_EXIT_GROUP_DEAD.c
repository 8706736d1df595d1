// SPDX-License-Identifier: GPL-2.0-only
/* Is a probe on sched_process_exit told whether the whole process ends? */
#include <trace/events/sched.h>

static void probe(void *data, struct task_struct *task, bool group_dead)
{
}

void feature(void)
{
	check_trace_callback_type_sched_process_exit(probe);
}
