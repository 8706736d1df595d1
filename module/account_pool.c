// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ledger's accounts: a fixed array of slots, allocated at load.
 *
 * The probes run under the run queue's lock or pi_lock, where even
 * kmalloc(GFP_ATOMIC) could wake kswapd and deadlock. A slot belongs to one
 * thread from its first event until it is dropped from the list of the exited,
 * and never moves, so that a reader which goes through the slots once sees every
 * thread once.
 *
 * pool.lock is raw, innermost, and taken with interrupts off.
 */
#include <linux/cleanup.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/seqlock.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "account_pool.h"
#include "uapi/schedscope.h"

/* What main.c says of memory; lockdep has more in a seqcount_t. */
static_assert(IS_ENABLED(CONFIG_DEBUG_LOCK_ALLOC) || sizeof(struct account) == 832);

/**
 * struct pool - the one pool
 * @accounts: the slots
 * @slots: number of slots
 * @exited_max: how many accounts of exited threads are kept
 * @lock: guards what follows
 * @used: slots that were ever used: the others come after them
 * @free: used slots that are free again
 * @exited: accounts of exited threads, oldest first
 * @alive: accounts of live threads
 * @nr_exited: length of @exited
 * @exited_dropped: accounts that were dropped from @exited
 * @missed: threads that got no account
 */
static struct pool {
	struct account *accounts;
	unsigned int slots;
	unsigned int exited_max;

	raw_spinlock_t lock ____cacheline_aligned_in_smp;
	unsigned int used;
	struct list_head free;
	struct list_head exited;
	u64 alive;
	u64 nr_exited;
	u64 exited_dropped;
	u64 missed;
} pool;

/**
 * account_pool_take() - a slot for a thread that begins
 *
 * Context: interrupts are off.
 *
 * Return: the slot, which only its new owner writes now; NULL when there is none,
 * which is counted.
 */
struct account *account_pool_take(void)
{
	struct account *account;

	guard(raw_spinlock)(&pool.lock);
	if (!list_empty(&pool.free)) {
		account = list_first_entry(&pool.free, struct account, list);
		list_del(&account->list);
	} else if (pool.used < pool.slots) {
		account = &pool.accounts[pool.used];
		seqcount_init(&account->seq);
		/* A reader that sees the slot sees it initialized. */
		smp_store_release(&pool.used, pool.used + 1);
	} else {
		pool.missed++;
		return NULL;
	}
	pool.alive++;
	return account;
}

static void put_free(struct account *account)
{
	lockdep_assert_held(&pool.lock);
	write_seqcount_begin(&account->seq);
	account->tally.account.tid = 0;
	write_seqcount_end(&account->seq);
	list_add(&account->list, &pool.free);
}

/**
 * account_pool_give_back() - the slot of a thread that was found dead already
 * @account: slot; nothing was seen of its thread
 *
 * Context: interrupts are off.
 */
void account_pool_give_back(struct account *account)
{
	guard(raw_spinlock)(&pool.lock);
	pool.alive--;
	put_free(account);
}

/**
 * account_pool_put_exited() - the slot of a thread that has exited
 * @account: slot: it is kept, and the oldest of those dropped if that is one too many
 *
 * Context: interrupts are off.
 */
void account_pool_put_exited(struct account *account)
{
	guard(raw_spinlock)(&pool.lock);
	pool.alive--;
	list_add_tail(&account->list, &pool.exited);
	if (pool.nr_exited < pool.exited_max) {
		pool.nr_exited++;
		return;
	}
	account = list_first_entry(&pool.exited, struct account, list);
	list_del(&account->list);
	put_free(account);
	pool.exited_dropped++;
}

/**
 * account_pool_slots() - number of slots that were ever used
 */
unsigned int account_pool_slots(void)
{
	/* Pairs with account_pool_take(). */
	return smp_load_acquire(&pool.used);
}

/**
 * account_pool_at() - a slot, whoever has it
 * @slot: below account_pool_slots()
 */
struct account *account_pool_at(unsigned int slot)
{
	return &pool.accounts[slot];
}

/**
 * account_pool_describe() - fill in what the pool knows of itself
 * @info: where to; other members stay as they are
 */
void account_pool_describe(struct schedscope_info *info)
{
	info->exited_max = pool.exited_max;

	guard(raw_spinlock_irqsave)(&pool.lock);
	info->accounts = pool.alive;
	info->exited = pool.nr_exited;
	info->exited_dropped = pool.exited_dropped;
	info->threads_missed = pool.missed;
}

/**
 * account_pool_create() - make an empty pool
 * @threads_max: room for so many live threads
 * @exited_max: and for the accounts of so many that have exited
 *
 * Return: 0 or -ENOMEM.
 */
int account_pool_create(unsigned int threads_max, unsigned int exited_max)
{
	pool.slots = threads_max + exited_max;
	/* How much that is, is the caller's choice: a lack is told, without a back trace. */
	pool.accounts = kvcalloc(pool.slots, sizeof(*pool.accounts), GFP_KERNEL | __GFP_NOWARN);
	if (!pool.accounts)
		return -ENOMEM;
	pool.exited_max = exited_max;
	raw_spin_lock_init(&pool.lock);
	INIT_LIST_HEAD(&pool.free);
	INIT_LIST_HEAD(&pool.exited);
	return 0;
}

/**
 * account_pool_destroy() - free it
 */
void account_pool_destroy(void)
{
	kvfree(pool.accounts);
}
