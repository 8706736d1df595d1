// SPDX-License-Identifier: GPL-2.0-only
/*
 * The probes on the scheduler's tracepoints.
 *
 * The tracepoints are not exported to modules, so they are found by name among
 * those of the kernel, and the compiler checks each probe against the prototype
 * in the kernel's header.
 *
 * Up to 7.1 the kernel calls a probe with preemption off; from 7.2 on it does
 * not promise to, so each probe turns it off by itself: guard(probe).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cleanup.h>
#include <linux/cpuhotplug.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>
#include <trace/events/cpuhp.h>
#include <trace/events/sched.h>
#include <trace/events/task.h>

#include "compat.h"
#include "ledger.h"
#include "probes.h"
#include "slice_end.h"
#include "slicepage.h"
#include "stream.h"
#include "switchbench.h"
#include "uapi/schedscope.h"

static __always_inline u64 probe_enter(void)
{
	preempt_disable_notrace();
	return static_branch_unlikely(&stream_measured) ? stream_now() : 0;
}

static __always_inline void probe_leave(u64 began_ns)
{
	if (static_branch_unlikely(&stream_measured) && began_ns)
		stream_probed(stream_now() - began_ns);
	preempt_enable_notrace();
}

/* Round all that a probe does: it is not preempted, and what it takes is measured on demand. */
DEFINE_LOCK_GUARD_0(probe, _T->began_ns = probe_enter(), probe_leave(_T->began_ns), u64 began_ns)

/* Context: the CPU's run queue is locked, interrupts are off. */
static void probe_sched_switch(void *data, bool preempt, struct task_struct *prev,
			       struct task_struct *next, unsigned int prev_state)
{
	const pid_t prev_tid = READ_ONCE(prev->pid), next_tid = READ_ONCE(next->pid);
	struct slice_end end;
	u64 began = 0;
	u64 now;

	guard(probe)();
	if (static_branch_unlikely(&switchbench_running))
		began = ktime_get_mono_fast_ns();
	end = slice_end_switch(preempt, prev, next, prev_state);
	now = ledger_switch(prev, next, prev_state, end);
	if (static_branch_unlikely(&slicepage_used.key))
		slicepage_switch(preempt, prev, next, prev_state, end, now);
	if (static_branch_unlikely(&stream_running))
		stream_switch(preempt, prev, next, prev_tid, next_tid, prev_state, end, now);
	if (static_branch_unlikely(&switchbench_running) && began)
		switchbench_probed(ktime_get_mono_fast_ns() - began);
}

/*
 * Context: the task's pi_lock is held, interrupts are off. If the task is
 * current, only preemption is off.
 */
static void probe_sched_waking(void *data, struct task_struct *task)
{
	u64 now;

	guard(probe)();
	slice_end_waking(task);
	now = ledger_wake(task);
	if (static_branch_unlikely(&stream_running))
		stream_waking(task, now);
}

/*
 * Context: the task's run queue is locked, interrupts are off. If the task is
 * current, only preemption is off.
 */
static void probe_sched_wakeup(void *data, struct task_struct *task)
{
	guard(probe)();
	slice_end_woken(task);
	ledger_woken(task);
}

/* Context: the task's pi_lock is held and its run queue locked, interrupts are off. */
static void probe_sched_wakeup_new(void *data, struct task_struct *task)
{
	guard(probe)();
	ledger_wake_new(task);
	if (static_branch_unlikely(&stream_running))
		stream_wakeup_new(task);
}

/*
 * Finds an account in all threads but those that begin to exit while the module
 * loads: see ledger_adopt_all(). The account ends at the thread's last switch.
 *
 * Context: the task is current, no locks.
 */
static void probe_sched_process_exit(void *data, COMPAT_PROCESS_EXIT_ARGS)
{
	guard(probe)();
	ledger_adopt(task);
	if (static_branch_unlikely(&stream_running))
		stream_exit(task);
}

/* Context: hard interrupt, here and in the next. */
static void probe_local_timer_entry(void *data, int vector)
{
	guard(probe)();
	slice_end_timer_entry();
}

static void probe_local_timer_exit(void *data, int vector)
{
	guard(probe)();
	slice_end_timer_exit();
	if (static_branch_unlikely(&slicepage_used.key))
		slicepage_tick();
}

/* Context: the run queue of @cpu is locked, interrupts are off. */
static void probe_sched_set_need_resched(void *data, struct task_struct *task, int cpu, int tif)
{
	guard(probe)();
	slice_end_asked(task, cpu);
}

