// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream as its reader sees it: a file of its own, see SCHEDSCOPE_IOC_STREAM.
 *
 * A page of a ring is taken whole and copied out as plain records: the form of
 * the kernel's pages is not ours to promise. What a reader has no room for, or
 * cannot be copied to it, waits for its next read.
 */
#include <linux/anon_inodes.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/cleanup.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/ring_buffer.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/threads.h>
#include <linux/time64.h>
#include <linux/uaccess.h>

#include <asm/local.h>

#include "compat.h"
#include "stage.h"
#include "stream.h"

/* The sizes are the ABI's. */
static_assert(sizeof(struct schedscope_stream) == 48);
static_assert(sizeof(struct schedscope_switch) == 48);
static_assert(sizeof(struct schedscope_task) == 104);
static_assert(sizeof(struct schedscope_cpu_stats) == 112);
static_assert(sizeof(struct schedscope_cpu_stats) <= SCHEDSCOPE_STREAM_READ_MIN);
static_assert(STAGE_TAKE_MOST <= PAGE_SIZE);

enum stream_state { STREAM_MADE, STREAM_RUNS, STREAM_STOPPED };

/**
 * struct stream_reader - an open stream
 * @lock: outermost, process context
 * @stream: what the probes see
 * @state: when its records are made
 * @page: to read a ring by, of whichever CPU
 * @page_cpu: for which it was allocated
 * @cpu: whose ring is looked at next
 * @quiet: rings that were found empty one behind the other
 * @walk_flag: SCHEDSCOPE_TASK_BEGIN or _END while a walk over the threads goes on, else 0
 * @walk_tid: it is at this one
 * @stats_cpu: whose counts are told next; nr_cpu_ids: what belongs to no CPU; nr_cpu_ids + 1:
 *	nobody has asked
 * @called_ns: when the CPUs were last called to bring what is on their stages
 * @measure: the probes are to be timed while the stream runs
 * @was_measured: they were
 * @out: whole records, copied from what they come from
 * @out_at: so far the reader has them
 * @out_end: so far there are any
 */
struct stream_reader {
	struct mutex lock; /* guards the rest */
	struct stream stream;
	enum stream_state state;
	struct compat_ring_page page;
	unsigned int page_cpu;
	unsigned int cpu;
	unsigned int quiet;
	u16 walk_flag;
	int walk_tid;
	unsigned int stats_cpu;
	u64 called_ns;
	bool measure;
	bool was_measured;
	size_t out_at;
	size_t out_end;
	u8 out[PAGE_SIZE] __aligned(8);
};

#define WALK_AT_ONCE	512 /* pids in one RCU read side */

/* Bit 0: there is a stream. */
static unsigned long stream_taken;

/* What a page of the kernel's ring begins with: see ring_buffer_print_page_header(). */
struct ring_page {
	u64 time_stamp;
	local_t commit;
	u8 events[];
};

#define RING_COMMIT_MASK	((1UL << 20) - 1) /* flags are above */

static bool out_has_room(const struct stream_reader *reader, size_t size)
{
	return sizeof(reader->out) - reader->out_end >= size;
}

static void out_add(struct stream_reader *reader, const void *records, size_t bytes)
{
	memcpy(reader->out + reader->out_end, records, bytes);
	reader->out_end += bytes;
}

/* Bytes from one event to the next, by the kernel's description in linux/ring_buffer.h. */
static size_t event_size(const struct ring_buffer_event *event)
{
	switch (event->type_len) {
	case RINGBUF_TYPE_PADDING:
	case 0:
		return event->array[0] + sizeof(u32);
	case RINGBUF_TYPE_TIME_EXTEND:
	case RINGBUF_TYPE_TIME_STAMP:
		return 2 * sizeof(u32);
	default:
		return (event->type_len + 1) * sizeof(u32);
	}
}

static void out_add_page(struct stream_reader *reader, const struct ring_page *page, size_t at)
{
	size_t end = local_read(&page->commit) & RING_COMMIT_MASK;

	while (at < end) {
		struct ring_buffer_event *event = (void *)(page->events + at);

		/* An event is what was on a stage: whole records. */
		if (event->type_len <= RINGBUF_TYPE_DATA_TYPE_LEN_MAX)
			out_add(reader, ring_buffer_event_data(event),
				ring_buffer_event_length(event));
		else if (event->type_len == RINGBUF_TYPE_PADDING && !event->time_delta)
			return; /* the page's end */
		at += event_size(event);
	}
}

