// SPDX-License-Identifier: GPL-2.0-only
/*
 * schedscope: which thread had the CPU, for how long, and who waited.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "device.h"
#include "ledger.h"
#include "probes.h"
#include "slicepage.h"

#define THREADS_MAX_LOW		64
#define THREADS_MAX_HIGH	(4U << 20)
#define EXITED_MAX_HIGH		(4U << 20)

static unsigned int threads_max = 16384;
module_param(threads_max, uint, 0444);
MODULE_PARM_DESC(threads_max,
		 "Live threads that there is room for, about 860 bytes each, allocated at load (default 16384)");

static unsigned int exited_max = 4096;
module_param(exited_max, uint, 0444);
MODULE_PARM_DESC(exited_max,
		 "Accounts of exited threads that are kept, 832 bytes each, allocated at load (default 4096)");

static unsigned int slicepages_max = 4096;
module_param(slicepages_max, uint, 0444);
MODULE_PARM_DESC(slicepages_max,
		 "Threads that may have a page of /dev/schedscope-slice at a time, one user half of them (default 4096)");

static int __init schedscope_init(void)
{
	int err;

	if (threads_max < THREADS_MAX_LOW || threads_max > THREADS_MAX_HIGH) {
		pr_err("threads_max=%u is not in %u..%u\n", threads_max, THREADS_MAX_LOW,
		       THREADS_MAX_HIGH);
		return -EINVAL;
	}
	if (exited_max > EXITED_MAX_HIGH) {
		pr_err("exited_max=%u is more than %u\n", exited_max, EXITED_MAX_HIGH);
		return -EINVAL;
	}
	if (!slicepages_max || slicepages_max > SLICEPAGES_MAX_HIGH) {
		pr_err("slicepages_max=%u is not in 1..%u\n", slicepages_max,
		       SLICEPAGES_MAX_HIGH);
		return -EINVAL;
	}

	err = ledger_create(threads_max, exited_max);
	if (err) {
		pr_err("no memory for threads_max=%u and exited_max=%u\n", threads_max, exited_max);
		return err;
	}
	err = slicepage_create(slicepages_max);
	if (err)
		goto destroy_ledger;
	err = probes_attach();
	if (err)
		goto destroy_slicepages;
	ledger_adopt_all();
	err = device_create_node();
	if (err)
		goto detach_probes;
	err = slicepage_create_node();
	if (err)
		goto remove_node;
	return 0;

remove_node:
	device_remove_node();
detach_probes:
	probes_detach();
destroy_slicepages:
	slicepage_destroy();
destroy_ledger:
	ledger_destroy();
	return err;
}

static void __exit schedscope_exit(void)
{
	slicepage_remove_node();
	device_remove_node();
	probes_detach();
	slicepage_destroy();
	ledger_destroy();
}

module_init(schedscope_init);
module_exit(schedscope_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The schedscope authors");
MODULE_DESCRIPTION("Scheduler ledger: an exact account of every thread's time");