/* Context: the task's pi_lock is held or its run queue locked, interrupts are off. */
static void probe_sched_migrate_task(void *data, struct task_struct *task, int cpu)
{
	guard(probe)();
	slice_end_migrated(task, cpu);
	ledger_migrated(task);
}

/* What follows is for the stream alone. Context: as above. */
static void probe_stream_migrate(void *data, struct task_struct *task, int cpu)
{
	guard(probe)();
	stream_migrate(task, cpu);
}

/* Context of the others: process context, no locks, but for the task's own in a rename. */
static void probe_stream_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	guard(probe)();
	stream_fork(parent, child);
}

static void probe_stream_exec(void *data, struct task_struct *task, pid_t old_tid,
			      struct linux_binprm *bprm)
{
	guard(probe)();
	stream_exec(task, old_tid);
}

static void probe_stream_rename(void *data, struct task_struct *task, const char *comm)
{
	guard(probe)();
	stream_rename(task, comm);
}

/* A CPU is about to be brought up; on its way down it passes the same step. */
static void probe_stream_cpu_step(void *data, unsigned int cpu, int target, int step,
				  int (*callback)(unsigned int))
{
	guard(probe)();
	if (step == CPUHP_BRINGUP_CPU && target > step)
		stream_hotplug(cpu, 0);
}

/* A CPU is down, or has not come up. */
static void probe_stream_cpu_step_done(void *data, unsigned int cpu, int state, int step,
				       int result)
{
	guard(probe)();
	if ((step == CPUHP_TEARDOWN_CPU && !result) || (step == CPUHP_BRINGUP_CPU && result))
		stream_hotplug(cpu, SCHEDSCOPE_HOTPLUG_OFF);
}

/* When a probe is in place. */
enum when {
	ALWAYS,		/* and the module does not load without it */
	IF_THERE,	/* always, in kernels that have the tracepoint */
	STREAM,		/* while a stream runs */
	NEVER,		/* only whether the kernel has it is of interest */
};

struct probe {
	const char *name;
	void *function;
	enum when when;
	bool last; /* to be detached: the others look at threads that it says are on a CPU */
	u64 signal; /* SCHEDSCOPE_SIGNAL_* that its presence means */
	struct tracepoint *tracepoint;
	bool attached;
};

/* In this order: what begins accounts comes after what keeps them. */
static struct probe probes[] = {
	{ .name = "sched_set_need_resched_tp", .function = probe_sched_set_need_resched,
	  .when = IF_THERE, .signal = SCHEDSCOPE_SIGNAL_NEED_RESCHED },
	{ .name = "sched_migrate_task", .function = probe_sched_migrate_task, .when = ALWAYS },
	{ .name = "local_timer_entry", .function = probe_local_timer_entry,
	  .when = IF_THERE, .signal = SCHEDSCOPE_SIGNAL_TIMER },
	{ .name = "local_timer_exit", .function = probe_local_timer_exit, .when = IF_THERE },
	{ .name = "sched_wakeup", .function = probe_sched_wakeup, .when = ALWAYS },
	{ .name = "sched_switch", .function = probe_sched_switch, .when = ALWAYS, .last = true },
	{ .name = "sched_waking", .function = probe_sched_waking, .when = ALWAYS },
	{ .name = "sched_wakeup_new", .function = probe_sched_wakeup_new, .when = ALWAYS },
	{ .name = "sched_process_exit", .function = probe_sched_process_exit, .when = ALWAYS },
	{ .name = "sched_migrate_task", .function = probe_stream_migrate, .when = STREAM },
	{ .name = "sched_process_fork", .function = probe_stream_fork, .when = STREAM },
	{ .name = "sched_process_exec", .function = probe_stream_exec, .when = STREAM },
	{ .name = "task_rename", .function = probe_stream_rename, .when = STREAM },
	{ .name = "cpuhp_enter", .function = probe_stream_cpu_step, .when = STREAM },
	{ .name = "cpuhp_exit", .function = probe_stream_cpu_step_done, .when = STREAM },
	{ .name = "sched_set_state_tp", .when = NEVER, .signal = SCHEDSCOPE_SIGNAL_SET_STATE },
	{ .name = "sched_dl_throttle_tp", .when = NEVER, .signal = SCHEDSCOPE_SIGNAL_DL },
};

