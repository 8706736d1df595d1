/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A CPU's stage: where its records are made, and from where they go into its ring, many at once.
 *
 * The ring's own work is the same for one record as for ten, and of what a record costs it was
 * more than half.
 */
#ifndef SCHEDSCOPE_STAGE_H
#define SCHEDSCOPE_STAGE_H

#include <linux/compiler.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include "stream.h"

/* Context: interrupts are off, here and in the next. */
void stage_flush(struct stream *stream);

/**
 * stage_reserve() - room for a record on this CPU's stage
 * @stream: stream
 * @kind: SCHEDSCOPE_REC_*
 * @size: of the whole record
 * @now: its time, not before that of the record before
 *
 * The record is produced; whether it is also kept turns out when the stage is flushed.
 *
 * Return: the record, whose header is complete but for flags: none are set. The rest is what was
 * there before.
 */
static __always_inline void *stage_reserve(struct stream *stream, u16 kind, u16 size, u64 now)
{
	struct stream_cpu *here = this_cpu_ptr(stream->cpus);
	struct schedscope_rec *rec;

	if (here->staged_bytes + size > sizeof(here->staged))
		stage_flush(stream);
	rec = (void *)here->staged + here->staged_bytes;
	WRITE_ONCE(here->staged_bytes, here->staged_bytes + size);
	rec->time_ns = now;
	rec->kind = kind;
	rec->size = size;
	rec->cpu = smp_processor_id();
	rec->flags = 0;
	here->produced++;
	return rec;
}

/* Process context, may sleep; stage_take() is for the reader. */
void stage_call_in(struct stream *stream);
void stage_settle(void);
size_t stage_take(struct stream *stream, unsigned int cpu, void *to);

/* The most that stage_take() gives. */
#define STAGE_TAKE_MOST	(sizeof(struct schedscope_lost) + STREAM_STAGE_BYTES)

#endif /* SCHEDSCOPE_STAGE_H */
