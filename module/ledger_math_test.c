// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of ledger_math.h, as a KUnit suite. In user space, tests/kunit/kunit/test.h
 * stands in for KUnit and for what is used of the kernel besides.
 */
#include <linux/sched.h>
#include <linux/string.h>
#include <kunit/test.h>

#include "ledger_math.h"

static_assert(sizeof(struct schedscope_account) == 736, "the account's size is the ABI's");
static_assert(sizeof(struct schedscope_info) == 104, "the info's size is the ABI's");

#define RUN	SCHEDSCOPE_STATE_RUN
#define WAIT	SCHEDSCOPE_STATE_WAIT
#define SLEEP	SCHEDSCOPE_STATE_SLEEP
#define BLOCK	SCHEDSCOPE_STATE_BLOCK
#define UNKNOWN	SCHEDSCOPE_STATE_UNKNOWN
#define EXITED	SCHEDSCOPE_STATE_EXITED

/* The same each time, and everywhere. */
static unsigned int rand_seed;

static unsigned int rand_below(unsigned int bound)
{
	rand_seed = rand_seed * 1664525U + 1013904223U;
	return (rand_seed >> 8) % bound;
}

static void tally_start(struct tally *tally, __u64 now, __u32 state)
{
	memset(tally, 0, sizeof(*tally));
	tally_begin(tally, now, state);
}

/* Until the next is read: too much for the kernel's stack to have many of. */
static const struct schedscope_account *read_at(struct kunit *test, const struct tally *tally,
						__u64 now)
{
	static struct schedscope_account account;

	tally_read(tally, now, &account);
	KUNIT_EXPECT_EQ(test, account.run_ns + account.wait_ns + account.sleep_ns +
			account.block_ns + account.unknown_ns,
			account.rec.time_ns - account.since_ns);
	return &account;
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

static void states(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, state_after(false, 0), WAIT);
	KUNIT_EXPECT_EQ(test, state_after(true, 0), WAIT);
	KUNIT_EXPECT_EQ(test, state_after(true, TASK_INTERRUPTIBLE), WAIT);
	KUNIT_EXPECT_EQ(test, state_after(true, TASK_DEAD), WAIT);
	KUNIT_EXPECT_EQ(test, state_after(false, TASK_INTERRUPTIBLE), SLEEP);
	KUNIT_EXPECT_EQ(test, state_after(false, TASK_INTERRUPTIBLE | TASK_FREEZABLE), SLEEP);
	KUNIT_EXPECT_EQ(test, state_after(false, TASK_STOPPED), SLEEP);
	KUNIT_EXPECT_EQ(test, state_after(false, TASK_TRACED), SLEEP);
	KUNIT_EXPECT_EQ(test, state_after(false, TASK_IDLE), SLEEP);
	KUNIT_EXPECT_EQ(test, state_after(false, TASK_UNINTERRUPTIBLE), BLOCK);
	KUNIT_EXPECT_EQ(test, state_after(false, TASK_KILLABLE), BLOCK);
	KUNIT_EXPECT_EQ(test, state_after(false, TASK_RTLOCK_WAIT), BLOCK);
	KUNIT_EXPECT_EQ(test, state_after(false, TASK_FROZEN), BLOCK);
	KUNIT_EXPECT_EQ(test, state_after(false, TASK_DEAD), EXITED);
}

static __u32 end_after(unsigned int flags, unsigned int prev_state, int prev_prio, int next_prio)
{
	return departure_of(flags, prev_state, prev_prio, next_prio, false).end;
}

