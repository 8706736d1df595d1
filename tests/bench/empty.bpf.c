// SPDX-License-Identifier: GPL-2.0-only
/* The least that probes can do: what any are measured against. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/sched_switch")
int on_switch(void *ctx)
{
	return 0;
}

SEC("tp_btf/sched_waking")
int on_waking(void *ctx)
{
	return 0;
}

SEC("tp_btf/sched_wakeup")
int on_wakeup(void *ctx)
{
	return 0;
}
