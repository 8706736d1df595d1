/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests in user space: a thread's states, as the kernel has them.
 */
#ifndef SCHEDSCOPE_KUNIT_SCHED_H
#define SCHEDSCOPE_KUNIT_SCHED_H

#define TASK_INTERRUPTIBLE	0x0001
#define TASK_UNINTERRUPTIBLE	0x0002
#define TASK_STOPPED		0x0104
#define __TASK_STOPPED		0x0004
#define __TASK_TRACED		0x0008
#define TASK_TRACED		0x0008
#define EXIT_TRACE		0x0030
#define TASK_DEAD		0x0080
#define TASK_KILLABLE		0x0102
#define TASK_NOLOAD		0x0400
#define TASK_IDLE		0x0402
#define TASK_RTLOCK_WAIT	0x1000
#define TASK_FREEZABLE		0x2000
#define TASK_FROZEN		0x8000

#endif /* SCHEDSCOPE_KUNIT_SCHED_H */
