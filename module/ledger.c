// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ledger: an account per thread, exact, lossless, O(1) a switch.
 *
 * The accounts are slots of a pool, allocated at load. A live thread's account
 * hangs in a hash table, keyed by the address of its task_struct: that is unique
 * from the thread's creation to its last switch, where the account ends, whatever
 * happens to its tid in between. The kernel frees a task_struct only after that
 * switch.
 *
 * Two CPUs meet in one bucket when one wakes the thread that the other switches
 * out, or, rarely, by chance; the lock is held for the length of a short chain
 * or two and some additions. Births and exits also take the pool's lock.
 *
 * Locks, outermost first, all raw and all with interrupts off:
 *	the run queue's lock or pi_lock (held by the scheduler round our probes)
 *	bucket->lock, of two buckets the one at the lower address first
 *	the pool's lock
 */
#include <linux/cleanup.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seqlock.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "account_pool.h"
#include "compat.h"
#include "ledger.h"
#include "ledger_math.h"
#include "nominal_slice.h"

/* Guards the accounts that hang in it. */
struct bucket {
	raw_spinlock_t lock;
	struct hlist_head accounts;
};

/**
 * struct ledger - the one ledger
 * @buckets: the hash table
 * @hash_bits: log2 of the number of buckets
 * @loaded_ns: when the ledger began
 */
static struct ledger {
	struct bucket *buckets;
	unsigned int hash_bits;
	u64 loaded_ns;
} ledger;

static DEFINE_PER_CPU(u64, ledger_switches);

/* Of a wakeup that began on this CPU and found no sleep to end: whose. A key, never followed. */
static DEFINE_PER_CPU(struct task_struct *, ledger_waking);

/* CLOCK_MONOTONIC, as bpf_ktime_get_ns() reads it: NMI-safe, no seqcount to spin on. */
static u64 ledger_now(void)
{
	return ktime_get_mono_fast_ns();
}

static struct bucket *bucket_of(const struct task_struct *task)
{
	return &ledger.buckets[hash_ptr(task, ledger.hash_bits)];
}

static struct account *bucket_find(struct bucket *bucket, const struct task_struct *task)
{
	struct account *account;

	lockdep_assert_held(&bucket->lock);
	hlist_for_each_entry(account, &bucket->accounts, node)
		if (account->task == task)
			return account;
	return NULL;
}

/* The idle tasks all have pid 0, and no account. */
static bool is_thread(const struct task_struct *task)
{
	return task->pid != 0;
}

static void account_identify(struct schedscope_account *account, const struct task_struct *task)
{
	account->tid = task->pid;
	account->pid = task->tgid;
	account->start_ns = task->start_time;
}

static void account_name(struct schedscope_account *account, const struct task_struct *task)
{
	BUILD_BUG_ON(sizeof(task->comm) != sizeof(account->comm));
	memcpy(account->comm, task->comm, sizeof(account->comm));
}

static struct account *account_open(struct bucket *bucket, struct task_struct *task, u32 state)
{
	struct account *account = account_pool_take();

	lockdep_assert_held(&bucket->lock);
	if (!account)
		return NULL;

	write_seqcount_begin(&account->seq);
	account->task = task;
	memset(&account->tally, 0, sizeof(account->tally));
	tally_begin(&account->tally, ledger_now(), state);
	account_identify(&account->tally.account, task);
	account_name(&account->tally.account, task);
	account->tally.account.switches = task->nvcsw + task->nivcsw;
	write_seqcount_end(&account->seq);
	hlist_add_head(&account->node, &bucket->accounts);
	return account;
}

/*
 * What of the task goes into the account at a switch. An exec from a thread
 * that is not its group's leader takes over the leader's tid and start_time;
 * the leader, which is exiting then, gets the other's tid and keeps the account
 * that it had.
 */
static void account_refresh(struct schedscope_account *account, const struct task_struct *task)
{
	if (account->tid != task->pid && !(task->flags & PF_EXITING))
		account_identify(account, task);
	account_name(account, task);
	account->switches = task->nvcsw + task->nivcsw;
	account->slice_ns = nominal_slice(task, 0);
}

