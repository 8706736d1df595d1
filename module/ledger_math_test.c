// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit test of ledger_math.h, in user space; prints TAP.
 *
 *	cc -Wall -Wextra -o ledger_math_test ledger_math_test.c && ./ledger_math_test
 */
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As the kernel has them. */
#define TASK_INTERRUPTIBLE	0x0001
#define TASK_UNINTERRUPTIBLE	0x0002
#define TASK_STOPPED		0x0104
#define __TASK_STOPPED		0x0004
#define __TASK_TRACED		0x0008
#define TASK_TRACED		0x0008
#define EXIT_TRACE		0x0030
#define TASK_DEAD		0x0080
#define TASK_KILLABLE		0x0102
#define TASK_NOLOAD		0x0400
#define TASK_IDLE		0x0402
#define TASK_RTLOCK_WAIT	0x1000
#define TASK_FREEZABLE		0x2000
#define TASK_FROZEN		0x8000

#include "ledger_math.h"

static_assert(sizeof(struct schedscope_account) == 736, "the account's size is the ABI's");
static_assert(sizeof(struct schedscope_info) == 104, "the info's size is the ABI's");

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define RUN	SCHEDSCOPE_STATE_RUN
#define WAIT	SCHEDSCOPE_STATE_WAIT
#define SLEEP	SCHEDSCOPE_STATE_SLEEP
#define BLOCK	SCHEDSCOPE_STATE_BLOCK
#define UNKNOWN	SCHEDSCOPE_STATE_UNKNOWN
#define EXITED	SCHEDSCOPE_STATE_EXITED

static bool failed;

#define EXPECT_EQ(a, b) expect_eq((a), (b), #a " == " #b, __LINE__)

static void expect_eq(unsigned long long a, unsigned long long b, const char *what, int line)
{
	if (a == b)
		return;
	failed = true;
	printf("# line %d: expected %s, got %llu and %llu\n", line, what, a, b);
}

static struct tally tally_new(__u64 now, __u32 state)
{
	struct tally tally;

	memset(&tally, 0, sizeof(tally));
	tally_begin(&tally, now, state);
	return tally;
}

static struct schedscope_account read_at(const struct tally *tally, __u64 now)
{
	struct schedscope_account account;

	tally_read(tally, now, &account);
	EXPECT_EQ(account.run_ns + account.wait_ns + account.sleep_ns + account.block_ns +
		  account.unknown_ns, account.rec.time_ns - account.since_ns);
	return account;
}

static unsigned long long hist_sum(const __u32 *hist)
{
	unsigned long long sum = 0;

	for (int i = 0; i < SCHEDSCOPE_HIST_BUCKETS; i++)
		sum += hist[i];
	return sum;
}

static const __u32 end_of_state[] = {
	[WAIT] = SCHEDSCOPE_END_UNKNOWN,
	[SLEEP] = SCHEDSCOPE_END_BLOCKED,
	[BLOCK] = SCHEDSCOPE_END_BLOCKED,
	[EXITED] = SCHEDSCOPE_END_EXITED,
};

static void switch_out(struct tally *tally, __u64 now, __u32 cpu, __u32 state)
{
	const struct departure departure = { .state = state, .end = end_of_state[state] };
	const struct taker nobody = { 0 };

	tally_switch_out(tally, now, cpu, departure, nobody);
}

/* Runnable, and taken off the CPU by @tid. */
static void switch_out_to(struct tally *tally, __u64 now, __u32 cpu, __u32 end, __u32 tid)
{
	const struct departure departure = { .state = WAIT, .end = end };
	const struct taker taker = { .tid = tid, .start_ns = 1000 * tid };

	tally_switch_out(tally, now, cpu, departure, taker);
}

static __u32 state_after(bool preempt, unsigned int prev_state)
{
	return departure_of(preempt ? SCHEDSCOPE_SWITCH_PREEMPT : 0, prev_state, 120, 120,
			    false).state;
}

