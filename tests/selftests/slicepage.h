/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page of /dev/schedscope-slice, opened and read as uapi/schedscope.h says.
 */
#ifndef SCHEDSCOPE_SELFTESTS_SLICEPAGE_H
#define SCHEDSCOPE_SELFTESTS_SLICEPAGE_H

#include <sys/mman.h>

#include "support.h"

#define SLICE_DEVICE	"/dev/schedscope-slice"
#define PAGE_BYTES	4096

static inline const struct schedscope_slicepage *page_map(int fd)
{
	void *page = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);

	return page == MAP_FAILED ? NULL : page;
}

/* The calling thread's, NULL with errno. */
static inline const struct schedscope_slicepage *page_open(void)
{
	int fd = open(SLICE_DEVICE, O_RDONLY | O_CLOEXEC);
	const struct schedscope_slicepage *page;

	if (fd < 0)
		return NULL;
	page = page_map(fd);
	close(fd);
	return page;
}

static inline void page_close(const struct schedscope_slicepage *page)
{
	munmap((void *)page, PAGE_BYTES);
}

/* How often it had to be read again. */
static inline unsigned int page_read(const struct schedscope_slicepage *page,
				     struct schedscope_slicepage *out)
{
	unsigned int again = 0;
	__u32 seq;

	for (;; again++) {
		seq = __atomic_load_n(&page->seq, __ATOMIC_ACQUIRE);
		if (seq & 1)
			continue;
		memcpy(out, (const void *)page, sizeof(*out));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&page->seq, __ATOMIC_RELAXED) == seq)
			return again;
	}
}

/* Burns CPU until @until. */
static inline void spin_until(__u64 until)
{
	while (now_ns() < until)
		;
}

static inline void pin_to(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		abort();
}

/* The scheduling parameters as the kernel's own struct; the C library has none. */
struct attributes {
	__u32 size;
	__u32 policy;
	__u64 flags;
	__s32 nice;
	__u32 priority;
	__u64 runtime;
	__u64 deadline;
	__u64 period;
};

static inline int attributes_set(__u32 policy, __u32 priority, __u64 runtime, __u64 period)
{
	struct attributes attributes = {
		.size = sizeof(attributes),
		.policy = policy,
		.priority = priority,
		.runtime = runtime,
		.deadline = period,
		.period = period,
	};

	return syscall(SYS_sched_setattr, 0, &attributes, 0) ? errno : 0;
}

static inline struct attributes attributes_get(void)
{
	struct attributes attributes = { 0 };

	syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0);
	return attributes;
}

#endif /* SCHEDSCOPE_SELFTESTS_SLICEPAGE_H */
