// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/schedscope: how the ledger is read. uapi/schedscope.h is its manual.
 *
 * Who runs when is sensitive: the node is root's alone, and opening it takes
 * CAP_PERFMON, as looking at other processes with perf does.
 */
#include <linux/build_bug.h>
#include <linux/capability.h>
#include <linux/cleanup.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "device.h"
#include "ledger.h"
#include "uapi/schedscope.h"

/* The sizes are the ABI's. */
static_assert(sizeof(struct schedscope_account) == 472);
static_assert(sizeof(struct schedscope_info) == 104);

/* An open file: where in the ledger its next read goes on. */
struct reader {
	struct mutex lock; /* guards slot; outermost, process context */
	unsigned int slot;
};

static int device_open(struct inode *inode, struct file *file)
{
	struct reader *reader;

	if (!perfmon_capable())
		return -EPERM;

	reader = kzalloc(sizeof(*reader), GFP_KERNEL);
	if (!reader)
		return -ENOMEM;
	mutex_init(&reader->lock);
	file->private_data = reader;
	/* The position counts accounts, not bytes: there is no reading at an offset. */
	file->f_mode &= ~(FMODE_PREAD | FMODE_PWRITE);
	return 0;
}

static int device_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static loff_t device_llseek(struct file *file, loff_t offset, int whence)
{
	struct reader *reader = file->private_data;

	if (offset || whence != SEEK_SET)
		return -EINVAL;
	guard(mutex)(&reader->lock);
	reader->slot = 0;
	return 0;
}

static ssize_t device_read(struct file *file, char __user *buffer, size_t count, loff_t *pos)
{
	struct reader *reader = file->private_data;
	struct schedscope_account account;
	size_t done = 0;

	if (count < sizeof(account))
		return -EINVAL;

	guard(mutex)(&reader->lock);
	while (count - done >= sizeof(account) && reader->slot < ledger_slots()) {
		if (ledger_read(reader->slot, &account)) {
			if (copy_to_user(buffer + done, &account, sizeof(account)))
				return done ?: -EFAULT;
			done += sizeof(account);
		}
		reader->slot++;
		cond_resched();
	}
	return done;
}

/* The caller's struct may be a later version's, with more in it: that must be zero. */
static long device_info(struct schedscope_info __user *user)
{
	struct schedscope_info info;
	u32 bytes;

	if (get_user(bytes, &user->info_bytes))
		return -EFAULT;
	if (bytes < sizeof(info) || bytes > PAGE_SIZE)
		return -EINVAL;
	switch (copy_struct_from_user(&info, sizeof(info), user, bytes)) {
	case 0:
		break;
	case -E2BIG:
		return -EINVAL;
	default:
		return -EFAULT;
	}
	info.info_bytes = 0;
	if (memchr_inv(&info, 0, sizeof(info)))
		return -EINVAL;

	info.abi_major = SCHEDSCOPE_ABI_MAJOR;
	info.abi_minor = SCHEDSCOPE_ABI_MINOR;
	info.info_bytes = sizeof(info);
	info.account_bytes = sizeof(struct schedscope_account);
	ledger_describe(&info);
	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

static long device_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	switch (command) {
	case SCHEDSCOPE_IOC_INFO:
		return device_info((struct schedscope_info __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations device_operations = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.llseek = device_llseek,
	.read = device_read,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &device_operations,
	.mode = 0600,
};

/**
 * device_create_node() - let readers in
 *
 * Return: 0 or a negative errno.
 */
int device_create_node(void)
{
	return misc_register(&device);
}

/**
 * device_remove_node() - no reader is left: an open file holds the module
 */
void device_remove_node(void)
{
	misc_deregister(&device);
}