static void test_states(void)
{
	EXPECT_EQ(state_after(false, 0), WAIT);
	EXPECT_EQ(state_after(true, 0), WAIT);
	EXPECT_EQ(state_after(true, TASK_INTERRUPTIBLE), WAIT);
	EXPECT_EQ(state_after(true, TASK_DEAD), WAIT);
	EXPECT_EQ(state_after(false, TASK_INTERRUPTIBLE), SLEEP);
	EXPECT_EQ(state_after(false, TASK_INTERRUPTIBLE | TASK_FREEZABLE), SLEEP);
	EXPECT_EQ(state_after(false, TASK_STOPPED), SLEEP);
	EXPECT_EQ(state_after(false, TASK_TRACED), SLEEP);
	EXPECT_EQ(state_after(false, TASK_IDLE), SLEEP);
	EXPECT_EQ(state_after(false, TASK_UNINTERRUPTIBLE), BLOCK);
	EXPECT_EQ(state_after(false, TASK_KILLABLE), BLOCK);
	EXPECT_EQ(state_after(false, TASK_RTLOCK_WAIT), BLOCK);
	EXPECT_EQ(state_after(false, TASK_FROZEN), BLOCK);
	EXPECT_EQ(state_after(false, TASK_DEAD), EXITED);
}

static __u32 end_after(unsigned int flags, unsigned int prev_state, int prev_prio, int next_prio)
{
	return departure_of(flags, prev_state, prev_prio, next_prio, false).end;
}

/* All of them against userspace's rules: userspace/timeline/slice_end_test.cc. */
static void test_ends(void)
{
	const unsigned int preempt = SCHEDSCOPE_SWITCH_PREEMPT, tick = SCHEDSCOPE_SWITCH_TICK;
	const unsigned int yield = SCHEDSCOPE_SWITCH_YIELD, wakeup = SCHEDSCOPE_SWITCH_WAKEUP;

	EXPECT_EQ(end_after(0, TASK_INTERRUPTIBLE, 120, 120), SCHEDSCOPE_END_BLOCKED);
	EXPECT_EQ(end_after(0, TASK_STOPPED, 120, 120), SCHEDSCOPE_END_STOPPED);
	EXPECT_EQ(end_after(0, TASK_TRACED, 120, 120), SCHEDSCOPE_END_STOPPED);
	EXPECT_EQ(end_after(0, TASK_DEAD, 120, 120), SCHEDSCOPE_END_EXITED);
	EXPECT_EQ(end_after(yield, 0, 120, 120), SCHEDSCOPE_END_YIELDED);
	EXPECT_EQ(end_after(yield | preempt | tick, 0, 120, 120), SCHEDSCOPE_END_EXPIRED);
	EXPECT_EQ(end_after(tick, 0, 120, 120), SCHEDSCOPE_END_EXPIRED);
	EXPECT_EQ(end_after(wakeup, 0, 120, 100), SCHEDSCOPE_END_PREEMPTED);
	EXPECT_EQ(end_after(wakeup, 0, 120, 99), SCHEDSCOPE_END_OUTRANKED);
	EXPECT_EQ(end_after(wakeup, 0, 89, 79), SCHEDSCOPE_END_OUTRANKED);
	EXPECT_EQ(end_after(wakeup, 0, 89, -1), SCHEDSCOPE_END_OUTRANKED);
	EXPECT_EQ(end_after(tick, 0, 89, 120), SCHEDSCOPE_END_THROTTLED);
	EXPECT_EQ(departure_of(tick, 0, 120, 120, true).end, SCHEDSCOPE_END_THROTTLED);
	EXPECT_EQ(end_after(0, 0, 120, 120), SCHEDSCOPE_END_UNKNOWN);
	EXPECT_EQ(end_after(preempt, TASK_DEAD, 120, 120), SCHEDSCOPE_END_UNKNOWN);
}

