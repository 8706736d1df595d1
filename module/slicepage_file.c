// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/schedscope-slice: how a thread gets at its slice page. uapi/schedscope.h is its
 * manual.
 *
 * Whoever opens it gets a page for the calling thread, and sees nothing of anybody else: so it
 * takes no capability. Only processes in the thread's address space can map it. A child of
 * fork(2) inherits the mapping, but not the thread: there the first touch finds a page that
 * says so. Each mapping holds its file, and each file the page and the module.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "compat.h"
#include "slicepage.h"

static int slicepage_open(struct inode *inode, struct file *file)
{
	struct slicepage *page = slicepage_get();

	if (IS_ERR(page))
		return PTR_ERR(page);
	file->private_data = page;
	return nonseekable_open(inode, file);
}

static int slicepage_release(struct inode *inode, struct file *file)
{
	slicepage_put(file->private_data);
	return 0;
}

/* The kernel fills mappings such as this one anew after a fork, rather than copy them. */
static vm_fault_t slicepage_fault(struct vm_fault *fault)
{
	if (fault->pgoff)
		return VM_FAULT_SIGBUS;
	fault->page = slicepage_memory(fault->vma->vm_file->private_data, fault->vma->vm_mm);
	get_page(fault->page);
	return 0;
}

static const struct vm_operations_struct slicepage_vm_operations = {
	.fault = slicepage_fault,
};

static int slicepage_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	if (vma->vm_flags & (VM_WRITE | VM_EXEC) ||
	    !slicepage_is_of(file->private_data, vma->vm_mm))
		return -EPERM;
	compat_vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYWRITE | VM_MAYEXEC);
	vma->vm_ops = &slicepage_vm_operations;
	return 0;
}

static const struct file_operations slicepage_operations = {
	.owner = THIS_MODULE,
	.open = slicepage_open,
	.release = slicepage_release,
	.mmap = slicepage_mmap,
};

static struct miscdevice slicepage_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME "-slice",
	.fops = &slicepage_operations,
	.mode = 0666,
};

/**
 * slicepage_create_node() - let threads in, after the probes
 *
 * Return: 0 or a negative errno.
 */
int slicepage_create_node(void)
{
	return misc_register(&slicepage_device);
}

/**
 * slicepage_remove_node() - no file is left: an open one holds the module
 */
void slicepage_remove_node(void)
{
	misc_deregister(&slicepage_device);
}
