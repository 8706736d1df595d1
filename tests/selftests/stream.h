/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The event stream: making one, and reading it to the last record.
 */
#ifndef SCHEDSCOPE_SELFTESTS_STREAM_H
#define SCHEDSCOPE_SELFTESTS_STREAM_H

#include "clock_step.h"
#include "support.h"

#define CPUS	64
#define RING	(1U << 20)

static inline struct schedscope_stream asked(__u64 ring_bytes, __u32 flags)
{
	return (struct schedscope_stream){
		.bytes = sizeof(struct schedscope_stream),
		.flags = flags,
		.ring_bytes = ring_bytes,
	};
}

static inline int stream_open(int device, __u64 ring_bytes, __u32 flags)
{
	struct schedscope_stream wanted = asked(ring_bytes, flags);

	return ioctl(device, SCHEDSCOPE_IOC_STREAM, &wanted);
}

/* What was read, and what the stream says of itself. */
struct seen {
	__u64 records[CPUS];	/* but for LOST, CPU_STATS and the walk's */
	__u64 last_ns[CPUS];
	__u64 lost[CPUS];	/* told in LOST records */
	__u64 produced[CPUS];	/* told in CPU_STATS */
	__u64 stats_lost[CPUS];
	__u64 switches[CPUS];
	__u64 stats_switches[CPUS];
	__u64 gaps;
	__u64 walked;
	__u64 wrong;		/* records that cannot be */
	pid_t watched;
	__u64 watched_switches;	/* switches away from it */
	__u64 watched_ins;	/* and to it */
	__u64 watched_yields;
	__u64 watched_in_ns[CPUS];	/* since when it is there */
	__u64 watched_run_ns;
	__s64 watched_step_ns;	/* what of that the scheduler's clock did not go */
	__u64 watched_step_off_ns;	/* it may be so much more, or less */
	__u64 watched_walked;
	struct schedscope_counts watched_first, watched_last;	/* the kernel's counters of it */
	int watched_cpu;
	__u64 went, came;	/* the watched CPU */
	__u64 others;		/* switches that have no selected thread in them */
	__u64 measured_ns;	/* told in a CPU_STATS of no CPU */
	__u64 measured_runs;
	__u64 measured_switches;
};

static inline bool kind_is_known(const struct schedscope_rec *rec)
{
	static const size_t sizes[] = {
		[SCHEDSCOPE_REC_SWITCH] = sizeof(struct schedscope_switch),
		[SCHEDSCOPE_REC_WAKING] = sizeof(struct schedscope_waking),
		[SCHEDSCOPE_REC_WAKEUP_NEW] = sizeof(struct schedscope_waking),
		[SCHEDSCOPE_REC_FORK] = sizeof(struct schedscope_fork),
		[SCHEDSCOPE_REC_EXEC] = sizeof(struct schedscope_exec),
		[SCHEDSCOPE_REC_EXIT] = sizeof(struct schedscope_exit),
		[SCHEDSCOPE_REC_MIGRATE] = sizeof(struct schedscope_migrate),
		[SCHEDSCOPE_REC_TASK] = sizeof(struct schedscope_task),
		[SCHEDSCOPE_REC_LOST] = sizeof(struct schedscope_lost),
		[SCHEDSCOPE_REC_CPU_STATS] = sizeof(struct schedscope_cpu_stats),
		[SCHEDSCOPE_REC_FUTEX] = sizeof(struct schedscope_futex),
		[SCHEDSCOPE_REC_COUNTS] = sizeof(struct schedscope_counts),
		[SCHEDSCOPE_REC_HOTPLUG] = sizeof(struct schedscope_hotplug),
	};

	return rec->kind && rec->kind < sizeof(sizes) / sizeof(*sizes) &&
	       rec->size == sizes[rec->kind];
}

static inline void see_hotplug(struct seen *seen, const struct schedscope_hotplug *rec)
{
	if (rec->of_cpu != (__u32)seen->watched_cpu)
		return;
	if (rec->rec.flags & SCHEDSCOPE_HOTPLUG_OFF)
		seen->went++;
	else
		seen->came++;
}

static inline void see_counts(struct seen *seen, const struct schedscope_counts *rec)
{
	if (rec->tid != (__u32)seen->watched)
		return;
	if (rec->rec.flags & SCHEDSCOPE_COUNTS_BEGIN)
		seen->watched_first = *rec;
	else
		seen->watched_last = *rec;
}

static inline void see_slice(struct seen *seen, const struct schedscope_switch *rec)
{
	const __u16 not_its_own = SCHEDSCOPE_SWITCH_TICK | SCHEDSCOPE_SWITCH_WAKEUP;
	__u16 flags = rec->rec.flags;

	seen->watched_switches++;
	seen->watched_yields += (flags & SCHEDSCOPE_SWITCH_YIELD) && !(flags & not_its_own);
	seen->watched_run_ns += rec->rec.time_ns - seen->watched_in_ns[rec->rec.cpu];
	seen->watched_step_ns += clock_step_ns(rec->clock_step);
}

