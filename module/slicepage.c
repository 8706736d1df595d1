// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page that says how the time slice of a thread stands, for user space to read.
 *
 * It belongs to a thread in its address space. Its life:
 *	hooked	found by the thread's address in the hash table, written by the probes
 *	gone	the thread has left the address space (exec or exit). That is seen when it
 *		is switched out next, the last time at the latest. Its task is NULL then, so that
 *		the next owner of that address is not taken for it: it is not written any more
 *	freed	a grace period after its last user, an open file, is gone
 *
 * Who writes: the thread itself with interrupts off, before the page is hooked; then the
 * probes. A thread is on one CPU at a time, where switches and the timer interrupt come
 * one after the other, and its run queue's lock passes it from one CPU to the next: so there
 * is one writer at a time, without a lock.
 *
 * Locks: slicepages.lock, process context. It guards the hash table against others who
 * change it; the probes look things up with preemption off, which RCU waits for.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/deadline.h>
#include <linux/sched/mm.h>
#include <linux/sched/rt.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uidgid.h>

#include "compat.h"
#include "ledger_math.h"
#include "slicepage.h"
#include "uapi/schedscope.h"

/* The sizes are the ABI's. */
static_assert(sizeof(struct schedscope_slicepage) == 128);
static_assert(sizeof(struct schedscope_slicepage) <= PAGE_SIZE);

/* A second: who opens and closes it all the time does not have the kernel patched each time. */
DEFINE_STATIC_KEY_DEFERRED_FALSE(slicepage_used, HZ);

/**
 * struct slicepage - a page and whose it is
 * @node: its place in the hash table
 * @task: thread, NULL when it is gone; a key, never followed
 * @mm: address space of the thread, a key, too; its struct is kept
 * @data: the page
 * @run_base_ns: what the kernel had counted of the thread's run time when its slice began
 * @users: open files; guarded by slicepages.lock
 * @uid: who opened it first
 * @rcu: for freeing it
 */
struct slicepage {
	struct hlist_node node;
	struct task_struct *task;
	struct mm_struct *mm;
	struct schedscope_slicepage *data;
	u64 run_base_ns;
	unsigned int users;
	kuid_t uid;
	struct rcu_head rcu;
};

/**
 * struct slicepages - all of them
 * @buckets: the hash table
 * @hash_bits: log2 of its length
 * @max: how many pages there may be
 * @nobody: what a mapping shows in an address space that the thread is not in
 * @lock: guards what follows, and changes of the hash table
 * @count: how many pages there are
 * @refused: threads that found no room, since load
 */
static struct slicepages {
	struct hlist_head *buckets;
	unsigned int hash_bits;
	unsigned int max;
	struct schedscope_slicepage *nobody;

	struct mutex lock; /* guards the rest */
	unsigned int count;
	u64 refused;
} slicepages = { .lock = __MUTEX_INITIALIZER(slicepages.lock) };

/* As the ledger's. */
static u64 slicepage_now(void)
{
	return ktime_get_mono_fast_ns();
}

static struct hlist_head *bucket_of(const struct task_struct *task)
{
	return &slicepages.buckets[hash_ptr(task, slicepages.hash_bits)];
}

/* Context: preemption is off, or slicepages.lock is held. */
static struct slicepage *slicepage_of(const struct task_struct *task)
{
	struct slicepage *page;

	hlist_for_each_entry_rcu(page, bucket_of(task), node,
				 lockdep_is_held(&slicepages.lock))
		if (READ_ONCE(page->task) == task)
			return page;
	return NULL;
}

static void write_begin(struct schedscope_slicepage *data)
{
	WRITE_ONCE(data->seq, data->seq + 1);
	/* Whoever reads anything of what comes now, and then @seq, finds that changed. */
	smp_wmb();
}

static void write_end(struct schedscope_slicepage *data)
{
	/* Whoever reads the even number reads all that came before. */
	smp_wmb();
	WRITE_ONCE(data->seq, data->seq + 1);
}

/*
 * What the scheduler has granted, and what is left of it. Exact at a switch and at the end of
 * a tick, when the scheduler has just looked itself.
 */
static void write_grant(struct schedscope_slicepage *data, const struct task_struct *task)
{
	const unsigned int weight_shift = (BITS_PER_LONG == 64 ? 2 : 1) * SCHED_FIXEDPOINT_SHIFT;
	s64 left = 0;
	u32 flags = 0;

	data->nominal_ns = 0;
	if (dl_prio(task->prio)) {
		data->nominal_ns = task->dl.dl_runtime;
		left = task->dl.runtime;
		flags = SCHEDSCOPE_SLICEPAGE_LEFT;
	} else if (rt_prio(task->prio)) {
		if (task->policy == SCHED_RR) {
			left = (u64)task->rt.time_slice * TICK_NSEC;
			flags = SCHEDSCOPE_SLICEPAGE_LEFT;
		}
	} else if (COMPAT_FAIR_SLICES) {
		data->nominal_ns = compat_fair_slice(task);
		left = compat_fair_left_virtual(task);
		if (left > 0)
			left = mul_u64_u64_shr(left, compat_fair_weight(task), weight_shift);
		flags = SCHEDSCOPE_SLICEPAGE_LEFT;
	}
	data->left_ns = max(left, 0LL);
	data->flags = (data->flags & ~SCHEDSCOPE_SLICEPAGE_LEFT) | flags;
}