static void test_buckets(void)
{
	EXPECT_EQ(tally_bucket(0), 0);
	EXPECT_EQ(tally_bucket(1), 0);
	EXPECT_EQ(tally_bucket(2), 1);
	EXPECT_EQ(tally_bucket(3), 1);
	EXPECT_EQ(tally_bucket(4), 2);
	EXPECT_EQ(tally_bucket((1ULL << 39) - 1), 38);
	EXPECT_EQ(tally_bucket(1ULL << 39), 39);
	EXPECT_EQ(tally_bucket(~0ULL), 39);
}

static void test_life(void)
{
	struct tally tally = tally_new(100, WAIT);
	struct schedscope_account account;

	tally_switch_in(&tally, 110, 0);
	switch_out(&tally, 150, 0, SLEEP);
	tally_wake(&tally, 1150, false);
	tally_switch_in(&tally, 1153, 1);
	switch_out(&tally, 1160, 1, WAIT);
	tally_switch_in(&tally, 1170, 1);
	switch_out(&tally, 1171, 1, BLOCK);
	tally_wake(&tally, 1181, false);
	tally_switch_in(&tally, 1182, 1);
	switch_out(&tally, 1190, 1, EXITED);

	account = read_at(&tally, 5000);
	EXPECT_EQ(account.rec.kind, SCHEDSCOPE_REC_ACCOUNT);
	EXPECT_EQ(account.rec.size, sizeof(account));
	EXPECT_EQ(account.rec.time_ns, 1190);
	EXPECT_EQ(account.state, EXITED);
	EXPECT_EQ(account.run_ns, 40 + 7 + 1 + 8);
	EXPECT_EQ(account.wait_ns, 10 + 3 + 10 + 1);
	EXPECT_EQ(account.sleep_ns, 1000);
	EXPECT_EQ(account.block_ns, 10);
	EXPECT_EQ(account.unknown_ns, 0);
	EXPECT_EQ(account.slices, 4);
	EXPECT_EQ(account.voluntary, 3);
	EXPECT_EQ(account.involuntary, 1);
	EXPECT_EQ(account.migrations, 1);
	EXPECT_EQ(account.wakeups, 2);
	EXPECT_EQ(account.cpu, 1);
	EXPECT_EQ(account.slice_hist[5], 1);
	EXPECT_EQ(account.slice_hist[2], 1);
	EXPECT_EQ(account.slice_hist[0], 1);
	EXPECT_EQ(account.slice_hist[3], 1);
	EXPECT_EQ(account.wait_hist[3], 2);
	EXPECT_EQ(account.wait_hist[1], 1);
	EXPECT_EQ(account.wait_hist[0], 1);
}

static void test_open_span(void)
{
	struct tally tally = tally_new(100, WAIT);

	EXPECT_EQ(read_at(&tally, 105).wait_ns, 5);
	tally_switch_in(&tally, 110, 0);
	EXPECT_EQ(read_at(&tally, 117).run_ns, 7);
	EXPECT_EQ(read_at(&tally, 117).slices, 0);
	switch_out(&tally, 120, 0, BLOCK);
	EXPECT_EQ(read_at(&tally, 130).block_ns, 10);
	EXPECT_EQ(read_at(&tally, 130).state, BLOCK);
}

static void test_longest(void)
{
	struct tally tally = tally_new(100, UNKNOWN);

	/* What was open when the account began has no length. */
	switch_out(&tally, 900, 0, WAIT);
	EXPECT_EQ(read_at(&tally, 900).longest_slice_ns, 0);
	EXPECT_EQ(read_at(&tally, 905).longest_wait_ns, 5);
	EXPECT_EQ(read_at(&tally, 905).longest_wait_at_ns, 900);
	tally_switch_in(&tally, 910, 0);
	switch_out(&tally, 940, 0, WAIT);
	tally_switch_in(&tally, 945, 0);
	switch_out(&tally, 975, 0, SLEEP);
	EXPECT_EQ(read_at(&tally, 980).longest_wait_ns, 10);
	EXPECT_EQ(read_at(&tally, 980).longest_wait_at_ns, 900);
	/* Of two of one length the first. */
	EXPECT_EQ(read_at(&tally, 980).longest_slice_ns, 30);
	EXPECT_EQ(read_at(&tally, 980).longest_slice_at_ns, 910);
	/* A sleep is neither. */
	tally_wake(&tally, 5000, false);
	tally_switch_in(&tally, 5002, 0);
	EXPECT_EQ(read_at(&tally, 5002).longest_wait_ns, 10);
	EXPECT_EQ(read_at(&tally, 5030).longest_slice_ns, 30);
	EXPECT_EQ(read_at(&tally, 5033).longest_slice_ns, 31);
	EXPECT_EQ(read_at(&tally, 5033).longest_slice_at_ns, 5002);
}

