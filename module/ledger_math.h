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
 * @woken: a wakeup came when there was no sleep to end, and is not known to be
 *	through. Either the thread consumes it in place, or it is for the sleep that
 *	the thread is just entering, and the waker waits for it to leave its CPU
 * @doubtful: the open span is a sleep that began with @woken. If a wakeup ends
 *	it, it was a sleep; if a slice does, the thread was runnable all along
 * @held: the stopper took the thread off its CPU: if that moves it, @end was wrong
 * @end: why the last slice ended, as it was counted
 * @taker_tid: the open span is a wait for this thread, which ended the slice before;
 *	0: for nobody in particular
 * @taker_start_ns: its start_time
 * @account: the closed spans; its state is that of the open one
 */
struct tally {
	__u64 open_ns;
	bool woken;
	bool doubtful;
	bool held;
	__u8 end;
	__u32 taker_tid;
	__u64 taker_start_ns;
	struct schedscope_account account;
};

/**
 * struct departure - what a switch says of the thread that leaves the CPU
 * @state: what it is then: SCHEDSCOPE_STATE_*
 * @end: why its slice ended: SCHEDSCOPE_END_*
 */
struct departure {
	__u32 state;
	__u32 end;
};

/**
 * struct taker - who has the CPU next
 * @tid: of a thread that ended the slice before, to be told of; 0: nobody
 * @start_ns: its start_time
 * @stopper: it is the CPU's stopper, which may have come to move the thread that left
 */
struct taker {
	__u32 tid;
	__u64 start_ns;
	bool stopper;
};

/* Scheduling classes, in rising order. */
static inline int class_of_prio(int prio)
{
	if (prio < 0)
		return 2;	/* deadline */
	return prio < 100;	/* real time; else fair */
}

/* A thread of higher class takes the CPU; within real time the higher priority counts as such. */
static inline bool prio_outranks(int next_prio, int prev_prio)
{
	int next = class_of_prio(next_prio);
	int prev = class_of_prio(prev_prio);

	if (next != prev)
		return next > prev;
	return next == 1 && next_prio < prev_prio;
}

/*
 * Whether it was sched_yield() that ended the slice. What somebody else asked for while its thread
 * was in the call, it most often leaves for on its way out: schedule() looks for that before it
 * returns from the switch that the call made.
 */
static inline bool is_yield(unsigned int flags)
{
	const unsigned int not_its_own = SCHEDSCOPE_SWITCH_PREEMPT | SCHEDSCOPE_SWITCH_TICK |
					 SCHEDSCOPE_SWITCH_WAKEUP;

	return (flags & SCHEDSCOPE_SWITCH_YIELD) && !(flags & not_its_own);
}

/* Why a slice ended whose thread could have gone on. */
static inline __u32 runnable_end(unsigned int flags, int prev_prio, int next_prio, bool next_idle)
{
	if (is_yield(flags))
		return SCHEDSCOPE_END_YIELDED;
	/* Runnable, and yet not allowed to run: its quota or budget is used up. */
	if (next_idle || flags & SCHEDSCOPE_SWITCH_THROTTLED)
		return SCHEDSCOPE_END_THROTTLED;
	if (prio_outranks(next_prio, prev_prio))
		return SCHEDSCOPE_END_OUTRANKED;
	if (class_of_prio(next_prio) < class_of_prio(prev_prio))
		return SCHEDSCOPE_END_THROTTLED;
	if (flags & SCHEDSCOPE_SWITCH_WAKEUP)
		return SCHEDSCOPE_END_PREEMPTED;
	if (flags & SCHEDSCOPE_SWITCH_TICK)
		return SCHEDSCOPE_END_EXPIRED;
	return SCHEDSCOPE_END_UNKNOWN;
}

/*
 * Sleep or block. What the kernel shows as D blocks, the sleeping locks of
 * PREEMPT_RT and the freezer included. A kernel thread that idles in TASK_IDLE
 * waits for work, not for something to finish: it sleeps.
 */
