// SPDX-License-Identifier: GPL-2.0-only
/*
 * The probes on the scheduler's tracepoints.
 *
 * The tracepoints are not exported to modules, so they are found by name among
 * those of the kernel, and the compiler checks each probe against the prototype
 * in the kernel's header.
 *
 * Up to 7.1 the kernel calls a probe with preemption off; from 7.2 on it does
 * not promise to, so each probe turns it off by itself.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cleanup.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>

#include "compat.h"
#include "ledger.h"
#include "probes.h"
#include "switchbench.h"

/* Context: the CPU's run queue is locked, interrupts are off. */
static void probe_sched_switch(void *data, bool preempt, struct task_struct *prev,
			       struct task_struct *next, unsigned int prev_state)
{
	guard(preempt_notrace)();
	if (static_branch_unlikely(&switchbench_running)) {
		u64 began = ktime_get_mono_fast_ns();

		ledger_switch(preempt, prev, next, prev_state);
		switchbench_probed(ktime_get_mono_fast_ns() - began);
		return;
	}
	ledger_switch(preempt, prev, next, prev_state);
}

/*
 * Context: the task's pi_lock is held, interrupts are off. If the task is
 * current, only preemption is off.
 */
static void probe_sched_waking(void *data, struct task_struct *task)
{
	guard(preempt_notrace)();
	ledger_wake(task);
}

/* Context: the task's pi_lock is held and its run queue locked, interrupts are off. */
static void probe_sched_wakeup_new(void *data, struct task_struct *task)
{
	guard(preempt_notrace)();
	ledger_wake_new(task);
}

/*
 * Finds an account in all threads but those that begin to exit while the module
 * loads: see ledger_adopt_all(). The account ends at the thread's last switch.
 *
 * Context: the task is current, no locks.
 */
static void probe_sched_process_exit(void *data, COMPAT_PROCESS_EXIT_ARGS)
{
	guard(preempt_notrace)();
	ledger_adopt(task);
}

struct probe {
	const char *name;
	void *function;
	struct tracepoint *tracepoint;
};

/* In this order: what begins accounts comes after what keeps them. */
static struct probe probes[] = {
	{ .name = "sched_switch", .function = probe_sched_switch },
	{ .name = "sched_waking", .function = probe_sched_waking },
	{ .name = "sched_wakeup_new", .function = probe_sched_wakeup_new },
	{ .name = "sched_process_exit", .function = probe_sched_process_exit },
};

static void check_prototypes(void)
{
	check_trace_callback_type_sched_switch(probe_sched_switch);
	check_trace_callback_type_sched_waking(probe_sched_waking);
	check_trace_callback_type_sched_wakeup_new(probe_sched_wakeup_new);
	check_trace_callback_type_sched_process_exit(probe_sched_process_exit);
}

static void find_tracepoint(struct tracepoint *tracepoint, void *data)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (!strcmp(tracepoint->name, probes[i].name))
			probes[i].tracepoint = tracepoint;
}

static void detach(unsigned int count)
{
	while (count--)
		tracepoint_probe_unregister(probes[count].tracepoint, probes[count].function, NULL);
	/* A CPU may still be in a probe, or about to call one. */
	tracepoint_synchronize_unregister();
}

/**
 * probes_attach() - put all probes in place, or none
 *
 * Context: process context, may sleep.
 *
 * Return: 0; -ENOENT when the kernel lacks a tracepoint.
 */
int probes_attach(void)
{
	unsigned int i;
	int err;

	check_prototypes();
	for_each_kernel_tracepoint(find_tracepoint, NULL);
	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		err = probes[i].tracepoint ?
			tracepoint_probe_register(probes[i].tracepoint, probes[i].function, NULL) :
			-ENOENT;
		if (err) {
			pr_err("no probe on %s: %pe\n", probes[i].name, ERR_PTR(err));
			detach(i);
			return err;
		}
	}
	return 0;
}

/**
 * probes_detach() - no probe runs any more when this returns
 *
 * Context: process context, may sleep.
 */
void probes_detach(void)
{
	detach(ARRAY_SIZE(probes));
}
