// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a switch costs in the kernel: two kernel threads that take turns.
 *
 * Both have the lowest real-time priority, so that on one CPU nothing but them and
 * what outranks them runs: with yield() each call is one switch, nothing else.
 * After each BENCH_TURN_NS they rest as long, all others run then. An address space is
 * borrowed as the kernel's own threads do it, so that a switch between two of them
 * is the one that two processes pay.
 *
 * The clock is read before and after each switch, and by the module's own probe
 * inside of it; what that adds is measured and told, not subtracted.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cleanup.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "switchbench.h"
#include "switchbench_math.h"
#include "uapi/schedscope.h"

#define BENCH_TURN_NS		(5 * NSEC_PER_MSEC)
#define BENCH_SWITCHES_MAX	100000000ULL
#define BENCH_TIME_MIN_NS	NSEC_PER_MSEC
#define BENCH_TIME_MAX_NS	(10 * NSEC_PER_SEC)
#define CLOCK_READINGS		64

DEFINE_STATIC_KEY_FALSE(switchbench_running);

struct probe_time {
	u64 ns;
	u64 runs;
};

static DEFINE_PER_CPU(struct probe_time, probe_times);
static DEFINE_MUTEX(bench_lock); /* one benchmark at a time; process context, held while it runs */

struct bench;

/**
 * struct side - one of the two threads
 * @bench: its benchmark
 * @task: the thread; referenced
 * @mm: address space that it borrows, or NULL
 * @cpu: where it runs
 * @switches: what it measured, here and below: its own until it is done
 * @total_ns: sum of their times
 * @min_ns: the shortest
 * @max_ns: the longest
 * @hist: by time
 */
struct side {
	struct bench *bench;
	struct task_struct *task;
	struct mm_struct *mm;
	u32 cpu;
	u64 switches;
	u64 total_ns;
	u64 min_ns;
	u64 max_ns;
	u32 hist[SCHEDSCOPE_SWITCHBENCH_BUCKETS];
};

/**
 * struct bench - a benchmark that runs
 * @sides: the two threads
 * @how: SCHEDSCOPE_SWITCHBENCH_*
 * @switches_max: ends after so many
 * @switches: measured so far, by both; written by whoever has the turn
 * @end_ns: when it ends at the latest
 * @rest_ns: when the two rest next; this and the two below are of whoever has the
 *	turn or, when they yield, the CPU
 * @resting: they do
 * @rest_end: until then, in jiffies
 * @turn: which side runs next; passed on by whoever has it
 * @left_ns: when the other side gave up the CPU, or woke this one; 0 when nobody did
 * @stop: all is to end
 * @moved: a thread found itself on another CPU than its own
 * @active: sides that are not done
 * @done: when none is
 */
struct bench {
	struct side sides[2];
	u32 how;
	u64 switches_max;
	u64 switches;
	u64 end_ns;
	u64 rest_ns;
	bool resting;
	unsigned long rest_end;
	u32 turn;
	u64 left_ns;
	bool stop;
	bool moved;
	atomic_t active;
	struct completion done;
};

static u64 bench_now(void)
{
	return ktime_get_mono_fast_ns();
}

/**
 * switchbench_probed() - the switch probe ran
 * @ns: for so long
 *
 * Context: preemption is off.
 */
void switchbench_probed(u64 ns)
{
	this_cpu_add(probe_times.ns, ns);
	this_cpu_inc(probe_times.runs);
}

static bool bench_over(const struct bench *bench)
{
	return READ_ONCE(bench->stop);
}

static void side_take(struct side *side, u64 now)
{
	u64 left = READ_ONCE(side->bench->left_ns);
	u64 ns = now - left;

	if (!left)
		return;
	side->bench->switches++;
	side->switches++;
	side->total_ns += ns;
	side->min_ns = min(side->min_ns, ns);
	side->max_ns = max(side->max_ns, ns);
	side->hist[switchbench_bucket(ns)]++;
}

/*
 * Both sides sleep to the same jiffy, however much later one of them goes. The next
 * turn begins when the sleep ends, and not by the clock: a CPU that wakes late would
 * find its turn gone, and the next one too. Nothing is measured across a rest.
 */
static void side_rest(struct bench *bench, u64 now)
{
	long left;

	if (now < bench->rest_ns)
		return;
	if (!bench->resting) {
		bench->resting = true;
		bench->rest_end = jiffies + nsecs_to_jiffies(BENCH_TURN_NS) + 1;
	}
	WRITE_ONCE(bench->left_ns, 0);
	left = bench->rest_end - jiffies;
	if (left > 0)
		schedule_timeout_idle(left);
	if (bench->resting) {
		bench->resting = false;
		bench->rest_ns = bench_now() + BENCH_TURN_NS;
	}
	WRITE_ONCE(bench->left_ns, 0);
}