static unsigned long long ends_sum(const struct schedscope_account *account)
{
	unsigned long long sum = 0;

	for (int i = 0; i < SCHEDSCOPE_ENDS; i++)
		sum += account->ends[i];
	return sum;
}

static void test_count_stops(void)
{
	struct tally tally = tally_new(0, WAIT);

	tally.account.slice_hist[3] = ~0U - 1;
	for (int i = 0; i < 3; i++) {
		tally_switch_in(&tally, 20 * i, 0);
		switch_out(&tally, 20 * i + 8, 0, WAIT);
	}
	EXPECT_EQ(read_at(&tally, 100).slice_hist[3], ~0U);
}

/* Taken off the CPU by the stopper; only what that moves meanwhile was migrated. */
static void test_migrated(void)
{
	const struct departure outranked = { .state = WAIT, .end = SCHEDSCOPE_END_OUTRANKED };
	const struct taker stopper = { .tid = 20, .start_ns = 1, .stopper = true };
	struct tally tally = tally_new(0, WAIT);

	tally_switch_in(&tally, 0, 2);
	tally_switch_out(&tally, 10, 2, outranked, stopper);
	EXPECT_EQ(read_at(&tally, 10).ends[SCHEDSCOPE_END_OUTRANKED], 1);
	tally_migrated(&tally, 3);	/* another CPU's stopper */
	EXPECT_EQ(read_at(&tally, 10).ends[SCHEDSCOPE_END_OUTRANKED], 1);
	tally_migrated(&tally, 2);
	EXPECT_EQ(read_at(&tally, 10).ends[SCHEDSCOPE_END_OUTRANKED], 0);
	EXPECT_EQ(read_at(&tally, 10).ends[SCHEDSCOPE_END_MIGRATED], 1);
	tally_migrated(&tally, 2);
	EXPECT_EQ(read_at(&tally, 10).ends[SCHEDSCOPE_END_MIGRATED], 1);
	tally_switch_in(&tally, 15, 3);
	EXPECT_EQ(read_at(&tally, 15).preemptor_tid[0], 0);

	/* The stopper came for something else; what moves the thread later is no end of a slice. */
	tally_switch_out(&tally, 20, 3, outranked, stopper);
	tally_switch_in(&tally, 25, 3);
	switch_out(&tally, 30, 3, WAIT);
	tally_migrated(&tally, 3);
	EXPECT_EQ(read_at(&tally, 30).ends[SCHEDSCOPE_END_MIGRATED], 1);
	EXPECT_EQ(read_at(&tally, 30).ends[SCHEDSCOPE_END_OUTRANKED], 1);
	EXPECT_EQ(read_at(&tally, 30).preemptor_tid[0], 20);
	EXPECT_EQ(read_at(&tally, 30).preemptor_count[0], 1);
	EXPECT_EQ(read_at(&tally, 30).preemptor_wait_ns[0], 5);
	EXPECT_EQ(ends_sum(&tally.account), 3);
}