static void out_take_staged(struct stream_reader *reader, unsigned int cpu)
{
	reader->out_end += stage_take(&reader->stream, cpu, reader->out + reader->out_end);
}

/*
 * Once nothing comes any more from a CPU, what did not get into its ring stands at the end. One
 * that is about to go or to come is looked at the next time.
 */
static void out_add_staged(struct stream_reader *reader, unsigned int cpu)
{
	if (reader->state == STREAM_STOPPED) {
		out_take_staged(reader, cpu);
	} else if (!cpu_online(cpu) && cpus_read_trylock()) {
		/* What came into the ring since it was found empty is older. */
		if (!cpu_online(cpu) && ring_buffer_empty_cpu(reader->stream.ring, cpu))
			out_take_staged(reader, cpu);
		cpus_read_unlock();
	}
}

/* A page of the next ring that has one; nothing when none has. */
static void out_add_rings(struct stream_reader *reader)
{
	while (reader->quiet < nr_cpu_ids && !reader->out_end) {
		unsigned int cpu = reader->cpu;
		int at;

		reader->cpu = (cpu + 1) % nr_cpu_ids;
		reader->quiet++;
		if (!cpu_possible(cpu))
			continue;
		at = compat_ring_page_read(reader->stream.ring, cpu, &reader->page);
		if (at < 0) {
			out_add_staged(reader, cpu);
			continue;
		}
		out_add_page(reader, compat_ring_page_data(&reader->page), at);
		reader->quiet = 0;
	}
}

static void out_add_task(struct stream_reader *reader, struct task_struct *task)
{
	struct schedscope_task rec;

	stream_fill_task(&reader->stream, &rec, task);
	rec.rec.time_ns = stream_now();
	rec.rec.kind = SCHEDSCOPE_REC_TASK;
	rec.rec.size = sizeof(rec);
	rec.rec.cpu = SCHEDSCOPE_CPU_NONE;
	rec.rec.flags |= reader->walk_flag;
	out_add(reader, &rec, sizeof(rec));
}

/* Some more threads of the walk that was asked for. A thread that is there throughout is met. */
static void out_add_walk(struct stream_reader *reader)
{
	unsigned int seen;

	guard(rcu)();
	for (seen = 0; seen < WALK_AT_ONCE; seen++) {
		struct task_struct *task;
		struct pid *pid;

		if (!out_has_room(reader, sizeof(struct schedscope_task)))
			return;
		pid = find_ge_pid(reader->walk_tid, &init_pid_ns);
		if (!pid) {
			reader->walk_flag = 0;
			return;
		}
		reader->walk_tid = pid_nr(pid) + 1;
		task = pid_task(pid, PIDTYPE_PID);
		if (task && stream_is_selected(&reader->stream, task->pid))
			out_add_task(reader, task);
	}
}

/* What the probes took, all CPUs together. */
static void out_add_measured(struct stream_reader *reader)
{
	struct schedscope_cpu_stats rec = {
		.rec = {
			.time_ns = stream_now(),
			.kind = SCHEDSCOPE_REC_CPU_STATS,
			.size = sizeof(rec),
			.cpu = SCHEDSCOPE_CPU_NONE,
		},
	};
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct stream_cpu *state = per_cpu_ptr(reader->stream.cpus, cpu);

		rec.switches += READ_ONCE(state->measured_switches);
		rec.run_ns += READ_ONCE(state->probe_ns);
		rec.runs += READ_ONCE(state->probe_runs);
	}
	out_add(reader, &rec, sizeof(rec));
}

static void out_add_stats(struct stream_reader *reader)
{
	unsigned int *cpu = &reader->stats_cpu;

	for (; *cpu < nr_cpu_ids && out_has_room(reader, sizeof(struct schedscope_cpu_stats));
	     *cpu = min(cpumask_next(*cpu, cpu_possible_mask), nr_cpu_ids)) {
		const struct stream_cpu *state = per_cpu_ptr(reader->stream.cpus, *cpu);
		struct schedscope_cpu_stats rec = {
			.rec = {
				.time_ns = stream_now(),
				.kind = SCHEDSCOPE_REC_CPU_STATS,
				.size = sizeof(rec),
				.cpu = *cpu,
			},
			.produced = READ_ONCE(state->produced),
			.lost[SCHEDSCOPE_LOST_RING_FULL] = READ_ONCE(state->lost),
			.switches = READ_ONCE(state->switches),
		};

		out_add(reader, &rec, sizeof(rec));
	}
	if (*cpu != nr_cpu_ids || !out_has_room(reader, sizeof(struct schedscope_cpu_stats)))
		return;
	if (reader->was_measured)
		out_add_measured(reader);
	*cpu = nr_cpu_ids + 1;
}

