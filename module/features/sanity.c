// SPDX-License-Identifier: GPL-2.0-only
/* Compiles for every kernel; if not, no answer of the others is worth anything. */
#include <linux/module.h>
#include <linux/sched.h>

MODULE_LICENSE("GPL");
