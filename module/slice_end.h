/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDSCOPE_SLICE_END_H
#define SCHEDSCOPE_SLICE_END_H

#include <linux/types.h>

struct task_struct;

/**
 * struct slice_end - what is known of why a thread leaves its CPU
 * @flags: SCHEDSCOPE_SWITCH_*
 * @resched_tid: with SCHEDSCOPE_SWITCH_WAKEUP the woken thread that asked, else 0
 */
struct slice_end {
	u16 flags;
	u32 resched_tid;
};

void slice_end_init(bool kernel_tells);

void slice_end_waking(struct task_struct *task);
void slice_end_woken(struct task_struct *task);
void slice_end_migrated(struct task_struct *task, int cpu);
void slice_end_timer_entry(void);
void slice_end_timer_exit(void);
void slice_end_asked(struct task_struct *task, int cpu);
struct slice_end slice_end_switch(bool preempt, struct task_struct *prev,
				  struct task_struct *next, unsigned int prev_state);

bool slice_end_in_timer(void);

#endif /* SCHEDSCOPE_SLICE_END_H */