/*
 * A CPU's stopper: it takes a thread off the CPU to move it to another one. Its
 * class is not exported; it has the highest priority, and a name that no thread of
 * a user can pretend to.
 */
static bool is_stopper(const struct task_struct *task)
{
	return !task->prio && task->flags & PF_KTHREAD && strstarts(task->comm, "migration/");
}

/* A thread that asked for the CPU and was not the next on it is known by its tid only. */
static struct taker taker_of(const struct task_struct *next, struct departure departure,
			     struct slice_end end)
{
	struct taker taker = { 0 };

	if (departure.state != SCHEDSCOPE_STATE_WAIT)
		return taker;
	taker.stopper = is_stopper(next);
	if (departure.end != SCHEDSCOPE_END_PREEMPTED && departure.end != SCHEDSCOPE_END_OUTRANKED)
		return taker;
	if (end.flags & SCHEDSCOPE_SWITCH_WAKEUP && end.resched_tid != next->pid)
		return taker;
	taker.tid = next->pid;
	taker.start_ns = next->start_time;
	return taker;
}

static void account_switch_out(struct account *account, const struct task_struct *task, u64 now,
			       unsigned int state, struct departure departure, struct taker taker)
{
	/* A state that has changed since: a signal or a waker kept it from sleeping. */
	if (departure.state != SCHEDSCOPE_STATE_WAIT && READ_ONCE(task->__state) != state)
		account->tally.woken = true;
	tally_switch_out(&account->tally, now, smp_processor_id(), departure, taker);
	account_refresh(&account->tally.account, task);
}

/* Two buckets are locked in the order of their addresses. Either may be NULL; both may be one. */
static void bucket_lock_both(struct bucket *a, struct bucket *b)
{
	if (a > b)
		swap(a, b);
	if (a)
		raw_spin_lock(&a->lock);
	if (b && b != a)
		raw_spin_lock_nested(&b->lock, SINGLE_DEPTH_NESTING);
}

static void bucket_unlock_both(struct bucket *a, struct bucket *b)
{
	if (a)
		raw_spin_unlock(&a->lock);
	if (b && b != a)
		raw_spin_unlock(&b->lock);
}

/**
 * ledger_switch() - a CPU goes from one thread to another
 * @prev: thread that leaves
 * @next: thread that takes over
 * @prev_state: state of @prev, as given to the tracepoint
 * @end: what is known of why @prev leaves
 *
 * One moment ends the one's slice and begins the other's. It is read when no
 * reader can get either account any more: a reader that was earlier has an
 * earlier time, so that no thread's time ever shrinks from one reading to the
 * next.
 *
 * Context: this CPU's run queue is locked, interrupts are off.
 *
 * Return: that moment, CLOCK_MONOTONIC.
 */
u64 ledger_switch(struct task_struct *prev, struct task_struct *next, unsigned int prev_state,
		  struct slice_end end)
{
	struct bucket *out_bucket = is_thread(prev) ? bucket_of(prev) : NULL;
	struct bucket *in_bucket = is_thread(next) ? bucket_of(next) : NULL;
	struct departure departure = departure_of(end.flags, prev_state, prev->prio, next->prio,
						  !in_bucket);
	struct account *out, *in;
	u64 now;

	this_cpu_inc(ledger_switches);
	bucket_lock_both(out_bucket, in_bucket);
	out = out_bucket ? bucket_find(out_bucket, prev) : NULL;
	in = in_bucket ? bucket_find(in_bucket, next) : NULL;
	if (out)
		write_seqcount_begin(&out->seq);
	if (in)
		write_seqcount_begin_nested(&in->seq, SINGLE_DEPTH_NESTING);

	now = ledger_now();
	if (out)
		account_switch_out(out, prev, now, prev_state, departure,
				   taker_of(next, departure, end));
	if (in)
		tally_switch_in(&in->tally, now, smp_processor_id());

