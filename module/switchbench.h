/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDSCOPE_SWITCHBENCH_H
#define SCHEDSCOPE_SWITCHBENCH_H

#include <linux/jump_label.h>
#include <linux/types.h>

struct mm_struct;
struct schedscope_switchbench;

/* While a benchmark runs, the switch probe measures what it takes itself. */
DECLARE_STATIC_KEY_FALSE(switchbench_running);
void switchbench_probed(u64 ns);

/* Process context, sleeps until the benchmark is over. */
int switchbench_check(const struct schedscope_switchbench *bench);
int switchbench_run(struct schedscope_switchbench *bench, struct mm_struct *own,
		    struct mm_struct *other);

#endif /* SCHEDSCOPE_SWITCHBENCH_H */