/* What is certain of each, with the wait that followed. */
static void test_preemptors(void)
{
	struct schedscope_account account;
	struct tally tally = tally_new(0, WAIT);
	__u64 now = 0;

	tally_switch_in(&tally, now, 0);
	for (__u32 tid = 1; tid <= 4; tid++)
		for (__u32 i = 0; i < tid; i++) {
			switch_out_to(&tally, now += 3, 0, SCHEDSCOPE_END_PREEMPTED, tid);
			EXPECT_EQ(read_at(&tally, now + 1).preemptor_count[tid - 1], i);
			tally_switch_in(&tally, now += 10 * tid, 0);
		}
	account = read_at(&tally, now);
	for (__u32 tid = 1; tid <= 4; tid++) {
		EXPECT_EQ(account.preemptor_tid[tid - 1], tid);
		EXPECT_EQ(account.preemptor_start_ns[tid - 1], 1000 * tid);
		EXPECT_EQ(account.preemptor_count[tid - 1], tid);
		EXPECT_EQ(account.preemptor_missed_max[tid - 1], 0);
		EXPECT_EQ(account.preemptor_wait_ns[tid - 1], 10 * tid * tid);
	}

	/* A fifth takes the place of the one that came least, and may have come as often. */
	for (int i = 0; i < 2; i++) {
		switch_out_to(&tally, now += 3, 0, SCHEDSCOPE_END_PREEMPTED, 5);
		tally_switch_in(&tally, now += 7, 0);
	}
	account = read_at(&tally, now);
	EXPECT_EQ(account.preemptor_tid[0], 5);
	EXPECT_EQ(account.preemptor_count[0], 2);
	EXPECT_EQ(account.preemptor_missed_max[0], 1);
	EXPECT_EQ(account.preemptor_wait_ns[0], 14);
	EXPECT_EQ(account.preemptor_tid[1], 2);

	/* A tid that is used again is another thread. */
	tally_preempted(&tally.account, 4, 77, 1);
	account = read_at(&tally, now);
	EXPECT_EQ(account.preemptor_count[3], 4);
	EXPECT_EQ(account.preemptor_start_ns[1], 77);
	EXPECT_EQ(account.preemptor_missed_max[1], 2);
}

/* However they come: no count is too high, none is too low by more than it says. */
static void test_preemptors_bound(void)
{
	enum { TIDS = 40 };

	srand(2);
	for (int round = 0; round < 200; round++) {
		struct schedscope_account account = { 0 };
		unsigned long long counts[TIDS + 1] = { 0 }, waits[TIDS + 1] = { 0 };
		const int all = 1 + rand() % 5000, skew = 1 + rand() % 4;

		for (int i = 0; i < all; i++) {
			double x = rand() / (RAND_MAX + 1.0), y = x;
			__u32 tid;

			for (int j = 0; j < skew; j++)
				y *= x;
			tid = 1 + (__u32)(y * TIDS);
			counts[tid]++;
			waits[tid] += i;
			tally_preempted(&account, tid, 1, i);
		}
		for (__u32 tid = 1; tid <= TIDS; tid++) {
			unsigned long long count = 0, missed_max = 0, wait_ns = 0;
			bool found = false;

			for (int i = 0; i < SCHEDSCOPE_PREEMPTORS; i++) {
				if (account.preemptor_tid[i] != tid)
					continue;
				found = true;
				count = account.preemptor_count[i];
				missed_max = account.preemptor_missed_max[i];
				wait_ns = account.preemptor_wait_ns[i];
			}
			EXPECT_EQ(count <= counts[tid], true);
			EXPECT_EQ(wait_ns <= waits[tid], true);
			EXPECT_EQ(!found || counts[tid] <= count + missed_max, true);
			EXPECT_EQ(found || 4 * counts[tid] <= (unsigned int)all, true);
		}
		if (failed)
			return;
	}
}