/* All of them against userspace's rules: userspace/timeline/slice_end_test.cc. */
static void ends(struct kunit *test)
{
	const unsigned int preempt = SCHEDSCOPE_SWITCH_PREEMPT, tick = SCHEDSCOPE_SWITCH_TICK;
	const unsigned int yield = SCHEDSCOPE_SWITCH_YIELD, wakeup = SCHEDSCOPE_SWITCH_WAKEUP;

	KUNIT_EXPECT_EQ(test, end_after(0, TASK_INTERRUPTIBLE, 120, 120), SCHEDSCOPE_END_BLOCKED);
	KUNIT_EXPECT_EQ(test, end_after(0, TASK_STOPPED, 120, 120), SCHEDSCOPE_END_STOPPED);
	KUNIT_EXPECT_EQ(test, end_after(0, TASK_TRACED, 120, 120), SCHEDSCOPE_END_STOPPED);
	KUNIT_EXPECT_EQ(test, end_after(0, TASK_DEAD, 120, 120), SCHEDSCOPE_END_EXITED);
	KUNIT_EXPECT_EQ(test, end_after(yield, 0, 120, 120), SCHEDSCOPE_END_YIELDED);
	KUNIT_EXPECT_EQ(test, end_after(yield | preempt | tick, 0, 120, 120),
			SCHEDSCOPE_END_EXPIRED);
	KUNIT_EXPECT_EQ(test, end_after(yield | tick, 0, 120, 120), SCHEDSCOPE_END_EXPIRED);
	KUNIT_EXPECT_EQ(test, end_after(yield | wakeup, 0, 120, 120), SCHEDSCOPE_END_PREEMPTED);
	KUNIT_EXPECT_EQ(test, end_after(yield | wakeup, 0, 120, 99), SCHEDSCOPE_END_OUTRANKED);
	KUNIT_EXPECT_EQ(test, end_after(tick, 0, 120, 120), SCHEDSCOPE_END_EXPIRED);
	KUNIT_EXPECT_EQ(test, end_after(wakeup, 0, 120, 100), SCHEDSCOPE_END_PREEMPTED);
	KUNIT_EXPECT_EQ(test, end_after(wakeup, 0, 120, 99), SCHEDSCOPE_END_OUTRANKED);
	KUNIT_EXPECT_EQ(test, end_after(wakeup, 0, 89, 79), SCHEDSCOPE_END_OUTRANKED);
	KUNIT_EXPECT_EQ(test, end_after(wakeup, 0, 89, -1), SCHEDSCOPE_END_OUTRANKED);
	KUNIT_EXPECT_EQ(test, end_after(tick, 0, 89, 120), SCHEDSCOPE_END_THROTTLED);
	KUNIT_EXPECT_EQ(test, departure_of(tick, 0, 120, 120, true).end, SCHEDSCOPE_END_THROTTLED);
	KUNIT_EXPECT_EQ(test, end_after(0, 0, 120, 120), SCHEDSCOPE_END_UNKNOWN);
	KUNIT_EXPECT_EQ(test, end_after(preempt, TASK_DEAD, 120, 120), SCHEDSCOPE_END_UNKNOWN);
}

static void buckets(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, tally_bucket(0), 0);
	KUNIT_EXPECT_EQ(test, tally_bucket(1), 0);
	KUNIT_EXPECT_EQ(test, tally_bucket(2), 1);
	KUNIT_EXPECT_EQ(test, tally_bucket(3), 1);
	KUNIT_EXPECT_EQ(test, tally_bucket(4), 2);
	KUNIT_EXPECT_EQ(test, tally_bucket((1ULL << 39) - 1), 38);
	KUNIT_EXPECT_EQ(test, tally_bucket(1ULL << 39), 39);
	KUNIT_EXPECT_EQ(test, tally_bucket(~0ULL), 39);
}

static void life(struct kunit *test)
{
	struct tally tally;
	const struct schedscope_account *account;

	tally_start(&tally, 100, WAIT);
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

	account = read_at(test, &tally, 5000);
	KUNIT_EXPECT_EQ(test, account->rec.kind, SCHEDSCOPE_REC_ACCOUNT);
	KUNIT_EXPECT_EQ(test, account->rec.size, sizeof(*account));
	KUNIT_EXPECT_EQ(test, account->rec.time_ns, 1190);
	KUNIT_EXPECT_EQ(test, account->state, EXITED);
	KUNIT_EXPECT_EQ(test, account->run_ns, 40 + 7 + 1 + 8);
	KUNIT_EXPECT_EQ(test, account->wait_ns, 10 + 3 + 10 + 1);
	KUNIT_EXPECT_EQ(test, account->sleep_ns, 1000);
	KUNIT_EXPECT_EQ(test, account->block_ns, 10);
	KUNIT_EXPECT_EQ(test, account->unknown_ns, 0);
	KUNIT_EXPECT_EQ(test, account->slices, 4);
	KUNIT_EXPECT_EQ(test, account->voluntary, 3);
	KUNIT_EXPECT_EQ(test, account->involuntary, 1);
	KUNIT_EXPECT_EQ(test, account->migrations, 1);
	KUNIT_EXPECT_EQ(test, account->wakeups, 2);
	KUNIT_EXPECT_EQ(test, account->cpu, 1);
	KUNIT_EXPECT_EQ(test, account->slice_hist[5], 1);
	KUNIT_EXPECT_EQ(test, account->slice_hist[2], 1);
	KUNIT_EXPECT_EQ(test, account->slice_hist[0], 1);
	KUNIT_EXPECT_EQ(test, account->slice_hist[3], 1);
	KUNIT_EXPECT_EQ(test, account->wait_hist[3], 2);
	KUNIT_EXPECT_EQ(test, account->wait_hist[1], 1);
	KUNIT_EXPECT_EQ(test, account->wait_hist[0], 1);
}

