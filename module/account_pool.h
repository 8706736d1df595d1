/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDSCOPE_ACCOUNT_POOL_H
#define SCHEDSCOPE_ACCOUNT_POOL_H

#include <linux/cache.h>
#include <linux/list.h>
#include <linux/seqlock.h>
#include <linux/types.h>

#include "ledger_math.h"

struct schedscope_info;
struct task_struct;

/**
 * struct account - a slot of the pool
 * @seq: written by whoever may write the slot, read by who copies it
 * @task: whose it is: a key, never followed
 * @node: its place in the ledger's hash table, while the thread lives
 * @list: its place in the pool, while it does not
 * @tally: the account itself; its tid is 0 while the slot is free
 *
 * Guarded by the pool's lock while it is on one of the pool's lists, and else by
 * who took it.
 */
struct account {
	seqcount_t seq;
	struct task_struct *task;
	union {
		struct hlist_node node;
		struct list_head list;
	};
	struct tally tally;
} ____cacheline_aligned;

/* Process context, may sleep. */
int account_pool_create(unsigned int threads_max, unsigned int exited_max);
void account_pool_destroy(void);

/* Interrupts are off; none sleeps, allocates or wakes. */
struct account *account_pool_take(void);
void account_pool_give_back(struct account *account);
void account_pool_put_exited(struct account *account);

/* Any context but NMI. */
unsigned int account_pool_slots(void);
struct account *account_pool_at(unsigned int slot);
void account_pool_describe(struct schedscope_info *info);

#endif /* SCHEDSCOPE_ACCOUNT_POOL_H */