/* The waker came before the switch, and waits for the CPU to be left: no sleep. */
static void test_wake_that_races(void)
{
	struct tally tally = tally_new(0, WAIT);

	tally_switch_in(&tally, 0, 0);
	tally_wake(&tally, 9, true);
	switch_out(&tally, 10, 0, SLEEP);
	EXPECT_EQ(read_at(&tally, 15).unknown_ns, 5);
	EXPECT_EQ(read_at(&tally, 15).state, UNKNOWN);
	tally_switch_in(&tally, 30, 0);
	EXPECT_EQ(read_at(&tally, 30).wait_ns, 20);
	EXPECT_EQ(read_at(&tally, 30).wait_hist[4], 1);
	EXPECT_EQ(read_at(&tally, 30).sleep_ns, 0);
	EXPECT_EQ(read_at(&tally, 30).unknown_ns, 0);
}

/* The wakeup was consumed in place; the thread slept later, and was woken again. */
static void test_wake_that_is_stale(void)
{
	struct tally tally = tally_new(0, WAIT);

	tally_switch_in(&tally, 0, 0);
	tally_wake(&tally, 5, true);
	switch_out(&tally, 10, 0, BLOCK);
	EXPECT_EQ(read_at(&tally, 15).unknown_ns, 5);
	tally_wake(&tally, 40, false);
	EXPECT_EQ(read_at(&tally, 45).block_ns, 30);
	EXPECT_EQ(read_at(&tally, 45).unknown_ns, 0);
	EXPECT_EQ(read_at(&tally, 45).wait_ns, 5);

	/* It says nothing about the next sleep. */
	tally_switch_in(&tally, 50, 0);
	switch_out(&tally, 60, 0, SLEEP);
	EXPECT_EQ(read_at(&tally, 70).sleep_ns, 10);
}

/* A preempted thread that is woken in the queue goes on waiting. */
static void test_wake_while_queued(void)
{
	struct tally tally = tally_new(0, WAIT);

	tally_switch_in(&tally, 0, 0);
	switch_out(&tally, 10, 0, WAIT);
	tally_wake(&tally, 15, true);
	tally_switch_in(&tally, 20, 0);
	EXPECT_EQ(read_at(&tally, 20).wait_ns, 10);
	EXPECT_EQ(read_at(&tally, 20).wait_hist[3], 1);
	EXPECT_EQ(read_at(&tally, 20).wakeups, 1);
}

/* Woken on its way into a sleep, preempted there, and the waker is still not through. */
static void test_wake_before_preemption(void)
{
	struct tally tally = tally_new(0, WAIT);

	tally_switch_in(&tally, 0, 0);
	tally_wake(&tally, 5, true);
	switch_out(&tally, 10, 0, WAIT);
	tally_switch_in(&tally, 20, 0);
	switch_out(&tally, 30, 0, SLEEP);
	EXPECT_EQ(read_at(&tally, 35).sleep_ns, 0);
	EXPECT_EQ(read_at(&tally, 35).unknown_ns, 5);
	tally_switch_in(&tally, 40, 0);
	EXPECT_EQ(read_at(&tally, 40).wait_ns, 20);
	EXPECT_EQ(read_at(&tally, 40).sleep_ns, 0);
}

static void test_before_the_ledger(void)
{
	struct tally tally = tally_new(100, UNKNOWN);

	EXPECT_EQ(read_at(&tally, 110).unknown_ns, 10);

	/* It was running. */
	switch_out(&tally, 120, 3, SLEEP);
	EXPECT_EQ(read_at(&tally, 120).unknown_ns, 20);
	EXPECT_EQ(read_at(&tally, 120).slices, 1);
	EXPECT_EQ(hist_sum(read_at(&tally, 120).slice_hist), 0);
	tally_wake(&tally, 130, false);
	tally_switch_in(&tally, 131, 2);
	EXPECT_EQ(read_at(&tally, 131).migrations, 1);

	/* It was queued, and not even a wakeup says otherwise. */
	tally = tally_new(100, UNKNOWN);
	tally_wake(&tally, 110, true);
	tally_switch_in(&tally, 120, 2);
	EXPECT_EQ(read_at(&tally, 120).unknown_ns, 20);
	EXPECT_EQ(read_at(&tally, 120).migrations, 0);
	EXPECT_EQ(hist_sum(read_at(&tally, 120).wait_hist), 0);

	/* It was asleep. */
	tally = tally_new(100, UNKNOWN);
	tally_wake(&tally, 110, false);
	tally_switch_in(&tally, 120, 2);
	EXPECT_EQ(read_at(&tally, 120).unknown_ns, 10);
	EXPECT_EQ(read_at(&tally, 120).wait_ns, 10);

	/* It was not born yet. */
	tally = tally_new(100, UNKNOWN);
	tally_wake_new(&tally, 110);
	EXPECT_EQ(read_at(&tally, 120).unknown_ns, 10);
	EXPECT_EQ(read_at(&tally, 120).wait_ns, 10);
}

