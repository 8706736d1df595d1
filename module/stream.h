/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDSCOPE_STREAM_H
#define SCHEDSCOPE_STREAM_H

#include <linux/jump_label.h>
#include <linux/types.h>

#include "slice_end.h"
#include "uapi/schedscope.h"

struct task_struct;
struct trace_buffer;

#define STREAM_STAGE_BYTES	512 /* ten switches; far below what an event of the ring may have */

/**
 * struct stream_cpu - what is known of one CPU's records
 * @produced: records that the probes wanted to keep
 * @lost: of those, the ones that found no room
 * @switches: of those produced, switches
 * @gap_count: lost since the last that was kept
 * @gap_begin_ns: when the first of them was
 * @gap_end_ns: and the last
 * @clocks_apart_ns: see clock_step.h
 * @in_ns: when the last switch was that is recorded; 0: none yet, or those below change
 * @in_task: thread that came in with it
 * @in_switches: its nvcsw + nivcsw then
 * @in_run_ns: and its sum_exec_runtime
 * @probe_ns: time that probes took while it was measured, see stream_measure()
 * @probe_runs: how often they ran meanwhile
 * @measured_switches: how many switches there were meanwhile, selected or not
 * @task: thread that the CPU runs: a key, never followed; NULL before its first switch
 * @tid: the tid that it was last known by
 * @staged_bytes: of @staged
 * @staged: records that are not yet in the ring, see stage.h
 *
 * Written by its CPU with interrupts off, but for @probe_ns and @probe_runs; once the stream is
 * stopped, by its reader.
 */
struct stream_cpu {
	u64 produced;
	u64 lost;
	u64 switches;
	u64 gap_count;
	u64 gap_begin_ns;
	u64 gap_end_ns;
	s64 clocks_apart_ns;
	u64 in_ns;
	const struct task_struct *in_task;
	u64 in_switches;
	u64 in_run_ns;
	u64 probe_ns;
	u64 probe_runs;
	u64 measured_switches;
	const struct task_struct *task;
	pid_t tid;
	unsigned int staged_bytes;
	u8 staged[STREAM_STAGE_BYTES] __aligned(8);
};

/**
 * struct stream - what the probes know of the one stream
 * @ring: a ring for each CPU; its writers never wait, and never overwrite
 * @cpus: beside it
 * @selected: by tid, a mark of the start time of each selected thread, 0 for others;
 *	NULL: all are
 * @introduced: likewise, the threads that are not selected whose identity was sent
 * @rr_slice_ns: nominal slice of SCHED_RR, 0 when unknown
 */
struct stream {
	struct trace_buffer *ring;
	struct stream_cpu __percpu *cpus;
	u8 *selected;
	u8 *introduced;
	u64 rr_slice_ns;
};

/* On from stream_begin() to stream_end(): the probes are called only then. */
DECLARE_STATIC_KEY_FALSE(stream_running);

/* On while a stream runs and all probes of the module are timed: that itself costs. */
DECLARE_STATIC_KEY_FALSE(stream_measured);

/* Process context, may sleep; the caller sees to it that one stream is begun at a time. */
int stream_begin(struct stream *stream);
void stream_end(void);
void stream_measure(bool on);

/*
 * Events, of the stream that runs. Preemption is off; none sleeps, allocates,
 * wakes or takes a lock.
 */
void stream_switch(bool preempt, struct task_struct *prev, struct task_struct *next,
		   pid_t prev_tid, pid_t next_tid, unsigned int prev_state, struct slice_end end,
		   u64 now);
void stream_waking(struct task_struct *task, u64 now);
void stream_wakeup_new(struct task_struct *task);
void stream_fork(struct task_struct *parent, struct task_struct *child);
void stream_exec(struct task_struct *task, pid_t old_tid);
void stream_exit(struct task_struct *task);
void stream_migrate(struct task_struct *task, int to_cpu);
void stream_rename(struct task_struct *task, const char *comm);
void stream_hotplug(unsigned int of_cpu, u16 flags);

/* From any of the module's probes, when it is timed. */
void stream_probed(u64 ns);

/* For its reader. */
bool stream_is_selected(const struct stream *stream, pid_t tid);
void stream_select(struct stream *stream, const struct task_struct *task);
void stream_fill_task(const struct stream *stream, struct schedscope_task *rec,
		      struct task_struct *task);
u64 stream_now(void);

/* Process context: a stream of its own file, see SCHEDSCOPE_IOC_STREAM. */
int stream_create(const struct schedscope_stream *wanted);

#endif /* SCHEDSCOPE_STREAM_H */