static void open_span(struct kunit *test)
{
	struct tally tally;

	tally_start(&tally, 100, WAIT);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 105)->wait_ns, 5);
	tally_switch_in(&tally, 110, 0);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 117)->run_ns, 7);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 117)->slices, 0);
	switch_out(&tally, 120, 0, BLOCK);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 130)->block_ns, 10);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 130)->state, BLOCK);
}

static void longest(struct kunit *test)
{
	struct tally tally;

	tally_start(&tally, 100, UNKNOWN);
	/* What was open when the account began has no length. */
	switch_out(&tally, 900, 0, WAIT);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 900)->longest_slice_ns, 0);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 905)->longest_wait_ns, 5);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 905)->longest_wait_at_ns, 900);
	tally_switch_in(&tally, 910, 0);
	switch_out(&tally, 940, 0, WAIT);
	tally_switch_in(&tally, 945, 0);
	switch_out(&tally, 975, 0, SLEEP);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 980)->longest_wait_ns, 10);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 980)->longest_wait_at_ns, 900);
	/* Of two of one length the first. */
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 980)->longest_slice_ns, 30);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 980)->longest_slice_at_ns, 910);
	/* A sleep is neither. */
	tally_wake(&tally, 5000, false);
	tally_switch_in(&tally, 5002, 0);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 5002)->longest_wait_ns, 10);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 5030)->longest_slice_ns, 30);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 5033)->longest_slice_ns, 31);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 5033)->longest_slice_at_ns, 5002);
}

static unsigned long long ends_sum(const struct schedscope_account *account)
{
	unsigned long long sum = 0;

	for (int i = 0; i < SCHEDSCOPE_ENDS; i++)
		sum += account->ends[i];
	return sum;
}

static void count_stops(struct kunit *test)
{
	struct tally tally;

	tally_start(&tally, 0, WAIT);
	tally.account.slice_hist[3] = ~0U - 1;
	for (int i = 0; i < 3; i++) {
		tally_switch_in(&tally, 20 * i, 0);
		switch_out(&tally, 20 * i + 8, 0, WAIT);
	}
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 100)->slice_hist[3], ~0U);
}

/* Taken off the CPU by the stopper; only what that moves meanwhile was migrated. */
static void migrated(struct kunit *test)
{
	const struct departure outranked = { .state = WAIT, .end = SCHEDSCOPE_END_OUTRANKED };
	const struct taker stopper = { .tid = 20, .start_ns = 1, .stopper = true };
	struct tally tally;

	tally_start(&tally, 0, WAIT);
	tally_switch_in(&tally, 0, 2);
	tally_switch_out(&tally, 10, 2, outranked, stopper);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 10)->ends[SCHEDSCOPE_END_OUTRANKED], 1);
	tally_migrated(&tally, 3);	/* another CPU's stopper */
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 10)->ends[SCHEDSCOPE_END_OUTRANKED], 1);
	tally_migrated(&tally, 2);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 10)->ends[SCHEDSCOPE_END_OUTRANKED], 0);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 10)->ends[SCHEDSCOPE_END_MIGRATED], 1);
	tally_migrated(&tally, 2);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 10)->ends[SCHEDSCOPE_END_MIGRATED], 1);
	tally_switch_in(&tally, 15, 3);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 15)->preemptor_tid[0], 0);

	/* The stopper came for something else; what moves the thread later is no end of a slice. */
	tally_switch_out(&tally, 20, 3, outranked, stopper);
	tally_switch_in(&tally, 25, 3);
	switch_out(&tally, 30, 3, WAIT);
	tally_migrated(&tally, 3);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 30)->ends[SCHEDSCOPE_END_MIGRATED], 1);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 30)->ends[SCHEDSCOPE_END_OUTRANKED], 1);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 30)->preemptor_tid[0], 20);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 30)->preemptor_count[0], 1);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 30)->preemptor_wait_ns[0], 5);
	KUNIT_EXPECT_EQ(test, ends_sum(&tally.account), 3);
}

