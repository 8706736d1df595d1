/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page of /dev/schedscope-slice, opened and read as programs do, and in other ways.
 */
#ifndef SCHEDSCOPE_SELFTESTS_SLICEPAGE_H
#define SCHEDSCOPE_SELFTESTS_SLICEPAGE_H

#include <sys/mman.h>

#include "support.h"

#include "schedscope/timeslice.h"

#define SLICE_DEVICE	SCHEDSCOPE_TIMESLICE_DEVICE
#define PAGE_BYTES	4096
#define page_open	schedscope_timeslice_open
#define page_close	schedscope_timeslice_close
#define page_read	schedscope_timeslice_read

static inline const struct schedscope_slicepage *page_map(int fd)
{
	void *page = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);

	return page == MAP_FAILED ? NULL : page;
}

/* The page and the kernel's counts of one moment: no switch came in between. */
static inline void counts_now(const struct schedscope_slicepage *page,
			      struct schedscope_slicepage *out, struct kernel_counts *kernel)
{
	struct schedscope_slicepage again;

	do {
		page_read(page, out);
		kernel_counts(thread_id(), kernel);
		page_read(page, &again);
	} while (out->slices != again.slices);
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
