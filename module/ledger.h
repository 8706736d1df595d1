/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDSCOPE_LEDGER_H
#define SCHEDSCOPE_LEDGER_H

#include <linux/types.h>

#include "slice_end.h"

struct task_struct;
struct schedscope_account;
struct schedscope_info;

/*
 * Process context, may sleep. Nothing else here may run before ledger_create()
 * has succeeded or after ledger_destroy() has begun.
 */
int ledger_create(unsigned int threads_max, unsigned int exited_max);
void ledger_destroy(void);

/* Events. Any context but NMI; none sleeps, allocates or wakes. */
u64 ledger_switch(struct task_struct *prev, struct task_struct *next, unsigned int prev_state,
		  struct slice_end end);
u64 ledger_wake(struct task_struct *task);
void ledger_woken(struct task_struct *task);
void ledger_wake_new(struct task_struct *task);
void ledger_migrated(struct task_struct *task);
bool ledger_adopt(struct task_struct *task);

/* Process context, once, after the probes are in place. */
void ledger_adopt_all(void);

/* Readers: any number, at any time; no writer ever waits for one. */
unsigned int ledger_slots(void);
bool ledger_read(unsigned int slot, struct schedscope_account *out);
void ledger_describe(struct schedscope_info *info);

#endif /* SCHEDSCOPE_LEDGER_H */