static inline __u32 off_state(unsigned int prev_state)
{
	if (prev_state & (TASK_RTLOCK_WAIT | TASK_FROZEN))
		return SCHEDSCOPE_STATE_BLOCK;
	if ((prev_state & TASK_UNINTERRUPTIBLE) && !(prev_state & TASK_NOLOAD))
		return SCHEDSCOPE_STATE_BLOCK;
	return SCHEDSCOPE_STATE_SLEEP;
}

/**
 * departure_of() - what a switch says of the thread that leaves the CPU
 * @flags: SCHEDSCOPE_SWITCH_*
 * @prev_state: its state, as given to the tracepoint
 * @prev_prio: its priority
 * @next_prio: that of the thread that has the CPU next
 * @next_idle: that is the idle task
 *
 * The rules of a record's departure_of() in userspace/timeline/slice_end.cc, whose
 * test holds the two against each other; Documentation/metrics.rst explains them.
 */
static inline struct departure departure_of(unsigned int flags, unsigned int prev_state,
					    int prev_prio, int next_prio, bool next_idle)
{
	struct departure departure = { SCHEDSCOPE_STATE_WAIT, SCHEDSCOPE_END_UNKNOWN };

	if ((flags & SCHEDSCOPE_SWITCH_PREEMPT) || !prev_state) {
		departure.end = runnable_end(flags, prev_prio, next_prio, next_idle);
	} else if (prev_state & (TASK_DEAD | EXIT_TRACE)) {
		departure.state = SCHEDSCOPE_STATE_EXITED;
		departure.end = SCHEDSCOPE_END_EXITED;
	} else if (prev_state & (__TASK_STOPPED | __TASK_TRACED)) {
		departure.state = SCHEDSCOPE_STATE_SLEEP;
		departure.end = SCHEDSCOPE_END_STOPPED;
	} else {
		departure.state = off_state(prev_state);
		departure.end = SCHEDSCOPE_END_BLOCKED;
	}
	return departure;
}

static inline unsigned int tally_bucket(__u64 ns)
{
	unsigned int bucket = 63 - __builtin_clzll(ns | 1);

	return bucket < SCHEDSCOPE_HIST_BUCKETS ? bucket : SCHEDSCOPE_HIST_BUCKETS - 1;
}

static inline void tally_count_length(__u32 *hist, __u64 ns)
{
	__u32 *count = &hist[tally_bucket(ns)];

	*count += *count != ~0U;
}

