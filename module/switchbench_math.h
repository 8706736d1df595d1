/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The histogram of the switch benchmark. Also compiled in user space, where it is tested.
 */
#ifndef SCHEDSCOPE_SWITCHBENCH_MATH_H
#define SCHEDSCOPE_SWITCHBENCH_MATH_H

#ifdef __KERNEL__
#include <linux/bitops.h>
#include <linux/minmax.h>
#else
#define fls64(x)	((x) ? 64 - __builtin_clzll(x) : 0)
#endif

#include "uapi/schedscope.h"

/* uapi/schedscope.h says where each bucket begins: eight to each power of two. */
static inline unsigned int switchbench_bucket(__u64 ns)
{
	unsigned int shift, bucket;

	if (ns < 8)
		return ns;
	shift = fls64(ns) - 4;
	bucket = 8 * (shift + 1) + ((ns >> shift) & 7);
	return bucket < SCHEDSCOPE_SWITCHBENCH_BUCKETS ? bucket :
							 SCHEDSCOPE_SWITCHBENCH_BUCKETS - 1;
}

#endif /* SCHEDSCOPE_SWITCHBENCH_MATH_H */