static void write_run(struct slicepage *page, const struct task_struct *task, u64 now)
{
	page->data->run_ns = task->se.sum_exec_runtime - page->run_base_ns;
	page->data->updated_ns = now;
}

/* A slice begins. @task is current, or will be. */
static void slicepage_enter(struct slicepage *page, const struct task_struct *task, u64 now)
{
	struct schedscope_slicepage *data = page->data;

	write_begin(data);
	page->run_base_ns = task->se.sum_exec_runtime;
	data->cpu = smp_processor_id();
	data->start_ns = now;
	data->flags = SCHEDSCOPE_SLICEPAGE_ON_CPU;
	write_grant(data, task);
	write_run(page, task, now);
	write_end(data);
}

static void slicepage_leave(struct slicepage *page, const struct task_struct *task, u64 now,
			    bool runnable, struct slice_end end)
{
	struct schedscope_slicepage *data = page->data;

	write_begin(data);
	data->slices++;
	data->involuntary += runnable;
	data->yielded += runnable && is_yield(end.flags);
	data->flags = 0;
	data->left_ns = 0;
	write_run(page, task, now);
	write_end(data);
}

/* Context: as slicepage_leave(), or in @page's thread with interrupts off. */
static void slicepage_gone(struct slicepage *page)
{
	struct schedscope_slicepage *data = page->data;

	WRITE_ONCE(page->task, NULL);
	write_begin(data);
	data->flags = SCHEDSCOPE_SLICEPAGE_GONE;
	data->left_ns = 0;
	write_end(data);
}

/**
 * slicepage_switch() - a CPU goes from one thread to another
 * @preempt: @prev was preempted in the kernel
 * @prev: thread that leaves
 * @next: thread that takes over
 * @prev_state: state of @prev, as given to the tracepoint
 * @end: what is known of why @prev leaves
 * @now: when, as the ledger has it
 *
 * A thread changes its address space only by itself: so it is enough to look at who leaves.
 *
 * Context: this CPU's run queue is locked, interrupts are off.
 */
void slicepage_switch(bool preempt, struct task_struct *prev, struct task_struct *next,
		      unsigned int prev_state, struct slice_end end, u64 now)
{
	struct slicepage *out = slicepage_of(prev), *in = slicepage_of(next);

	if (likely(!out && !in))
		return;
	if (out && prev->mm != out->mm)
		slicepage_gone(out);
	else if (out)
		slicepage_leave(out, prev, now, preempt || !prev_state, end);
	if (in)
		slicepage_enter(in, next, now);
}

/**
 * slicepage_tick() - the timer interrupt was here, the scheduler's tick maybe with it
 *
 * Context: hard interrupt.
 */
void slicepage_tick(void)
{
	struct slicepage *page = slicepage_of(current);

	if (!page || current->mm != page->mm)
		return;
	write_begin(page->data);
	write_grant(page->data, current);
	write_run(page, current, slicepage_now());
	write_end(page->data);
}

static void slicepage_free(struct slicepage *page)
{
	free_page((unsigned long)page->data);
	kfree(page);
}

static void slicepage_free_rcu(struct rcu_head *rcu)
{
	slicepage_free(container_of(rcu, struct slicepage, rcu));
}

static struct schedscope_slicepage *data_alloc(gfp_t gfp)
{
	struct schedscope_slicepage *data = (void *)get_zeroed_page(gfp);

	if (data) {
		data->version = SCHEDSCOPE_SLICEPAGE_VERSION;
		data->bytes = sizeof(*data);
	}
	return data;
}

static struct slicepage *slicepage_alloc(void)
{
	struct slicepage *page = kzalloc(sizeof(*page), GFP_KERNEL_ACCOUNT);

	if (!page)
		return NULL;
	page->data = data_alloc(GFP_KERNEL_ACCOUNT);
	if (!page->data) {
		kfree(page);
		return NULL;
	}
	page->task = current;
	page->mm = current->mm;
	page->uid = current_uid();
	page->data->tid = task_pid_vnr(current);
	return page;
}

static unsigned int pages_of_user(kuid_t uid)
{
	unsigned int count = 0, i;
	struct slicepage *page;

	lockdep_assert_held(&slicepages.lock);
	for (i = 0; i < 1U << slicepages.hash_bits; i++)
		hlist_for_each_entry(page, &slicepages.buckets[i], node)
			count += uid_eq(page->uid, uid);
	return count;
}

/* One user alone does not take the last half of the room from the others. */
static int room_for(kuid_t uid)
{
	lockdep_assert_held(&slicepages.lock);
	if (slicepages.count >= slicepages.max)
		return -ENFILE;
	if (slicepages.count >= slicepages.max / 2 &&
	    pages_of_user(uid) >= slicepages.max / 2 && !capable(CAP_SYS_RESOURCE))
		return -EMFILE;
	return 0;
}