static void side_look(struct side *side, u64 now)
{
	struct bench *bench = side->bench;

	if (bench->switches >= bench->switches_max || now >= bench->end_ns)
		WRITE_ONCE(bench->stop, true);
	if (raw_smp_processor_id() != side->cpu) {
		bench->moved = true;
		WRITE_ONCE(bench->stop, true);
	}
}

/*
 * Both are runnable: yield() goes to the other, unless that one rests. Only what the
 * other has left counts.
 */
static void side_yields(struct side *side)
{
	struct bench *bench = side->bench;
	u32 me = side - bench->sides;
	u64 now;

	while (!bench_over(bench)) {
		now = bench_now();
		if (READ_ONCE(bench->turn) == me)
			side_take(side, now);
		side_look(side, now);
		side_rest(bench, now);
		WRITE_ONCE(bench->turn, !me);
		WRITE_ONCE(bench->left_ns, bench_now());
		yield();
	}
}

static void side_wakes(struct side *side)
{
	struct bench *bench = side->bench;
	u32 me = side - bench->sides;
	struct task_struct *other = bench->sides[!me].task;
	u64 now;

	for (;;) {
		set_current_state(TASK_IDLE);
		if (bench_over(bench))
			break;
		/* With the turn comes what the other wrote: left_ns and switches. */
		if (smp_load_acquire(&bench->turn) != me) {
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		now = bench_now();
		side_take(side, now);
		side_look(side, now);
		side_rest(bench, now);
		WRITE_ONCE(bench->left_ns, bench_now());
		/* Pairs with the other's smp_load_acquire(). */
		smp_store_release(&bench->turn, !me);
		wake_up_process(other);
	}
	__set_current_state(TASK_RUNNING);
	wake_up_process(other);
}

static int side_main(void *data)
{
	struct side *side = data;
	struct bench *bench = side->bench;

	if (side->mm)
		kthread_use_mm(side->mm);
	if (bench->how == SCHEDSCOPE_SWITCHBENCH_YIELD)
		side_yields(side);
	else
		side_wakes(side);
	if (side->mm)
		kthread_unuse_mm(side->mm);
	if (atomic_dec_and_test(&bench->active))
		complete(&bench->done);
	return 0;
}

static int side_create(struct bench *bench, u32 number, u32 cpu, struct mm_struct *mm)
{
	struct side *side = &bench->sides[number];
	struct task_struct *task;

	side->bench = bench;
	side->mm = mm;
	side->cpu = cpu;
	side->min_ns = U64_MAX;
	task = kthread_create(side_main, side, "schedscope/%u", number);
	if (IS_ERR(task))
		return PTR_ERR(task);
	side->task = get_task_struct(task);
	kthread_bind(task, cpu);
	sched_set_fifo_low(task);
	return 0;
}

static void side_destroy(struct side *side)
{
	if (!side->task)
		return;
	/* Joins it, whether it ran, is over, or was never started. */
	kthread_stop(side->task);
	put_task_struct(side->task);
}

static int bench_wait(struct bench *bench)
{
	u64 now = bench_now();
	int err;

	bench->end_ns += now;
	bench->rest_ns = now + BENCH_TURN_NS;
	wake_up_process(bench->sides[0].task);
	wake_up_process(bench->sides[1].task);
	err = wait_for_completion_interruptible(&bench->done);
	if (err) {
		WRITE_ONCE(bench->stop, true);
		wake_up_process(bench->sides[0].task);
		wake_up_process(bench->sides[1].task);
		wait_for_completion(&bench->done);
		return -EINTR;
	}
	return bench->moved ? -ENODEV : 0;
}

static u64 clock_cost(void)
{
	u64 least = U64_MAX;
	unsigned int i;

	for (i = 0; i < CLOCK_READINGS; i++) {
		u64 before = bench_now();

		least = min(least, bench_now() - before);
	}
	return least;
}

/* Sum of the probes' time on the benchmark's CPUs. */
static struct probe_time probe_time_of(const struct schedscope_switchbench *out)
{
	struct probe_time *one = per_cpu_ptr(&probe_times, out->cpus[0]);
	struct probe_time *two = per_cpu_ptr(&probe_times, out->cpus[1]);
	struct probe_time sum = { READ_ONCE(one->ns), READ_ONCE(one->runs) };

	if (two != one) {
		sum.ns += READ_ONCE(two->ns);
		sum.runs += READ_ONCE(two->runs);
	}
	return sum;
}

static void bench_tell(const struct bench *bench, struct schedscope_switchbench *out)
{
	unsigned int i, bucket;

	out->min_ns = min(bench->sides[0].min_ns, bench->sides[1].min_ns);
	for (i = 0; i < ARRAY_SIZE(bench->sides); i++) {
		const struct side *side = &bench->sides[i];

		out->switches += side->switches;
		out->total_ns += side->total_ns;
		out->max_ns = max(out->max_ns, side->max_ns);
		for (bucket = 0; bucket < ARRAY_SIZE(side->hist); bucket++)
			out->hist[bucket] += side->hist[bucket];
	}
	if (!out->switches)
		out->min_ns = 0;
}

static int bench_measure(struct bench *bench, struct schedscope_switchbench *out)
{
	struct probe_time before, after;
	int err;

	static_branch_inc(&switchbench_running);
	before = probe_time_of(out);
	err = bench_wait(bench);
	after = probe_time_of(out);
	static_branch_dec(&switchbench_running);

	out->probe_ns = after.ns - before.ns;
	out->probe_runs = after.runs - before.runs;
	return err;
}

/**
 * switchbench_check() - whether a benchmark can be run at all
 * @bench: as the caller wants it
 *
 * Return: 0 or -EINVAL.
 */
int switchbench_check(const struct schedscope_switchbench *bench)
{
	static const struct schedscope_switchbench zero;

	if (bench->bytes != sizeof(*bench) || bench->how > SCHEDSCOPE_SWITCHBENCH_WAKE ||
	    bench->mm > SCHEDSCOPE_SWITCHBENCH_MM_OTHER)
		return -EINVAL;
	if (bench->mm != SCHEDSCOPE_SWITCHBENCH_MM_OTHER && bench->lender_fd != -1)
		return -EINVAL;
	if (bench->mm == SCHEDSCOPE_SWITCHBENCH_MM_OTHER && bench->lender_fd == -1)
		return -EINVAL;
	if (bench->how == SCHEDSCOPE_SWITCHBENCH_YIELD && bench->cpus[0] != bench->cpus[1])
		return -EINVAL;
	if (!bench->switches_max || bench->switches_max > BENCH_SWITCHES_MAX ||
	    bench->time_max_ns < BENCH_TIME_MIN_NS || bench->time_max_ns > BENCH_TIME_MAX_NS)
		return -EINVAL;
	if (memcmp(&bench->switches, &zero.switches,
		   sizeof(zero) - offsetof(struct schedscope_switchbench, switches)))
		return -EINVAL;
	return 0;
}

/**
 * switchbench_run() - run one
 * @out: what to run, checked; and what came of it, when all went well
 * @own: address space of the one thread, or NULL; the caller keeps it alive
 * @other: of the other
 *
 * Context: process context; sleeps for as long as @out->time_max_ns. Both threads are
 * gone when it returns.
 *
 * Return: 0, -EBUSY, -ENODEV, -EINTR or -ENOMEM.
 */
int switchbench_run(struct schedscope_switchbench *out, struct mm_struct *own,
		    struct mm_struct *other)
{
	struct bench *bench;
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(out->cpus); i++)
		if (out->cpus[i] >= nr_cpu_ids || !cpu_online(out->cpus[i]))
			return -ENODEV;
	if (!mutex_trylock(&bench_lock))
		return -EBUSY;

	bench = kzalloc(sizeof(*bench), GFP_KERNEL);
	if (!bench) {
		err = -ENOMEM;
		goto unlock;
	}
	bench->how = out->how;
	bench->switches_max = out->switches_max;
	bench->end_ns = out->time_max_ns;
	init_completion(&bench->done);
	atomic_set(&bench->active, ARRAY_SIZE(bench->sides));
	err = side_create(bench, 0, out->cpus[0], own);
	if (!err)
		err = side_create(bench, 1, out->cpus[1], other);
	if (!err)
		err = bench_measure(bench, out);
	for (i = 0; i < ARRAY_SIZE(bench->sides); i++)
		side_destroy(&bench->sides[i]);
	if (!err) {
		bench_tell(bench, out);
		out->clock_ns = clock_cost();
	}
	kfree(bench);
unlock:
	mutex_unlock(&bench_lock);
	return err;
}
