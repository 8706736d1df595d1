// SPDX-License-Identifier: GPL-2.0-only
/* The least that a probe on a switch can do: what any probe is measured against. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/sched_switch")
int on_switch(void *ctx)
{
	return 0;
}