static inline void see_switch(struct seen *seen, const struct schedscope_switch *rec)
{
	bool away = rec->prev_tid == (__u32)seen->watched;
	bool to = rec->next_tid == (__u32)seen->watched;

	seen->switches[rec->rec.cpu]++;
	if (away)
		see_slice(seen, rec);
	if (to) {
		seen->watched_ins++;
		seen->watched_in_ns[rec->rec.cpu] = rec->rec.time_ns;
	}
	if (!away && !to)
		seen->others++;
	else if (abs(rec->clock_step) >= SCHEDSCOPE_CLOCK_STEP_US)
		seen->watched_step_off_ns += 1000000;
	else
		seen->watched_step_off_ns += SCHEDSCOPE_CLOCK_STEP_LEAST_NS;
}

static inline void see(struct seen *seen, const struct schedscope_rec *rec)
{
	const struct schedscope_cpu_stats *stats = (const void *)rec;
	const struct schedscope_lost *lost = (const void *)rec;
	__u16 cpu = rec->cpu;

	if (!kind_is_known(rec)) {
		seen->wrong++;
		return;
	}
	if (cpu == SCHEDSCOPE_CPU_NONE && rec->kind == SCHEDSCOPE_REC_CPU_STATS) {
		seen->measured_ns = stats->run_ns;
		seen->measured_runs = stats->runs;
		seen->measured_switches = stats->switches;
		return;
	}
	if (cpu == SCHEDSCOPE_CPU_NONE) {
		const struct schedscope_task *task = (const void *)rec;

		seen->walked++;
		seen->watched_walked += task->tid == (__u32)seen->watched;
		seen->wrong += rec->kind != SCHEDSCOPE_REC_TASK ||
			       !(rec->flags & (SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_END));
		return;
	}
	if (cpu >= CPUS) {
		seen->wrong++;
		return;
	}
	if (rec->kind == SCHEDSCOPE_REC_CPU_STATS) {
		seen->produced[cpu] = stats->produced;
		seen->stats_lost[cpu] = stats->lost[SCHEDSCOPE_LOST_RING_FULL];
		seen->stats_switches[cpu] = stats->switches;
		return;
	}
	/* A CPU's records are in the order of their times, gaps among them. */
	seen->wrong += rec->time_ns < seen->last_ns[cpu];
	seen->last_ns[cpu] = rec->time_ns;
	if (rec->kind == SCHEDSCOPE_REC_LOST) {
		seen->wrong += lost->begin_ns > lost->end_ns || !lost->count;
		seen->lost[cpu] += lost->count;
		seen->gaps++;
		return;
	}
	seen->records[cpu]++;
	if (rec->kind == SCHEDSCOPE_REC_SWITCH)
		see_switch(seen, (const void *)rec);
	if (rec->kind == SCHEDSCOPE_REC_HOTPLUG)
		see_hotplug(seen, (const void *)rec);
	if (rec->kind == SCHEDSCOPE_REC_COUNTS)
		see_counts(seen, (const void *)rec);
}

/* Reads what there is room for; bytes read, or a negative errno. */
static inline ssize_t drain_once(int fd, struct seen *seen, size_t room)
{
	static __u64 buffer[1 << 15];
	ssize_t got = read(fd, buffer, room);

	for (ssize_t at = 0; at < got;) {
		const struct schedscope_rec *rec = (const void *)((char *)buffer + at);

		if (rec->size < sizeof(*rec) || at + rec->size > got) {
			seen->wrong++;
			break;
		}
		see(seen, rec);
		at += rec->size;
	}
	return got < 0 ? -errno : got;
}

/* Likewise until there is nothing: under a load that is faster than the reader, for ever. */
static inline ssize_t drain(int fd, struct seen *seen, size_t room)
{
	ssize_t got, all = 0;

	while ((got = drain_once(fd, seen, room)) > 0)
		all += got;
	return got < 0 ? got : all;
}

/* Produced = kept + lost, by CPU; the gaps tell of each that is lost. */
static inline bool adds_up(const struct seen *seen)
{
	for (int cpu = 0; cpu < CPUS; cpu++)
		if (seen->produced[cpu] != seen->records[cpu] + seen->lost[cpu] ||
		    seen->lost[cpu] != seen->stats_lost[cpu]) {
			printf("# CPU %d: produced %llu, read %llu, lost %llu, counted as lost %llu\n",
			       cpu, seen->produced[cpu], seen->records[cpu], seen->lost[cpu],
			       seen->stats_lost[cpu]);
			return false;
		}
	return true;
}

static inline __u64 sum(const __u64 *of)
{
	__u64 all = 0;

	for (int cpu = 0; cpu < CPUS; cpu++)
		all += of[cpu];
	return all;
}

static inline bool finish(int fd, struct seen *seen)
{
	return !ioctl(fd, SCHEDSCOPE_STREAM_IOC_STOP) && drain(fd, seen, 1 << 18) >= 0 &&
	       !ioctl(fd, SCHEDSCOPE_STREAM_IOC_STATS) && drain(fd, seen, 1 << 18) > 0 &&
	       drain(fd, seen, 1 << 18) == 0;
}

#endif /* SCHEDSCOPE_SELFTESTS_STREAM_H */
