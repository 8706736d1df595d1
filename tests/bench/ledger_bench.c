// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the ledger takes of a switch, in ns: module/ledger.c, account_pool.c and slice_end.c as they
 * are, in user space, called as they are under `perf bench sched pipe` on one CPU: two threads, each
 * of which wakes the other and goes to sleep. All is in the caches there, too. Prints JSON, or, with
 * a number of switches, only makes them (for callgrind).
 */
#include <stdio.h>
#include <time.h>

#include "kernel.h"

#include "../../module/account_pool.c"
#include "../../module/ledger.c"
#include "../../module/slice_end.c"

#define ROUNDS		15
#define SWITCHES	2000000

/* Of a thread that leaves in a system call, which those here do not. */
struct off_cpu_call off_cpu_call(struct task_struct *task)
{
	return (struct off_cpu_call){ .number = -1 };
}

static u64 wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void set_clock(void)
{
	u64 began_ns = wall_ns(), began = ordered_tsc(), ns;

	while ((ns = wall_ns() - began_ns) < 20000000)
		;
	fast_clock.read = ordered_tsc;
	for (int i = 0; i < 2; i++)
		fast_clock.base[i] = (struct clock_base){
			.cycle_last = began,
			.mult = ((u64)ns << 24) / (ordered_tsc() - began),
			.shift = 24,
			.base_ns = began_ns,
		};
}

/* What the module's probes do; they themselves are a call and a count of preemption each. */
static __attribute__((noinline)) void probe_waking(struct task_struct *task)
{
	slice_end_waking(task);
	ledger_wake(task);
}

static __attribute__((noinline)) void probe_wakeup(struct task_struct *task)
{
	slice_end_woken(task);
	ledger_woken(task);
}

static __attribute__((noinline)) void probe_switch(struct task_struct *prev,
						   struct task_struct *next)
{
	struct slice_end end = slice_end_switch(false, prev, next, TASK_INTERRUPTIBLE);

	ledger_switch(prev, next, TASK_INTERRUPTIBLE, end);
}

static void play(struct task_struct threads[2], unsigned int switches)
{
	for (unsigned int i = 0; i < switches; i++) {
		struct task_struct *prev = &threads[i % 2], *next = &threads[!(i % 2)];

		current = prev;
		probe_waking(next);
		next->on_rq = 1;
		next->__state = TASK_RUNNING;
		probe_wakeup(next);
		prev->__state = TASK_INTERRUPTIBLE;
		prev->on_rq = 0;
		prev->nvcsw++;
		probe_switch(prev, next);
		prev->on_cpu = 0;
		next->on_cpu = 1;
	}
}

int main(int argc, char **argv)
{
	static struct task_struct threads[2];
	unsigned int switches = argc > 1 ? strtoul(argv[1], NULL, 10) : SWITCHES;
	u64 best_ns = UINT64_MAX;

	set_clock();
	if (ledger_create(32768, 4096))
		return 1;
	for (int i = 0; i < 2; i++) {
		threads[i] = (struct task_struct){ .pid = 1000 + i, .tgid = 1000, .prio = 120 };
		snprintf(threads[i].comm, sizeof(threads[i].comm), "thread-%d", i);
		ledger_wake_new(&threads[i]);
	}
	for (int round = 0; round < (argc > 1 ? 1 : ROUNDS); round++) {
		u64 began_ns = wall_ns();

		play(threads, switches);
		if (wall_ns() - began_ns < best_ns)
			best_ns = wall_ns() - began_ns;
	}
	/* Or else something was measured that counts nothing. */
	if (account_pool_at(0)->tally.account.slices < switches / 2)
		return 1;
	if (argc == 1)
		printf("{\"ns_per_switch\": %.1f, \"switches\": %u}\n",
		       (double)best_ns / switches, switches);
	return 0;
}