/* Something of what comes next, if there is anything. */
static void out_fill(struct stream_reader *reader)
{
	reader->out_at = 0;
	reader->out_end = 0;
	while (reader->walk_flag && !reader->out_end) {
		out_add_walk(reader);
		cond_resched();
	}
	if (!reader->out_end)
		out_add_stats(reader);
	if (!reader->out_end)
		out_add_rings(reader);
}

/* Bytes of the whole records at hand that fit in @room. */
static size_t out_fitting(const struct stream_reader *reader, size_t room)
{
	size_t at = reader->out_at;

	if (reader->out_end - at <= room)
		return reader->out_end - at;
	for (;;) {
		const struct schedscope_rec *rec = (const void *)(reader->out + at);

		if (at + rec->size - reader->out_at > room)
			return at - reader->out_at;
		at += rec->size;
	}
}

/* For the next read; not more often, however often that is. */
static void call_in(struct stream_reader *reader)
{
	u64 now = stream_now();

	if (reader->state != STREAM_RUNS || now - reader->called_ns < NSEC_PER_MSEC)
		return;
	reader->called_ns = now;
	stage_call_in(&reader->stream);
}

static ssize_t stream_read(struct file *file, char __user *buffer, size_t count, loff_t *pos)
{
	struct stream_reader *reader = file->private_data;
	size_t done = 0;

	if (count < SCHEDSCOPE_STREAM_READ_MIN)
		return -EINVAL;
	count = min_t(size_t, count, MAX_RW_COUNT);

	guard(mutex)(&reader->lock);
	reader->quiet = 0;
	call_in(reader);
	for (;;) {
		size_t size;

		if (reader->out_at == reader->out_end)
			out_fill(reader);
		size = out_fitting(reader, count - done);
		if (!size)
			return done;
		if (copy_to_user(buffer + done, reader->out + reader->out_at, size))
			return done ?: -EFAULT;
		reader->out_at += size;
		done += size;
		if (signal_pending(current))
			return done;
		cond_resched();
	}
}

static long stream_start(struct stream_reader *reader)
{
	int err;

	if (reader->state != STREAM_MADE)
		return -EINVAL;
	err = stream_begin(&reader->stream);
	if (err)
		return err;
	reader->state = STREAM_RUNS;
	if (reader->measure)
		stream_measure(true);
	return 0;
}

static long stream_stop(struct stream_reader *reader)
{
	if (reader->state != STREAM_RUNS)
		return -EINVAL;
	stream_end();
	reader->state = STREAM_STOPPED;
	return 0;
}

static long stream_select_tid(struct stream_reader *reader, const u32 __user *user)
{
	struct task_struct *task;
	u32 tid;

	if (!reader->stream.selected)
		return -EINVAL;
	if (get_user(tid, user))
		return -EFAULT;
	if (tid > PID_MAX_LIMIT)
		return -ESRCH;
	guard(rcu)();
	task = pid_task(find_vpid(tid), PIDTYPE_PID);
	if (!task)
		return -ESRCH;
	stream_select(&reader->stream, task);
	return 0;
}

static long stream_walk(struct stream_reader *reader, const u32 __user *user)
{
	u32 flag;

	if (get_user(flag, user))
		return -EFAULT;
	if (flag != SCHEDSCOPE_TASK_BEGIN && flag != SCHEDSCOPE_TASK_END)
		return -EINVAL;
	if (reader->walk_flag)
		return -EBUSY;
	reader->walk_flag = flag;
	reader->walk_tid = 1;
	return 0;
}

static long stream_measure_probes(struct stream_reader *reader, const u32 __user *user)
{
	u32 on;

	if (get_user(on, user))
		return -EFAULT;
	if (on > 1)
		return -EINVAL;
	reader->measure = on;
	reader->was_measured |= on;
	if (reader->state == STREAM_RUNS)
		stream_measure(on);
	return 0;
}

