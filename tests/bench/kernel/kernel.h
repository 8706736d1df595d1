/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of the kernel as module/ledger.c and module/slice_end.c take, in a program of one
 * thread. What costs something in the kernel costs as much here: the clock is read as it is there
 * (an ordered rdtsc under a latch), a spin lock is one atomic instruction and a store. Only
 * interrupts are not turned off, which takes some cycles once a wakeup.
 */
#ifndef SCHEDSCOPE_BENCH_KERNEL_H
#define SCHEDSCOPE_BENCH_KERNEL_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include <linux/types.h>

/* Its place is taken. */
#define SCHEDSCOPE_COMPAT_H

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;
typedef __s32 s32;

#define READ_ONCE(x)		(*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value)	(*(volatile typeof(x) *)&(x) = (value))
#define barrier()		__asm__ volatile("" ::: "memory")
#define smp_store_release(p, value)	__atomic_store_n(p, value, __ATOMIC_RELEASE)
#define smp_load_acquire(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define cmpxchg(p, old, new)		__sync_val_compare_and_swap(p, old, new)

#define __init
#define __ro_after_init
#define ____cacheline_aligned		__attribute__((aligned(64)))
#define ____cacheline_aligned_in_smp	____cacheline_aligned

#define BUILD_BUG_ON(condition)	_Static_assert(!(condition), #condition)
#define static_assert(condition, ...)	_Static_assert(condition, #condition)
#define IS_ENABLED(option)	0
#define BIT_ULL(n)		(1ULL << (n))
#define container_of(p, type, member)	((type *)((char *)(p) - offsetof(type, member)))
#define swap(a, b)		({ typeof(a) was = a; a = b; b = was; })
#define strstarts(s, prefix)	(!strncmp(s, prefix, strlen(prefix)))

/* One CPU. */
#define DEFINE_PER_CPU(type, name)		__typeof__(type) name
#define DEFINE_PER_CPU_ALIGNED(type, name)	__typeof__(type) name ____cacheline_aligned
#define this_cpu_ptr(p)		(p)
#define per_cpu_ptr(p, cpu)	((void)(cpu), (p))
#define this_cpu_read(x)	READ_ONCE(x)
#define this_cpu_write(x, value)	WRITE_ONCE(x, value)
#define this_cpu_inc(x)		((x)++)
#define smp_processor_id()	0
#define for_each_possible_cpu(cpu)	for ((cpu) = 0; (cpu) < 1; (cpu)++)

/* Lists. */
struct list_head {
	struct list_head *next, *prev;
};

struct hlist_head {
	struct hlist_node *first;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

#define INIT_LIST_HEAD(list)	((list)->next = (list)->prev = (list))
#define list_empty(list)	((list)->next == (list))
#define list_first_entry(list, type, member)	container_of((list)->next, type, member)
#define list_for_each_entry_rcu(at, list, member)					\
	for (at = list_first_entry(list, typeof(*at), member); &at->member != (list);	\
	     at = container_of(at->member.next, typeof(*at), member))
#define hlist_entry_safe(p, type, member)	((p) ? container_of(p, type, member) : NULL)
#define hlist_for_each_entry(at, list, member)						\
	for (at = hlist_entry_safe((list)->first, typeof(*at), member); at;		\
	     at = hlist_entry_safe(at->member.next, typeof(*at), member))

static inline void list_add(struct list_head *new, struct list_head *after)
{
	new->next = after->next;
	new->prev = after;
	after->next->prev = new;
	after->next = new;
}

static inline void list_add_tail(struct list_head *new, struct list_head *list)
{
	list_add(new, list->prev);
}

static inline void list_del(struct list_head *entry)
{
	entry->next->prev = entry->prev;
	entry->prev->next = entry->next;
}

static inline void hlist_add_head(struct hlist_node *node, struct hlist_head *list)
{
	node->next = list->first;
	if (list->first)
		list->first->pprev = &node->next;
	list->first = node;
	node->pprev = &list->first;
}

static inline void hlist_del(struct hlist_node *node)
{
	*node->pprev = node->next;
	if (node->next)
		node->next->pprev = node->pprev;
}

/* GOLDEN_RATIO_64 of linux/hash.h. */
#define hash_ptr(p, bits)	((u32)(((u64)(p) * 0x61C8864680B583EBull) >> (64 - (bits))))
#define ilog2(n)		(31 - __builtin_clz(n))
#define roundup_pow_of_two(n)	(1U << (32 - __builtin_clz((n) - 1)))

/* Locks. */
typedef atomic_uint raw_spinlock_t;

static inline void raw_spin_lock_init(raw_spinlock_t *lock)
{
	atomic_init(lock, 0);
}

static inline void raw_spin_lock(raw_spinlock_t *lock)
{
	unsigned int free = 0;

	while (!atomic_compare_exchange_strong_explicit(lock, &free, 1, memory_order_acquire,
							memory_order_relaxed))
		free = 0;
}

static inline void raw_spin_unlock(raw_spinlock_t *lock)
{
	atomic_store_explicit(lock, 0, memory_order_release);
}

#define SINGLE_DEPTH_NESTING			1
#define raw_spin_lock_nested(lock, depth)	raw_spin_lock(lock)
#define lockdep_assert_held(lock)		((void)(lock))

static inline void guard_unlock(raw_spinlock_t **lock)
{
	raw_spin_unlock(*lock);
}

static inline raw_spinlock_t *guard_raw_spinlock(raw_spinlock_t *lock)
{
	raw_spin_lock(lock);
	return lock;
}

static inline raw_spinlock_t *guard_raw_spinlock_irqsave(raw_spinlock_t *lock)
{
	unsigned long flags;

	__asm__ volatile("pushfq; popq %0" : "=r"(flags) : : "memory");
	return guard_raw_spinlock(lock);
}

static raw_spinlock_t rcu_lock;

static inline raw_spinlock_t *guard_rcu(void)
{
	return guard_raw_spinlock(&rcu_lock);
}

#define guard(kind)	raw_spinlock_t *guard_of_scope __attribute__((cleanup(guard_unlock))) = guard_##kind

typedef struct {
	unsigned int sequence;
} seqcount_t;

#define seqcount_init(seq)		((seq)->sequence = 0)
#define write_seqcount_begin(seq)	do { (seq)->sequence++; barrier(); } while (0)
#define write_seqcount_begin_nested(seq, depth)	write_seqcount_begin(seq)
#define write_seqcount_end(seq)		do { barrier(); (seq)->sequence++; } while (0)

static inline unsigned int read_seqcount_begin(const seqcount_t *seq)
{
	return smp_load_acquire(&seq->sequence) & ~1U;
}

#define read_seqcount_retry(seq, began)	(READ_ONCE((seq)->sequence) != (began))

/* Memory. */
#define GFP_KERNEL	0
#define __GFP_NOWARN	0
#define kvcalloc(n, size, flags)	aligned_zero(64, (size_t)(n) * (size))
#define kvfree(p)	free(p)

static inline void *aligned_zero(size_t alignment, size_t bytes)
{
	void *p = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);

