// SPDX-License-Identifier: GPL-2.0-only
/* Does the kernel say where it asks for a reschedule? */
#include <trace/events/sched.h>

static void probe(void *data, struct task_struct *task, int cpu, int tif)
{
}

void feature(void)
{
	check_trace_callback_type_sched_set_need_resched_tp(probe);
}