/* What is certain of each, with the wait that followed. */
static void preemptors(struct kunit *test)
{
	const struct schedscope_account *account;
	struct tally tally;
	__u64 now = 0;

	tally_start(&tally, 0, WAIT);
	tally_switch_in(&tally, now, 0);
	for (__u32 tid = 1; tid <= 4; tid++)
		for (__u32 i = 0; i < tid; i++) {
			switch_out_to(&tally, now += 3, 0, SCHEDSCOPE_END_PREEMPTED, tid);
			KUNIT_EXPECT_EQ(test, i,
					read_at(test, &tally, now + 1)->preemptor_count[tid - 1]);
			tally_switch_in(&tally, now += 10 * tid, 0);
		}
	account = read_at(test, &tally, now);
	for (__u32 tid = 1; tid <= 4; tid++) {
		KUNIT_EXPECT_EQ(test, account->preemptor_tid[tid - 1], tid);
		KUNIT_EXPECT_EQ(test, account->preemptor_start_ns[tid - 1], 1000 * tid);
		KUNIT_EXPECT_EQ(test, account->preemptor_count[tid - 1], tid);
		KUNIT_EXPECT_EQ(test, account->preemptor_missed_max[tid - 1], 0);
		KUNIT_EXPECT_EQ(test, account->preemptor_wait_ns[tid - 1], 10 * tid * tid);
	}

	/* A fifth takes the place of the one that came least, and may have come as often. */
	for (int i = 0; i < 2; i++) {
		switch_out_to(&tally, now += 3, 0, SCHEDSCOPE_END_PREEMPTED, 5);
		tally_switch_in(&tally, now += 7, 0);
	}
	account = read_at(test, &tally, now);
	KUNIT_EXPECT_EQ(test, account->preemptor_tid[0], 5);
	KUNIT_EXPECT_EQ(test, account->preemptor_count[0], 2);
	KUNIT_EXPECT_EQ(test, account->preemptor_missed_max[0], 1);
	KUNIT_EXPECT_EQ(test, account->preemptor_wait_ns[0], 14);
	KUNIT_EXPECT_EQ(test, account->preemptor_tid[1], 2);

	/* A tid that is used again is another thread. */
	tally_preempted(&tally.account, 4, 77, 1);
	account = read_at(test, &tally, now);
	KUNIT_EXPECT_EQ(test, account->preemptor_count[3], 4);
	KUNIT_EXPECT_EQ(test, account->preemptor_start_ns[1], 77);
	KUNIT_EXPECT_EQ(test, account->preemptor_missed_max[1], 2);
}

/* However they come: no count is too high, none is too low by more than it says. */
static void preemptors_bound(struct kunit *test)
{
	enum { TIDS = 40 };

	rand_seed = 2;
	for (int round = 0; round < 200; round++) {
		struct schedscope_account account = { 0 };
		unsigned long long counts[TIDS + 1] = { 0 }, waits[TIDS + 1] = { 0 };
		const int all = 1 + rand_below(5000), skew = 1 + rand_below(4);

		for (int i = 0; i < all; i++) {
			const __u64 x = rand_below(1 << 16);
			__u64 y = x;
			__u32 tid;

			for (int j = 0; j < skew; j++)
				y = y * x >> 16;
			tid = 1 + (__u32)(y * TIDS >> 16);
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
			KUNIT_EXPECT_EQ(test, count <= counts[tid], true);
			KUNIT_EXPECT_EQ(test, wait_ns <= waits[tid], true);
			KUNIT_EXPECT_EQ(test, !found || counts[tid] <= count + missed_max, true);
			KUNIT_EXPECT_EQ(test, found || 4 * counts[tid] <= (unsigned int)all, true);
		}
		if (test->status == KUNIT_FAILURE)
			return;
	}
}

/* The waker came before the switch, and waits for the CPU to be left: no sleep. */
static void wake_that_races(struct kunit *test)
{
	struct tally tally;

	tally_start(&tally, 0, WAIT);
	tally_switch_in(&tally, 0, 0);
	tally_wake(&tally, 9, true);
	switch_out(&tally, 10, 0, SLEEP);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 15)->unknown_ns, 5);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 15)->state, UNKNOWN);
	tally_switch_in(&tally, 30, 0);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 30)->wait_ns, 20);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 30)->wait_hist[4], 1);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 30)->sleep_ns, 0);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 30)->unknown_ns, 0);
}