	if (in)
		write_seqcount_end(&in->seq);
	if (out)
		write_seqcount_end(&out->seq);
	if (out && departure.state == SCHEDSCOPE_STATE_EXITED) {
		hlist_del(&out->node);
		account_pool_put_exited(out);
	}
	bucket_unlock_both(out_bucket, in_bucket);
	return now;
}

/**
 * ledger_wake() - a thread is about to be made runnable
 * @task: thread
 *
 * Context: @task->pi_lock is held, or @task is current and preemption is off;
 * interrupts may be on in the latter case.
 *
 * Return: that moment, CLOCK_MONOTONIC; 0 when it was not needed.
 */
u64 ledger_wake(struct task_struct *task)
{
	struct bucket *bucket = bucket_of(task);
	struct account *account;
	u64 now = 0;

	guard(raw_spinlock_irqsave)(&bucket->lock);
	account = bucket_find(bucket, task);
	if (!account)
		return 0;

	write_seqcount_begin(&account->seq);
	/* Woken by itself, or by an interrupt before it went to sleep: it goes on. */
	if (task == current) {
		account->tally.account.wakeups++;
	} else {
		now = ledger_now();
		tally_wake(&account->tally, now, compat_task_in_use(task));
		if (account->tally.woken)
			this_cpu_write(ledger_waking, task);
	}
	write_seqcount_end(&account->seq);
	return now;
}

/**
 * ledger_woken() - a thread that is woken is runnable now
 * @task: thread
 *
 * A wakeup may end on another CPU than it began on. That one says nothing here: the
 * thread had left its CPU, and the slice that comes next says the same.
 *
 * Context: the run queue of @task is locked and interrupts are off, or @task is current
 * and preemption is off.
 */
void ledger_woken(struct task_struct *task)
{
	struct account *account;
	struct bucket *bucket;

	if (this_cpu_read(ledger_waking) != task || task == current)
		return;
	this_cpu_write(ledger_waking, NULL);
	bucket = bucket_of(task);
	guard(raw_spinlock)(&bucket->lock);
	account = bucket_find(bucket, task);
	if (!account)
		return;
	write_seqcount_begin(&account->seq);
	tally_woken(&account->tally);
	write_seqcount_end(&account->seq);
}

/**
 * ledger_wake_new() - a new thread is put into a run queue for the first time
 * @task: thread
 *
 * Here and not at fork: threads that the kernel makes for user processes, such
 * as those of io_uring, pass no sched_process_fork.
 *
 * Context: @task->pi_lock and its run queue are locked, interrupts are off.
 */
void ledger_wake_new(struct task_struct *task)
{
	struct bucket *bucket = bucket_of(task);
	struct account *account;

	guard(raw_spinlock_irqsave)(&bucket->lock);
	account = bucket_find(bucket, task);
	if (!account) {
		account_open(bucket, task, SCHEDSCOPE_STATE_WAIT);
		return;
	}
	/* ledger_adopt_all() found it between its fork and now. */
	write_seqcount_begin(&account->seq);
	tally_wake_new(&account->tally, ledger_now());
	write_seqcount_end(&account->seq);
}

/**
 * ledger_migrated() - a thread is put on another CPU
 * @task: thread
 *
 * Context: @task->pi_lock is held or its run queue's lock, interrupts are off.
 */
void ledger_migrated(struct task_struct *task)
{
	struct bucket *bucket = bucket_of(task);
	struct account *account;

	if (!is_stopper(current))
		return;
	guard(raw_spinlock_irqsave)(&bucket->lock);
	account = bucket_find(bucket, task);
	if (!account)
		return;
	write_seqcount_begin(&account->seq);
	tally_migrated(&account->tally, smp_processor_id());
	write_seqcount_end(&account->seq);
}

/**
 * ledger_adopt() - begin the account of a thread that was there before the ledger
 * @task: thread
 *
 * What it does at the moment is unknown until its next event says so. Does
 * nothing when it has an account.
 *
 * Context: any but NMI.
 *
 * Return: true when an account was begun.
 */