static inline void tally_longest(__u64 ns, __u64 at_ns, __u64 *longest_ns, __u64 *longest_at_ns)
{
	if (ns <= *longest_ns)
		return;
	*longest_ns = ns;
	*longest_at_ns = at_ns;
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

/*
 * The wakeup is through, and the thread is runnable; its run queue is locked, so that no
 * switch of it is under way. If it had left its CPU meanwhile, it never slept.
 */
static inline void tally_woken(struct tally *tally)
{
	if (tally->doubtful)
		tally->account.state = SCHEDSCOPE_STATE_WAIT;
	tally->doubtful = false;
	tally->woken = false;
}

/*
 * Space-Saving, of four: the count of a thread is certain, since it begins with 0 when
 * the thread takes a place, and what the place, the least of all, had then is the most
 * that the thread can have had before.
 */
static inline void tally_preempted(struct schedscope_account *account, __u32 tid, __u64 start_ns,
				   __u64 wait_ns)
{
	const __u64 *start = account->preemptor_start_ns;
	__u64 *count = account->preemptor_count;
	__u64 *missed_max = account->preemptor_missed_max;
	unsigned int least = 0;
	unsigned int i;

	for (i = 0; i < SCHEDSCOPE_PREEMPTORS; i++) {
		if (account->preemptor_tid[i] == tid && start[i] == start_ns) {
			count[i]++;
			account->preemptor_wait_ns[i] += wait_ns;
			return;
		}
		if (count[i] + missed_max[i] < count[least] + missed_max[least])
			least = i;
	}
	missed_max[least] += count[least];
	count[least] = 1;
	account->preemptor_wait_ns[least] = wait_ns;
	account->preemptor_tid[least] = tid;
	account->preemptor_start_ns[least] = start_ns;
}

/* The stopper, on CPU @cpu, moves the thread: it is what it took it off the CPU for. */
static inline void tally_migrated(struct tally *tally, __u32 cpu)
{
	struct schedscope_account *account = &tally->account;

	if (!tally->held || account->cpu != cpu)
		return;
	account->ends[tally->end]--;
	account->ends[SCHEDSCOPE_END_MIGRATED]++;
	tally->held = false;
	tally->taker_tid = 0;
}

/* The thread takes CPU @cpu. */
static inline void tally_switch_in(struct tally *tally, __u64 now, __u32 cpu)
{
	struct schedscope_account *account = &tally->account;
	__u64 since_ns = tally->open_ns;
	__u32 as = account->state;
	__u64 ns;

	/* Nothing woke it, so it never slept: see struct tally. */
	if (as == SCHEDSCOPE_STATE_SLEEP || as == SCHEDSCOPE_STATE_BLOCK)
		as = SCHEDSCOPE_STATE_WAIT;
	if (as == SCHEDSCOPE_STATE_RUN)
		as = SCHEDSCOPE_STATE_UNKNOWN;

	ns = tally_book(tally, now, as, SCHEDSCOPE_STATE_RUN);
	if (as == SCHEDSCOPE_STATE_WAIT) {
		tally_count_length(account->wait_hist, ns);
		tally_longest(ns, since_ns, &account->longest_wait_ns,
			      &account->longest_wait_at_ns);
	}
	if (tally->taker_tid) {
		tally_preempted(account, tally->taker_tid, tally->taker_start_ns, ns);
		tally->taker_tid = 0;
	}
	tally->held = false;
	if (account->cpu != SCHEDSCOPE_CPU_NONE && account->cpu != cpu)
		account->migrations++;
	account->cpu = cpu;
	tally->doubtful = false;
}

/* The thread leaves CPU @cpu to @taker. */
static inline void tally_switch_out(struct tally *tally, __u64 now, __u32 cpu,
				    struct departure departure, struct taker taker)
{
	struct schedscope_account *account = &tally->account;
	bool seen = account->state == SCHEDSCOPE_STATE_RUN;
	__u64 since_ns = tally->open_ns;
	__u64 ns;

	/* A slice whose beginning was before the ledger's has no known length. */
	ns = tally_book(tally, now, seen ? SCHEDSCOPE_STATE_RUN : SCHEDSCOPE_STATE_UNKNOWN,
			departure.state);
	if (seen) {
		tally_count_length(account->slice_hist, ns);
		tally_longest(ns, since_ns, &account->longest_slice_ns,
			      &account->longest_slice_at_ns);
	}
	account->slices++;
	account->ends[departure.end]++;
	account->cpu = cpu;
	tally->held = false;
	tally->taker_tid = 0;
	if (departure.state == SCHEDSCOPE_STATE_WAIT) {
		/* Preempted between a wakeup and the sleep it may be for: @woken stays. */
		account->involuntary++;
		tally->held = taker.stopper;
		tally->end = (__u8)departure.end;
		tally->taker_tid = taker.tid;
		tally->taker_start_ns = taker.start_ns;
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
	if (out->state == SCHEDSCOPE_STATE_RUN)
		tally_longest(ns, tally->open_ns, &out->longest_slice_ns,
			      &out->longest_slice_at_ns);
	if (out->state == SCHEDSCOPE_STATE_WAIT)
		tally_longest(ns, tally->open_ns, &out->longest_wait_ns,
			      &out->longest_wait_at_ns);
	out->rec.time_ns = tally->open_ns + ns;
}

#endif /* SCHEDSCOPE_LEDGER_MATH_H */