/* From here on the probes keep it: no switch and no tick of this thread comes in between. */
static void slicepage_hook(struct slicepage *page)
{
	struct schedscope_slicepage *data = page->data;
	u64 now;

	lockdep_assert_held(&slicepages.lock);
	guard(irqsave)();
	now = slicepage_now();
	page->run_base_ns = current->se.sum_exec_runtime;
	data->cpu = smp_processor_id();
	data->flags = SCHEDSCOPE_SLICEPAGE_ON_CPU | SCHEDSCOPE_SLICEPAGE_PARTIAL;
	data->start_ns = now;
	data->updated_ns = now;
	hlist_add_head_rcu(&page->node, bucket_of(current));
}

/* The page that this thread has already, with one user more. */
static struct slicepage *slicepage_again(void)
{
	struct slicepage *page;

	guard(mutex)(&slicepages.lock);
	page = slicepage_of(current);
	if (!page)
		return NULL;
	if (page->mm == current->mm) {
		page->users++;
		return page;
	}
	/* It was not switched out since its exec. */
	scoped_guard(irqsave)
		slicepage_gone(page);
	return NULL;
}

static int slicepage_add(struct slicepage *page)
{
	int err;

	guard(mutex)(&slicepages.lock);
	err = room_for(page->uid);
	if (err) {
		slicepages.refused++;
		return err;
	}
	slicepages.count++;
	page->users = 1;
	mmgrab(page->mm);
	slicepage_hook(page);
	return 0;
}

/**
 * slicepage_get() - the page of the calling thread, a new one when it has none
 *
 * Context: process context, may sleep.
 *
 * Return: the page, to be given back with slicepage_put(); -ENOMEM; -ENFILE: no room is left,
 * or -EMFILE: none for this user.
 */
struct slicepage *slicepage_get(void)
{
	struct slicepage *page = slicepage_again();
	int err;

	if (page)
		return page;
	page = slicepage_alloc();
	if (!page)
		return ERR_PTR(-ENOMEM);
	static_branch_deferred_inc(&slicepage_used);
	err = slicepage_add(page);
	if (err) {
		static_branch_slow_dec_deferred(&slicepage_used);
		slicepage_free(page);
		return ERR_PTR(err);
	}
	return page;
}

/**
 * slicepage_put() - give a page back; it ends when nobody has it
 * @page: page
 *
 * Context: process context, may sleep.
 */
void slicepage_put(struct slicepage *page)
{
	scoped_guard(mutex, &slicepages.lock) {
		if (--page->users)
			return;
		slicepages.count--;
		hlist_del_rcu(&page->node);
	}
	mmdrop(page->mm);
	call_rcu(&page->rcu, slicepage_free_rcu);
	static_branch_slow_dec_deferred(&slicepage_used);
}

/**
 * slicepage_is_of() - the thread of a page is, or was, in an address space
 * @page: page
 * @mm: address space
 */
bool slicepage_is_of(const struct slicepage *page, const struct mm_struct *mm)
{
	return page->mm == mm;
}

/**
 * slicepage_memory() - what a mapping shows
 * @page: page that was mapped
 * @mm: address space that the mapping is in
 *
 * Return: the page's memory, or, elsewhere than in its own address space, one that says that
 * the thread is not here.
 */
struct page *slicepage_memory(const struct slicepage *page, const struct mm_struct *mm)
{
	return virt_to_page(slicepage_is_of(page, mm) ? page->data : slicepages.nobody);
}

/**
 * slicepage_describe() - fill in what is known of the pages
 * @info: where to; other members stay as they are
 */
void slicepage_describe(struct schedscope_info *info)
{
	guard(mutex)(&slicepages.lock);
	info->slicepages = slicepages.count;
	info->slicepages_refused = slicepages.refused;
}

/**
 * slicepage_create() - get ready, before the probes
 * @pages_max: room for so many pages, 1..SLICEPAGES_MAX_HIGH
 *
 * Return: 0 or -ENOMEM.
 */
int slicepage_create(unsigned int pages_max)
{
	unsigned int buckets = roundup_pow_of_two(max(pages_max, 2U));

	slicepages.max = pages_max;
	slicepages.hash_bits = ilog2(buckets);
	slicepages.nobody = data_alloc(GFP_KERNEL);
	if (!slicepages.nobody)
		return -ENOMEM;
	slicepages.nobody->flags = SCHEDSCOPE_SLICEPAGE_GONE;
	slicepages.buckets = kvcalloc(buckets, sizeof(*slicepages.buckets), GFP_KERNEL);
	if (!slicepages.buckets) {
		free_page((unsigned long)slicepages.nobody);
		return -ENOMEM;
	}
	return 0;
}

/**
 * slicepage_destroy() - free it all, after the probes
 */
void slicepage_destroy(void)
{
	/* The key's last change, and the pages whose grace period is not over. */
	static_key_deferred_flush(&slicepage_used);
	rcu_barrier();
	kvfree(slicepages.buckets);
	free_page((unsigned long)slicepages.nobody);
}