bool ledger_adopt(struct task_struct *task)
{
	struct bucket *bucket = bucket_of(task);

	guard(raw_spinlock_irqsave)(&bucket->lock);
	return !bucket_find(bucket, task) &&
	       account_open(bucket, task, SCHEDSCOPE_STATE_UNKNOWN);
}

/*
 * A thread that has set TASK_DEAD may have had its last switch before its
 * account was there to be ended by it. It sets TASK_DEAD before it looks for
 * the account at that switch, under the bucket's lock, and this looks at the
 * state after the account was added, under the same lock: one of them sees it.
 */
static void ledger_disown_dead(struct task_struct *task)
{
	struct bucket *bucket = bucket_of(task);
	struct account *account;

	guard(raw_spinlock_irqsave)(&bucket->lock);
	if (!(READ_ONCE(task->__state) & TASK_DEAD))
		return;
	account = bucket_find(bucket, task);
	if (!account)
		return;
	hlist_del(&account->node);
	account_pool_give_back(account);
}

/**
 * ledger_adopt_all() - begin the accounts of all threads that are there
 *
 * Comes after the probes: a thread born since then has its account from
 * ledger_wake_new(), and one that began to exit since then, and may be on no
 * list any more, from the probe on sched_process_exit. RCU keeps each
 * task_struct while it is looked at.
 */
void ledger_adopt_all(void)
{
	struct task_struct *leader, *task;

	guard(rcu)();
	for_each_process(leader)
		/* for_each_thread() names tasklist_lock under lockdep: not exported. */
		list_for_each_entry_rcu(task, &leader->signal->thread_head, thread_node) {
			if (ledger_adopt(task))
				ledger_disown_dead(task);
		}
}

/**
 * ledger_slots() - number of slots that ledger_read() may find something in
 */
unsigned int ledger_slots(void)
{
	return account_pool_slots();
}

/**
 * ledger_read() - a consistent copy of one account, as of now
 * @slot: below ledger_slots()
 * @out: where to
 *
 * Return: false when the slot is free.
 */
bool ledger_read(unsigned int slot, struct schedscope_account *out)
{
	struct account *account = account_pool_at(slot);
	unsigned int seq;

	do {
		seq = read_seqcount_begin(&account->seq);
		tally_read(&account->tally, ledger_now(), out);
	} while (read_seqcount_retry(&account->seq, seq));
	return out->tid != 0;
}

/**
 * ledger_describe() - fill in what the ledger knows of itself
 * @info: where to; other members stay as they are
 */
void ledger_describe(struct schedscope_info *info)
{
	int cpu;

	info->loaded_ns = ledger.loaded_ns;
	info->switches = 0;
	for_each_possible_cpu(cpu)
		info->switches += READ_ONCE(*per_cpu_ptr(&ledger_switches, cpu));
	account_pool_describe(info);
}

/**
 * ledger_create() - make an empty ledger
 * @threads_max: room for so many live threads
 * @exited_max: and for the accounts of so many that have exited
 *
 * Return: 0 or -ENOMEM.
 */
int ledger_create(unsigned int threads_max, unsigned int exited_max)
{
	unsigned int buckets = roundup_pow_of_two(threads_max);
	unsigned int i;
	int err;

	ledger.buckets = kvcalloc(buckets, sizeof(*ledger.buckets), GFP_KERNEL | __GFP_NOWARN);
	if (!ledger.buckets)
		return -ENOMEM;
	err = account_pool_create(threads_max, exited_max);
	if (err) {
		kvfree(ledger.buckets);
		return err;
	}

	for (i = 0; i < buckets; i++)
		raw_spin_lock_init(&ledger.buckets[i].lock);
	ledger.hash_bits = ilog2(buckets);
	ledger.loaded_ns = ledger_now();
	return 0;
}

/**
 * ledger_destroy() - free it all
 */
void ledger_destroy(void)
{
	account_pool_destroy();
	kvfree(ledger.buckets);
}
