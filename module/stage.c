// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a CPU's stage into its ring.
 *
 * The ring is the kernel's own: its writers take no lock, may be interrupted by
 * other writers, and wake nobody as long as nobody waits, which our reader never
 * does. It is written by its CPU alone, with interrupts off: when the stage is full,
 * when the CPU goes idle, and when the reader asks for what there is.
 *
 * A record that was produced is then either in the ring or lost. The first ones that
 * fit after a loss are preceded by a REC_LOST that says where the gap is.
 */
#include <linux/compiler.h>
#include <linux/percpu.h>
#include <linux/ring_buffer.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "stage.h"

/* What was lost on a CPU since the last record, which ends the gap. */
static void fill_gap(const struct stream_cpu *of, unsigned int cpu, struct schedscope_lost *lost)
{
	*lost = (struct schedscope_lost) {
		.rec = {
			.time_ns = of->gap_end_ns,
			.kind = SCHEDSCOPE_REC_LOST,
			.size = sizeof(*lost),
			.cpu = cpu,
		},
		.count = of->gap_count,
		.begin_ns = of->gap_begin_ns,
		.end_ns = of->gap_end_ns,
		.cause = SCHEDSCOPE_LOST_RING_FULL,
	};
}

static bool put_gap(struct stream *stream, struct stream_cpu *here)
{
	struct schedscope_lost lost;

	if (!here->gap_count)
		return true;
	fill_gap(here, smp_processor_id(), &lost);
	if (ring_buffer_write(stream->ring, sizeof(lost), &lost))
		return false;
	here->gap_count = 0;
	return true;
}

static void lose(struct stream *stream, struct stream_cpu *here, const struct schedscope_rec *rec)
{
	here->lost++;
	if (!here->gap_count++)
		here->gap_begin_ns = rec->time_ns;
	here->gap_end_ns = rec->time_ns;
	/* Who that was, its next record has to say again. */
	if (stream->introduced && rec->kind == SCHEDSCOPE_REC_TASK)
		WRITE_ONCE(stream->introduced[((const struct schedscope_task *)rec)->tid], 0);
}

static void lose_all(struct stream *stream, struct stream_cpu *here)
{
	const struct schedscope_rec *rec;
	unsigned int at;

	for (at = 0; at < here->staged_bytes; at += rec->size) {
		rec = (const void *)here->staged + at;
		lose(stream, here, rec);
	}
}

/**
 * stage_flush() - what is on this CPU's stage goes into its ring, or is counted as lost
 * @stream: stream
 */
void stage_flush(struct stream *stream)
{
	struct stream_cpu *here = this_cpu_ptr(stream->cpus);

	if (!here->staged_bytes)
		return;
	if (!put_gap(stream, here) ||
	    ring_buffer_write(stream->ring, here->staged_bytes, here->staged))
		lose_all(stream, here);
	WRITE_ONCE(here->staged_bytes, 0);
}

static bool has_staged(int cpu, void *stream)
{
	return READ_ONCE(per_cpu_ptr(((struct stream *)stream)->cpus, cpu)->staged_bytes);
}

static void flush_here(void *stream)
{
	stage_flush(stream);
}

/**
 * stage_call_in() - so does, soon, what is on all stages of CPUs that are up
 * @stream: stream
 *
 * Only CPUs that have something are interrupted; one that is idle has it from an interrupt only.
 * Nobody waits for them: the host may have taken one away.
 */
void stage_call_in(struct stream *stream)
{
	on_each_cpu_cond(has_staged, flush_here, stream, false);
}

static void do_nothing(void *data)
{
}

/**
 * stage_settle() - none of them is about to do that any more when this returns
 *
 * A CPU that is called does first, of all that it is called for by then, what somebody waits for.
 * So after the first of these calls the last of the others is in the batch that the CPU is at, and
 * the second one comes after that. A CPU that goes down has done all before.
 */
void stage_settle(void)
{
	on_each_cpu(do_nothing, NULL, true);
	on_each_cpu(do_nothing, NULL, true);
}

/**
 * stage_take() - what never came into a ring
 * @stream: stream
 * @cpu: a CPU whose ring is empty and that makes no record meanwhile
 * @to: where to, with room for STAGE_TAKE_MOST bytes
 *
 * Return: how many bytes of records that are.
 */
size_t stage_take(struct stream *stream, unsigned int cpu, void *to)
{
	struct stream_cpu *of = per_cpu_ptr(stream->cpus, cpu);
	size_t bytes = 0;

	if (of->gap_count) {
		fill_gap(of, cpu, to);
		bytes = sizeof(struct schedscope_lost);
		of->gap_count = 0;
	}
	memcpy(to + bytes, of->staged, of->staged_bytes);
	bytes += of->staged_bytes;
	of->staged_bytes = 0;
	return bytes;
}
