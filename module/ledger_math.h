/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The arithmetic of one thread's account: pure functions on a plain struct, so
 * that ledger_math_test.c can run them in user space. They take no lock; the
 * caller keeps two from running on one tally at a time. The includer provides
 * the kernel's TASK_* constants.
 */
#ifndef SCHEDSCOPE_LEDGER_MATH_H
#define SCHEDSCOPE_LEDGER_MATH_H

#include "uapi/schedscope.h"

/**
 * struct tally - an account and the span of time that is still open in it
 * @open_ns: when the open span began: all time before it is in @account
 * @woken: a wakeup came when there was no sleep to end. Either the thread
 *	consumed it in place, or it is for the sleep that the thread was just
 *	entering, and the waker waits for it to leave its CPU
 * @doubtful: the open span is a sleep that began with @woken. If a wakeup ends
 *	it, it was a sleep; if a slice does, the thread was runnable all along
 * @account: the closed spans; its state is that of the open one
 */
struct tally {
	__u64 open_ns;
	bool woken;
	bool doubtful;
	struct schedscope_account account;
};

/*
 * What a thread is after a switch took it off the CPU. A kernel thread that
 * idles in TASK_IDLE waits for work, not for something to finish: it sleeps.
 */
static inline __u32 tally_state_after(bool preempt, unsigned int prev_state)
{
	if (preempt || !prev_state)
		return SCHEDSCOPE_STATE_WAIT;
	if (prev_state & TASK_DEAD)
		return SCHEDSCOPE_STATE_EXITED;
	if ((prev_state & TASK_UNINTERRUPTIBLE) && !(prev_state & TASK_NOLOAD))
		return SCHEDSCOPE_STATE_BLOCK;
	return SCHEDSCOPE_STATE_SLEEP;
}

static inline unsigned int tally_bucket(__u64 ns)
{
	unsigned int bucket = 63 - __builtin_clzll(ns | 1);

	return bucket < SCHEDSCOPE_HIST_BUCKETS ? bucket : SCHEDSCOPE_HIST_BUCKETS - 1;
}

static inline __u64 *tally_total(struct schedscope_account *account, __u32 state)
{
	switch (state) {
	case SCHEDSCOPE_STATE_RUN:
		return &account->run_ns;
	case SCHEDSCOPE_STATE_WAIT:
		return &account->wait_ns;
	case SCHEDSCOPE_STATE_SLEEP:
		return &account->sleep_ns;
	case SCHEDSCOPE_STATE_BLOCK:
		return &account->block_ns;
	default:
		return &account->unknown_ns;
	}
}

/*
 * The clocks of two CPUs may differ by a few ns: a span that would end before
 * it began has no length, and the next one begins where it did, so that the
 * spans always add up to the time since the account began.
 */
static inline __u64 tally_open_length(const struct tally *tally, __u64 now)
{
	return now > tally->open_ns ? now - tally->open_ns : 0;
}

/* Books the open span as time in state @as, opens one in state @next; returns the length. */
static inline __u64 tally_book(struct tally *tally, __u64 now, __u32 as, __u32 next)
{
	__u64 ns = tally_open_length(tally, now);

	*tally_total(&tally->account, as) += ns;
	tally->open_ns += ns;
	tally->account.state = next;
	return ns;
}

/* @tally is all zero. */
static inline void tally_begin(struct tally *tally, __u64 now, __u32 state)
{
	struct schedscope_account *account = &tally->account;

	account->rec.kind = SCHEDSCOPE_REC_ACCOUNT;
	account->rec.size = sizeof(*account);
	account->rec.cpu = SCHEDSCOPE_CPU_NONE;
	account->cpu = SCHEDSCOPE_CPU_NONE;
	account->since_ns = now;
	account->state = state;
	tally->open_ns = now;
}

/* The thread is new and was put into a run queue for the first time. */
static inline void tally_wake_new(struct tally *tally, __u64 now)
{
	if (tally->account.state == SCHEDSCOPE_STATE_UNKNOWN)
		tally_book(tally, now, SCHEDSCOPE_STATE_UNKNOWN, SCHEDSCOPE_STATE_WAIT);
}

/* The thread is woken; @in_use: the kernel still has it in a run queue or on a CPU. */
static inline void tally_wake(struct tally *tally, __u64 now, bool in_use)
{
	__u32 state = tally->account.state;
	bool asleep = state == SCHEDSCOPE_STATE_SLEEP || state == SCHEDSCOPE_STATE_BLOCK ||
		      (state == SCHEDSCOPE_STATE_UNKNOWN && !in_use);

	tally->account.wakeups++;
	if (asleep)
		tally_book(tally, now, state, SCHEDSCOPE_STATE_WAIT);
	tally->woken = !asleep;
	tally->doubtful = false;
}

/* The thread takes CPU @cpu. */
static inline void tally_switch_in(struct tally *tally, __u64 now, __u32 cpu)
{
	struct schedscope_account *account = &tally->account;
	__u32 as = account->state;
	__u64 ns;

	/* Nothing woke it, so it never slept: see struct tally. */
	if (as == SCHEDSCOPE_STATE_SLEEP || as == SCHEDSCOPE_STATE_BLOCK)
		as = SCHEDSCOPE_STATE_WAIT;
	if (as == SCHEDSCOPE_STATE_RUN)
		as = SCHEDSCOPE_STATE_UNKNOWN;

	ns = tally_book(tally, now, as, SCHEDSCOPE_STATE_RUN);
	if (as == SCHEDSCOPE_STATE_WAIT)
		account->wait_hist[tally_bucket(ns)]++;
	if (account->cpu != SCHEDSCOPE_CPU_NONE && account->cpu != cpu)
		account->migrations++;
	account->cpu = cpu;
	tally->doubtful = false;
}

/* The thread leaves CPU @cpu and is in state @next from now on. */
static inline void tally_switch_out(struct tally *tally, __u64 now, __u32 cpu, __u32 next)
{
	struct schedscope_account *account = &tally->account;
	bool seen = account->state == SCHEDSCOPE_STATE_RUN;
	__u64 ns;

	/* A slice whose beginning was before the ledger's has no known length. */
	ns = tally_book(tally, now, seen ? SCHEDSCOPE_STATE_RUN : SCHEDSCOPE_STATE_UNKNOWN, next);
	if (seen)
		account->slice_hist[tally_bucket(ns)]++;
	account->slices++;
	account->cpu = cpu;
	if (next == SCHEDSCOPE_STATE_WAIT) {
		/* Preempted between a wakeup and the sleep it may be for: @woken stays. */
		account->involuntary++;
		return;
	}
	account->voluntary++;
	tally->doubtful = tally->woken;
	tally->woken = false;
}

/* The account as it stands at @now, the open span included. */
static inline void tally_read(const struct tally *tally, __u64 now,
			      struct schedscope_account *out)
{
	__u64 ns = 0;

	*out = tally->account;
	if (out->state != SCHEDSCOPE_STATE_EXITED) {
		if (tally->doubtful)
			out->state = SCHEDSCOPE_STATE_UNKNOWN;
		ns = tally_open_length(tally, now);
		*tally_total(out, out->state) += ns;
	}
	out->rec.time_ns = tally->open_ns + ns;
}

#endif /* SCHEDSCOPE_LEDGER_MATH_H */