	return p ? memset(p, 0, bytes) : NULL;
}

/* The clock: two readings' bases, of which one may be written while the other is read. */
struct clock_base {
	u64 cycle_last, mask, xtime_nsec, base_ns;
	u32 mult, shift;
};

static struct {
	seqcount_t seq;
	struct clock_base base[2];
	u64 (*read)(void);
} fast_clock;

static u64 ordered_tsc(void)
{
	u32 low, high, cpu;

	__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(cpu));
	return (u64)high << 32 | low;
}

static inline u64 ktime_get_mono_fast_ns(void)
{
	const struct clock_base *base;
	unsigned int seq;
	u64 now;

	do {
		seq = READ_ONCE(fast_clock.seq.sequence);
		base = &fast_clock.base[seq & 1];
		now = base->base_ns;
		now += ((fast_clock.read() - base->cycle_last) * base->mult + base->xtime_nsec) >>
		       base->shift;
	} while (read_seqcount_retry(&fast_clock.seq, seq));
	return now;
}

/* Threads. Their members are as far apart as they are there, or more. */
#define TASK_RUNNING		0
#define TASK_INTERRUPTIBLE	1
#define TASK_UNINTERRUPTIBLE	2
#define __TASK_STOPPED		4
#define __TASK_TRACED		8
#define EXIT_TRACE		0x30
#define TASK_DEAD		0x80
#define TASK_NOLOAD		0x400
#define TASK_RTLOCK_WAIT	0x1000
#define TASK_FROZEN		0x8000
#define PF_EXITING		4
#define PF_KTHREAD		0x200000
#define SCHED_RR		2
#define SCHED_DEADLINE		6
#define MAX_RT_PRIO		100
#define TIF_NEED_RESCHED	3

struct signal {
	struct list_head thread_head;
};

struct task_struct {
	unsigned long thread_flags;
	unsigned int __state;
	unsigned int flags ____cacheline_aligned;
	int on_cpu, on_rq, cpu;
	int prio, static_prio;
	struct {
		u64 slice, sum_exec_runtime, exec_start;
	} se ____cacheline_aligned;
	struct {
		u64 dl_runtime;
	} dl ____cacheline_aligned;
	unsigned int policy ____cacheline_aligned;
	int pid, tgid;
	unsigned long nvcsw, nivcsw;
	u64 start_time;
	struct list_head thread_node ____cacheline_aligned;
	struct signal *signal;
	char comm[16];
};

static struct task_struct *current;
static struct task_struct *first_process;

/* Those that the benchmark has are all in one process. */
#define for_each_process(leader)	for (leader = first_process; leader; leader = NULL)
#define task_cpu(task)			((task)->cpu)
#define compat_task_in_use(task)	(READ_ONCE((task)->on_cpu) || READ_ONCE((task)->on_rq))
#define compat_fair_slice(task)		((task)->se.slice)
#define compat_needs_resched(task)	(READ_ONCE((task)->thread_flags) & 1UL << TIF_NEED_RESCHED)
#define compat_quota_used(task)		((void)(task), false)

#endif /* SCHEDSCOPE_BENCH_KERNEL_H */