static long stream_stats(struct stream_reader *reader)
{
	if (reader->stats_cpu <= nr_cpu_ids)
		return -EBUSY;
	reader->stats_cpu = cpumask_first(cpu_possible_mask);
	return 0;
}

static long stream_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	struct stream_reader *reader = file->private_data;

	guard(mutex)(&reader->lock);
	switch (command) {
	case SCHEDSCOPE_STREAM_IOC_START:
		return stream_start(reader);
	case SCHEDSCOPE_STREAM_IOC_STOP:
		return stream_stop(reader);
	case SCHEDSCOPE_STREAM_IOC_SELECT:
		return stream_select_tid(reader, (const u32 __user *)arg);
	case SCHEDSCOPE_STREAM_IOC_WALK:
		return stream_walk(reader, (const u32 __user *)arg);
	case SCHEDSCOPE_STREAM_IOC_MEASURE:
		return stream_measure_probes(reader, (const u32 __user *)arg);
	case SCHEDSCOPE_STREAM_IOC_STATS:
		return stream_stats(reader);
	default:
		return -ENOTTY;
	}
}

/* In the reverse order of stream_make(); of one that was made in part, too. */
static void stream_free(struct stream_reader *reader)
{
	struct stream *stream = &reader->stream;

	kvfree(stream->introduced);
	kvfree(stream->selected);
	compat_ring_page_free(stream->ring, reader->page_cpu, &reader->page);
	free_percpu(stream->cpus);
	if (stream->ring)
		ring_buffer_free(stream->ring);
	kvfree(reader);
	clear_bit_unlock(0, &stream_taken);
}

/* Also at the death of the process that has it open. */
static int stream_release(struct inode *inode, struct file *file)
{
	struct stream_reader *reader = file->private_data;

	if (reader->state == STREAM_RUNS)
		stream_end();
	stream_free(reader);
	return 0;
}

static const struct file_operations stream_operations = {
	.owner = THIS_MODULE,
	.release = stream_release,
	.read = stream_read,
	.unlocked_ioctl = stream_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static int stream_make(struct stream_reader *reader, const struct schedscope_stream *wanted)
{
	struct stream *stream = &reader->stream;

	mutex_init(&reader->lock);
	reader->stats_cpu = nr_cpu_ids + 1;
	stream->rr_slice_ns = wanted->rr_slice_ns;
	/* No RB_FL_OVERWRITE: what is there stays, and what finds no room is lost. */
	stream->ring = ring_buffer_alloc(wanted->ring_bytes, 0);
	stream->cpus = alloc_percpu(struct stream_cpu);
	if (!stream->ring || !stream->cpus)
		return -ENOMEM;
	if (wanted->flags & SCHEDSCOPE_STREAM_SELECT) {
		stream->selected = kvzalloc(PID_MAX_LIMIT + 1, GFP_KERNEL | __GFP_NOWARN);
		stream->introduced = kvzalloc(PID_MAX_LIMIT + 1, GFP_KERNEL | __GFP_NOWARN);
		if (!stream->selected || !stream->introduced)
			return -ENOMEM;
	}
	reader->page_cpu = cpumask_first(cpu_online_mask);
	return compat_ring_page_alloc(stream->ring, reader->page_cpu, &reader->page);
}

/**
 * stream_create() - make the stream
 * @wanted: as the caller gave it, nothing checked
 *
 * Return: its file descriptor, or a negative errno.
 */
int stream_create(const struct schedscope_stream *wanted)
{
	struct stream_reader *reader;
	int err;

	if (wanted->bytes != sizeof(*wanted) || wanted->flags & ~SCHEDSCOPE_STREAM_SELECT ||
	    wanted->ring_bytes < SCHEDSCOPE_STREAM_RING_MIN ||
	    wanted->ring_bytes > SCHEDSCOPE_STREAM_RING_MAX ||
	    memchr_inv(wanted->reserved, 0, sizeof(wanted->reserved)))
		return -EINVAL;
	if (test_and_set_bit_lock(0, &stream_taken))
		return -EBUSY;
	reader = kvzalloc(sizeof(*reader), GFP_KERNEL);
	if (!reader) {
		clear_bit_unlock(0, &stream_taken);
		return -ENOMEM;
	}
	err = stream_make(reader, wanted);
	if (!err)
		err = anon_inode_getfd("[schedscope]", &stream_operations, reader,
				       O_RDONLY | O_CLOEXEC);
	if (err < 0)
		stream_free(reader);
	return err;
}