/* The wakeup was consumed in place; the thread slept later, and was woken again. */
static void wake_that_is_stale(struct kunit *test)
{
	struct tally tally;

	tally_start(&tally, 0, WAIT);
	tally_switch_in(&tally, 0, 0);
	tally_wake(&tally, 5, true);
	switch_out(&tally, 10, 0, BLOCK);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 15)->unknown_ns, 5);
	tally_wake(&tally, 40, false);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 45)->block_ns, 30);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 45)->unknown_ns, 0);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 45)->wait_ns, 5);

	/* It says nothing about the next sleep. */
	tally_switch_in(&tally, 50, 0);
	switch_out(&tally, 60, 0, SLEEP);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 70)->sleep_ns, 10);
}

/* The wakeup was consumed in place, as its end says: it has nothing to do with the next sleep. */
static void wake_in_place(struct kunit *test)
{
	struct tally tally;

	tally_start(&tally, 0, WAIT);
	tally_switch_in(&tally, 0, 0);
	tally_wake(&tally, 5, true);
	tally_woken(&tally);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 8)->state, RUN);
	switch_out(&tally, 10, 0, SLEEP);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 15)->state, SLEEP);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 15)->sleep_ns, 5);
	tally_wake(&tally, 20, false);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 25)->sleep_ns, 10);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 25)->wait_ns, 5);
}

/* The waker came before the switch and put the thread back into a queue after it: no sleep. */
static void wake_that_races_ends(struct kunit *test)
{
	struct tally tally;

	tally_start(&tally, 0, WAIT);
	tally_switch_in(&tally, 0, 0);
	tally_wake(&tally, 9, true);
	switch_out(&tally, 10, 0, BLOCK);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 15)->state, UNKNOWN);
	tally_woken(&tally);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 20)->state, WAIT);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 20)->wait_ns, 10);
	tally_switch_in(&tally, 30, 0);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 30)->wait_ns, 20);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 30)->wait_hist[4], 1);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 30)->block_ns, 0);
}

/* The end of a wakeup that did end a sleep says nothing new. */
static void wake_of_a_sleeper_ends(struct kunit *test)
{
	struct tally tally;

	tally_start(&tally, 0, WAIT);
	tally_switch_in(&tally, 0, 0);
	switch_out(&tally, 10, 0, SLEEP);
	tally_wake(&tally, 20, false);
	tally_woken(&tally);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 25)->state, WAIT);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 25)->sleep_ns, 10);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 25)->wait_ns, 5);
}

/* A preempted thread that is woken in the queue goes on waiting. */
static void wake_while_queued(struct kunit *test)
{
	struct tally tally;

	tally_start(&tally, 0, WAIT);
	tally_switch_in(&tally, 0, 0);
	switch_out(&tally, 10, 0, WAIT);
	tally_wake(&tally, 15, true);
	tally_switch_in(&tally, 20, 0);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 20)->wait_ns, 10);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 20)->wait_hist[3], 1);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 20)->wakeups, 1);
}

/* Woken on its way into a sleep, preempted there, and the waker is still not through. */
static void wake_before_preemption(struct kunit *test)
{
	struct tally tally;

	tally_start(&tally, 0, WAIT);
	tally_switch_in(&tally, 0, 0);
	tally_wake(&tally, 5, true);
	switch_out(&tally, 10, 0, WAIT);
	tally_switch_in(&tally, 20, 0);
	switch_out(&tally, 30, 0, SLEEP);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 35)->sleep_ns, 0);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 35)->unknown_ns, 5);
	tally_switch_in(&tally, 40, 0);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 40)->wait_ns, 20);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 40)->sleep_ns, 0);
}

