/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDSCOPE_SLICEPAGE_H
#define SCHEDSCOPE_SLICEPAGE_H

#include <linux/jump_label_ratelimit.h>
#include <linux/types.h>

#include "slice_end.h"

struct mm_struct;
struct page;
struct schedscope_info;
struct slicepage;
struct task_struct;

#define SLICEPAGES_MAX_HIGH	(64U << 10)

/* On while there is a page, and for a second longer. */
extern struct static_key_false_deferred slicepage_used;

/* From the probes, behind slicepage_used. */
void slicepage_switch(bool preempt, struct task_struct *prev, struct task_struct *next,
		      unsigned int prev_state, struct slice_end end, u64 now);
void slicepage_tick(void);

/* Process context, may sleep. */
struct slicepage *slicepage_get(void);
void slicepage_put(struct slicepage *page);
bool slicepage_is_of(const struct slicepage *page, const struct mm_struct *mm);
struct page *slicepage_memory(const struct slicepage *page, const struct mm_struct *mm);
int slicepage_create(unsigned int pages_max);
void slicepage_destroy(void);
int slicepage_create_node(void);
void slicepage_remove_node(void);
void slicepage_describe(struct schedscope_info *info);

#endif /* SCHEDSCOPE_SLICEPAGE_H */