static void test_clock_goes_back(void)
{
	struct tally tally = tally_new(1000, WAIT);

	EXPECT_EQ(read_at(&tally, 900).rec.time_ns, 1000);
	tally_switch_in(&tally, 990, 0);
	switch_out(&tally, 1010, 0, SLEEP);
	tally_wake(&tally, 1005, false);
	tally_switch_in(&tally, 1020, 0);
	EXPECT_EQ(read_at(&tally, 1015).rec.time_ns, 1020);
	EXPECT_EQ(read_at(&tally, 1020).run_ns, 10);
	EXPECT_EQ(read_at(&tally, 1020).sleep_ns, 0);
	EXPECT_EQ(read_at(&tally, 1020).wait_ns, 10);
}

/* Any order of events at all, also impossible ones: the spans add up. */
static void test_any_order(void)
{
	static const __u32 next[] = { WAIT, SLEEP, BLOCK };

	srand(1);
	for (int round = 0; round < 1000; round++) {
		struct tally tally = tally_new(rand() % 1000, round % 2 ? WAIT : UNKNOWN);
		struct schedscope_account account;
		__u64 now = 500;

		for (int i = 0; i < 200; i++) {
			now += rand() % 100 - 5;
			switch (rand() % 6) {
			case 0:
				tally_wake(&tally, now, rand() % 2);
				break;
			case 1:
				tally_switch_in(&tally, now, rand() % 4);
				break;
			case 2:
				switch_out(&tally, now, rand() % 4,
					   next[rand() % ARRAY_SIZE(next)]);
				break;
			case 3:
				tally_wake_new(&tally, now);
				break;
			case 4:
				switch_out_to(&tally, now, rand() % 4, rand() % SCHEDSCOPE_ENDS,
					      rand() % 3);
				tally.held = rand() % 2;
				break;
			case 5:
				tally_migrated(&tally, rand() % 4);
				break;
			}
			read_at(&tally, now + rand() % 10 - 5);
		}
		account = read_at(&tally, now);
		EXPECT_EQ(account.slices, account.voluntary + account.involuntary);
		EXPECT_EQ(account.slices, ends_sum(&account));
		if (failed)
			return;
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "states", test_states },
	{ "ends", test_ends },
	{ "buckets", test_buckets },
	{ "life", test_life },
	{ "open_span", test_open_span },
	{ "longest", test_longest },
	{ "count_stops", test_count_stops },
	{ "migrated", test_migrated },
	{ "preemptors", test_preemptors },
	{ "preemptors_bound", test_preemptors_bound },
	{ "wake_that_races", test_wake_that_races },
	{ "wake_that_is_stale", test_wake_that_is_stale },
	{ "wake_while_queued", test_wake_while_queued },
	{ "wake_before_preemption", test_wake_before_preemption },
	{ "before_the_ledger", test_before_the_ledger },
	{ "clock_goes_back", test_clock_goes_back },
	{ "any_order", test_any_order },
};

int main(void)
{
	const int count = ARRAY_SIZE(tests);
	bool any = false;

	printf("TAP version 13\n1..%d\n", count);
	for (int i = 0; i < count; i++) {
		failed = false;
		tests[i].run();
		any |= failed;
		printf("%s %d ledger_math.%s\n", failed ? "not ok" : "ok", i + 1, tests[i].name);
	}
	return any;
}