static void check_prototypes(void)
{
	check_trace_callback_type_sched_switch(probe_sched_switch);
	check_trace_callback_type_sched_waking(probe_sched_waking);
	check_trace_callback_type_sched_wakeup(probe_sched_wakeup);
	check_trace_callback_type_sched_wakeup_new(probe_sched_wakeup_new);
	check_trace_callback_type_sched_process_exit(probe_sched_process_exit);
	check_trace_callback_type_sched_migrate_task(probe_sched_migrate_task);
	check_trace_callback_type_sched_migrate_task(probe_stream_migrate);
	check_trace_callback_type_sched_process_fork(probe_stream_fork);
	check_trace_callback_type_sched_process_exec(probe_stream_exec);
	check_trace_callback_type_task_rename(probe_stream_rename);
	check_trace_callback_type_cpuhp_enter(probe_stream_cpu_step);
	check_trace_callback_type_cpuhp_exit(probe_stream_cpu_step_done);
	compat_check_timer_entry(probe_local_timer_entry);
	compat_check_timer_exit(probe_local_timer_exit);
	compat_check_need_resched(probe_sched_set_need_resched);
}

static void find_tracepoint(struct tracepoint *tracepoint, void *data)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (!strcmp(tracepoint->name, probes[i].name))
			probes[i].tracepoint = tracepoint;
}

/**
 * probes_signals() - which of the tracepoints that only some kernels have are there
 *
 * Return: SCHEDSCOPE_SIGNAL_* bits.
 */
u64 probes_signals(void)
{
	u64 signals = (COMPAT_FAIR_SLICES ? SCHEDSCOPE_SIGNAL_FAIR_SLICE : 0) |
		      (COMPAT_QUOTA_TOLD ? SCHEDSCOPE_SIGNAL_QUOTA : 0);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (probes[i].tracepoint)
			signals |= probes[i].signal;
	return signals;
}

/* Whether a probe belongs to those that come and go with the stream, or to the others. */
static bool is_wanted(const struct probe *probe, bool stream)
{
	switch (probe->when) {
	case ALWAYS:
		return !stream;
	case IF_THERE:
		return !stream && probe->tracepoint;
	case STREAM:
		return stream;
	default:
		return false;
	}
}

static int attach(struct probe *probe)
{
	int err = -ENOENT;

	if (probe->tracepoint)
		err = tracepoint_probe_register(probe->tracepoint, probe->function, NULL);
	if (err)
		pr_err("no probe on %s: %pe\n", probe->name, ERR_PTR(err));
	else
		probe->attached = true;
	return err;
}

static void detach_those(bool stream, bool last)
{
	unsigned int i = ARRAY_SIZE(probes);

	while (i--) {
		if (!probes[i].attached || !is_wanted(&probes[i], stream) || probes[i].last != last)
			continue;
		tracepoint_probe_unregister(probes[i].tracepoint, probes[i].function, NULL);
		probes[i].attached = false;
	}
	/* A CPU may still be in a probe, or about to call one. */
	tracepoint_synchronize_unregister();
}

static void detach_all(bool stream)
{
	detach_those(stream, false);
	detach_those(stream, true);
}

static int attach_all(bool stream)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		if (!is_wanted(&probes[i], stream))
			continue;
		err = attach(&probes[i]);
		if (err) {
			detach_all(stream);
			return err;
		}
	}
	return 0;
}

/**
 * probes_attach() - put all probes in place that the ledger needs, or none
 *
 * Context: process context, may sleep.
 *
 * Return: 0; -ENOENT when the kernel lacks a tracepoint that is needed.
 */
int __init probes_attach(void)
{
	check_prototypes();
	for_each_kernel_tracepoint(find_tracepoint, NULL);
	slice_end_init(probes_signals() & SCHEDSCOPE_SIGNAL_NEED_RESCHED);
	return attach_all(false);
}

/**
 * probes_detach() - no probe runs any more when this returns
 *
 * Context: process context, may sleep.
 */
void probes_detach(void)
{
	detach_all(false);
}

/**
 * probes_attach_stream() - put the others in place, too, or none
 *
 * Context: process context, may sleep; one caller at a time, here and below.
 *
 * Return: as probes_attach().
 */
int probes_attach_stream(void)
{
	return attach_all(true);
}

/**
 * probes_detach_stream() - those do not run any more when this returns
 *
 * It also waits for all other probes that run when it is called.
 */
void probes_detach_stream(void)
{
	detach_all(true);
}
