// SPDX-License-Identifier: GPL-2.0-only
/* Compiles for none: a compiler that takes this takes everything. */
#include <linux/module.h>

int absurd(void)
{
	return schedscope_no_such_thing;
}
