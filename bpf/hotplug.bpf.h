/* SPDX-License-Identifier: GPL-2.0-only */
/* CPUs that come and go. */
#ifndef _SCHEDSCOPE_HOTPLUG_BPF_H
#define _SCHEDSCOPE_HOTPLUG_BPF_H

#include "here.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

static __always_inline void send_hotplug(__u32 of_cpu, __u16 flags)
{
	struct schedscope_hotplug *rec;
	struct here here;

	if (!get_here(&here))
		return;
	rec = reserve_here(&here, SCHEDSCOPE_REC_HOTPLUG, sizeof(*rec));
	if (!rec)
		return;
	rec->rec.flags = flags;
	rec->of_cpu = of_cpu;
	rec->reserved = 0;
	submit(rec);
}

#define CPU_STEP(name)	((int)bpf_core_enum_value(enum cpuhp_state, name))

/* A CPU is about to be brought up; on its way down it passes the same step. */
SEC("tp_btf/cpuhp_enter")
int BPF_PROG(on_cpu_step, unsigned int cpu, int target, int step)
{
	int bringup = CPU_STEP(CPUHP_BRINGUP_CPU);

	if (step == bringup && target > bringup)
		send_hotplug(cpu, 0);
	return 0;
}

/* A CPU is down, or has not come up. */
SEC("tp_btf/cpuhp_exit")
int BPF_PROG(on_cpu_step_done, unsigned int cpu, int state, int step, int result)
{
	bool down = step == CPU_STEP(CPUHP_TEARDOWN_CPU) && !result;
	bool not_up = step == CPU_STEP(CPUHP_BRINGUP_CPU) && result;

	if (down || not_up)
		send_hotplug(cpu, SCHEDSCOPE_HOTPLUG_OFF);
	return 0;
}

#endif /* _SCHEDSCOPE_HOTPLUG_BPF_H */
