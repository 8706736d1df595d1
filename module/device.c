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
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "device.h"
#include "ledger.h"
#include "probes.h"
#include "slicepage.h"
#include "stream.h"
#include "switchbench.h"
#include "uapi/schedscope.h"

/* The sizes are the ABI's. */
static_assert(sizeof(struct schedscope_account) == 736);
static_assert(sizeof(struct schedscope_info) == 104);
static_assert(sizeof(struct schedscope_switchbench) == 896);

#define SIGNALS_USED	(SCHEDSCOPE_SIGNAL_NEED_RESCHED | SCHEDSCOPE_SIGNAL_TIMER | \
			 SCHEDSCOPE_SIGNAL_FAIR_SLICE | SCHEDSCOPE_SIGNAL_QUOTA)

/**
 * struct reader - an open file
 * @lock: outermost, process context
 * @slot: where in the ledger its next read goes on
 * @lent: address space for the switch benchmark, or NULL; its struct is kept, not its pages
 */
struct reader {
	struct mutex lock; /* guards the rest */
	unsigned int slot;
	struct mm_struct *lent;
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
	struct reader *reader = file->private_data;

	if (reader->lent)
		mmdrop(reader->lent);
	kfree(reader);
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
	info.signals = probes_signals();
	info.signals_used = info.signals & SIGNALS_USED;
	ledger_describe(&info);
	slicepage_describe(&info);
	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

static long device_lend_mm(struct reader *reader)
{
	struct mm_struct *before;

	mmgrab(current->mm);
	scoped_guard(mutex, &reader->lock) {
		before = reader->lent;
		reader->lent = current->mm;
	}
	if (before)
		mmdrop(before);
	return 0;
}

static const struct file_operations device_operations;

/* The address space that was lent to a file; the caller gives it back with mmput(). */
static struct mm_struct *lent_mm(int fd)
{
	struct file *file = fget(fd);
	struct mm_struct *mm;
	struct reader *reader;

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op != &device_operations) {
		fput(file);
		return ERR_PTR(-EBADF);
	}
	reader = file->private_data;
	scoped_guard(mutex, &reader->lock) {
		mm = reader->lent;
		if (!mm)
			mm = ERR_PTR(-ENODATA);
		else if (!mmget_not_zero(mm))
			mm = ERR_PTR(-ESRCH);
	}
	fput(file);
	return mm;
}

static int switchbench_with_mm(struct schedscope_switchbench *bench)
{
	struct mm_struct *other;
	int err;

	switch (bench->mm) {
	case SCHEDSCOPE_SWITCHBENCH_MM_SAME:
		return switchbench_run(bench, current->mm, current->mm);
	case SCHEDSCOPE_SWITCHBENCH_MM_OTHER:
		other = lent_mm(bench->lender_fd);
		if (IS_ERR(other))
			return PTR_ERR(other);
		err = switchbench_run(bench, current->mm, other);
		mmput(other);
		return err;
	default:
		return switchbench_run(bench, NULL, NULL);
	}
}

static long device_switchbench(struct schedscope_switchbench __user *user)
{
	struct schedscope_switchbench *bench __free(kfree) = NULL;
	int err;

	if (!capable(CAP_SYS_NICE))
		return -EPERM;
	bench = memdup_user(user, sizeof(*bench));
	if (IS_ERR(bench))
		return PTR_ERR(no_free_ptr(bench));
	err = switchbench_check(bench);
	if (err)
		return err;
	err = switchbench_with_mm(bench);
	if (err)
		return err;
	return copy_to_user(user, bench, sizeof(*bench)) ? -EFAULT : 0;
}

static long device_stream(const struct schedscope_stream __user *user)
{
	struct schedscope_stream wanted;

	if (copy_from_user(&wanted, user, sizeof(wanted)))
		return -EFAULT;
	return stream_create(&wanted);
}

static long device_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	switch (command) {
	case SCHEDSCOPE_IOC_INFO:
		return device_info((struct schedscope_info __user *)arg);
	case SCHEDSCOPE_IOC_STREAM:
		return device_stream((const struct schedscope_stream __user *)arg);
	case SCHEDSCOPE_IOC_SWITCHBENCH:
		return device_switchbench((struct schedscope_switchbench __user *)arg);
	case SCHEDSCOPE_IOC_LEND_MM:
		return arg ? -EINVAL : device_lend_mm(file->private_data);
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