static void before_the_ledger(struct kunit *test)
{
	struct tally tally;

	tally_start(&tally, 100, UNKNOWN);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 110)->unknown_ns, 10);

	/* It was running. */
	switch_out(&tally, 120, 3, SLEEP);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 120)->unknown_ns, 20);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 120)->slices, 1);
	KUNIT_EXPECT_EQ(test, hist_sum(read_at(test, &tally, 120)->slice_hist), 0);
	tally_wake(&tally, 130, false);
	tally_switch_in(&tally, 131, 2);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 131)->migrations, 1);

	/* It was queued, and not even a wakeup says otherwise. */
	tally_start(&tally, 100, UNKNOWN);
	tally_wake(&tally, 110, true);
	tally_switch_in(&tally, 120, 2);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 120)->unknown_ns, 20);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 120)->migrations, 0);
	KUNIT_EXPECT_EQ(test, hist_sum(read_at(test, &tally, 120)->wait_hist), 0);

	/* It was asleep. */
	tally_start(&tally, 100, UNKNOWN);
	tally_wake(&tally, 110, false);
	tally_switch_in(&tally, 120, 2);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 120)->unknown_ns, 10);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 120)->wait_ns, 10);

	/* It was not born yet. */
	tally_start(&tally, 100, UNKNOWN);
	tally_wake_new(&tally, 110);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 120)->unknown_ns, 10);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 120)->wait_ns, 10);
}

static void clock_goes_back(struct kunit *test)
{
	struct tally tally;

	tally_start(&tally, 1000, WAIT);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 900)->rec.time_ns, 1000);
	tally_switch_in(&tally, 990, 0);
	switch_out(&tally, 1010, 0, SLEEP);
	tally_wake(&tally, 1005, false);
	tally_switch_in(&tally, 1020, 0);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 1015)->rec.time_ns, 1020);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 1020)->run_ns, 10);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 1020)->sleep_ns, 0);
	KUNIT_EXPECT_EQ(test, read_at(test, &tally, 1020)->wait_ns, 10);
}

/* Any order of events at all, also impossible ones: the spans add up. */
static void any_order(struct kunit *test)
{
	static const __u32 next[] = { WAIT, SLEEP, BLOCK };

	rand_seed = 1;
	for (int round = 0; round < 1000; round++) {
		struct tally tally;
		const struct schedscope_account *account;
		__u64 now = 500;

		tally_start(&tally, rand_below(1000), round % 2 ? WAIT : UNKNOWN);
		for (int i = 0; i < 200; i++) {
			now += rand_below(100) - 5;
			switch (rand_below(7)) {
			case 0:
				tally_wake(&tally, now, rand_below(2));
				break;
			case 1:
				tally_switch_in(&tally, now, rand_below(4));
				break;
			case 2:
				switch_out(&tally, now, rand_below(4),
					   next[rand_below(ARRAY_SIZE(next))]);
				break;
			case 3:
				tally_wake_new(&tally, now);
				break;
			case 4:
				switch_out_to(&tally, now, rand_below(4),
					      rand_below(SCHEDSCOPE_ENDS), rand_below(3));
				tally.held = rand_below(2);
				break;
			case 5:
				tally_migrated(&tally, rand_below(4));
				break;
			case 6:
				tally_woken(&tally);
				break;
			}
			read_at(test, &tally, now + rand_below(10) - 5);
		}
		account = read_at(test, &tally, now);
		KUNIT_EXPECT_EQ(test, account->slices, account->voluntary + account->involuntary);
		KUNIT_EXPECT_EQ(test, account->slices, ends_sum(account));
		if (test->status == KUNIT_FAILURE)
			return;
	}
}

static struct kunit_case ledger_math_cases[] = {
	KUNIT_CASE(states),
	KUNIT_CASE(ends),
	KUNIT_CASE(buckets),
	KUNIT_CASE(life),
	KUNIT_CASE(open_span),
	KUNIT_CASE(longest),
	KUNIT_CASE(count_stops),
	KUNIT_CASE(migrated),
	KUNIT_CASE(preemptors),
	KUNIT_CASE(preemptors_bound),
	KUNIT_CASE(wake_that_races),
	KUNIT_CASE(wake_that_is_stale),
	KUNIT_CASE(wake_in_place),
	KUNIT_CASE(wake_that_races_ends),
	KUNIT_CASE(wake_of_a_sleeper_ends),
	KUNIT_CASE(wake_while_queued),
	KUNIT_CASE(wake_before_preemption),
	KUNIT_CASE(before_the_ledger),
	KUNIT_CASE(clock_goes_back),
	KUNIT_CASE(any_order),
	{ }
};

static struct kunit_suite ledger_math_suite = {
	.name = "ledger_math",
	.test_cases = ledger_math_cases,
};

kunit_test_suite(ledger_math_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Unit tests of the ledger's arithmetic");
MODULE_INFO(test, "Y");
