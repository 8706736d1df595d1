/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * schedscope: the record schema and the ABI of /dev/schedscope.
 *
 * Included by the kernel module, the BPF programs and the C++ program, so it
 * knows nothing but <linux/types.h>. Rules: fixed sizes, 8-byte aligned, no
 * packed, no bitfields, no enums in structs; kinds and causes are append-only
 * and are never given a new meaning. Time is CLOCK_MONOTONIC in ns.
 */
#ifndef _UAPI_SCHEDSCOPE_H
#define _UAPI_SCHEDSCOPE_H

#include <linux/types.h>

/* Raised when a record changes its meaning; a new kind alone does not. */
#define SCHEDSCOPE_SCHEMA_VERSION	1

#define SCHEDSCOPE_COMM_LEN		16
#define SCHEDSCOPE_CPU_NONE		0xffff

/* Record kinds. */
#define SCHEDSCOPE_REC_SWITCH		1
#define SCHEDSCOPE_REC_WAKING		2
#define SCHEDSCOPE_REC_WAKEUP_NEW	3
#define SCHEDSCOPE_REC_FORK		4
#define SCHEDSCOPE_REC_EXEC		5
#define SCHEDSCOPE_REC_EXIT		6
#define SCHEDSCOPE_REC_MIGRATE		7
#define SCHEDSCOPE_REC_TASK		8
#define SCHEDSCOPE_REC_LOST		9
#define SCHEDSCOPE_REC_CPU_STATS	10
#define SCHEDSCOPE_REC_ACCOUNT		11
#define SCHEDSCOPE_REC_CLOCK		12
#define SCHEDSCOPE_REC_USER_SWITCH	13
#define SCHEDSCOPE_REC_USER_READY	14
#define SCHEDSCOPE_REC_USER_PARK	15
#define SCHEDSCOPE_REC_USER_END		16
#define SCHEDSCOPE_REC_USER_NAME	17
#define SCHEDSCOPE_REC_USER_CARRIER	18
#define SCHEDSCOPE_REC_FUTEX		19
#define SCHEDSCOPE_REC_STACK		20
#define SCHEDSCOPE_REC_FRAME		21
#define SCHEDSCOPE_REC_CGROUP		22
#define SCHEDSCOPE_REC_NAMESPACE	23
#define SCHEDSCOPE_REC_COUNTS		24
#define SCHEDSCOPE_REC_HOTPLUG		25
#define SCHEDSCOPE_REC_INTERRUPTS	26
#define SCHEDSCOPE_REC_EEVDF		27
#define SCHEDSCOPE_REC_TALLY		28
#define SCHEDSCOPE_REC_MAX		28

/*
 * In the flags of any record: it is the second witness's. The first one's say the same; an
 * analysis takes those alone, and this for their proof.
 */
#define SCHEDSCOPE_REC_SECOND		(1 << 15)

/**
 * struct schedscope_rec - what every record begins with
 * @time_ns: CLOCK_MONOTONIC
 * @kind: SCHEDSCOPE_REC_*
 * @size: bytes of the whole record, a multiple of 8
 * @cpu: CPU that produced it, SCHEDSCOPE_CPU_NONE when it has none
 * @flags: SCHEDSCOPE_REC_SECOND; the others' meaning depends on @kind; unknown bits are
 *	ignored by readers
 */
struct schedscope_rec {
	__u64 time_ns;
	__u16 kind;
	__u16 size;
	__u16 cpu;
	__u16 flags;
};

/* Flags of SCHEDSCOPE_REC_SWITCH: what is known of why prev left the CPU. */
#define SCHEDSCOPE_SWITCH_PREEMPT	(1 << 0) /* in the kernel: prev stays runnable */
#define SCHEDSCOPE_SWITCH_YIELD		(1 << 1) /* prev is inside sched_yield(2) */
#define SCHEDSCOPE_SWITCH_TICK		(1 << 2) /* the timer tick asked for it */
#define SCHEDSCOPE_SWITCH_WAKEUP	(1 << 3) /* a wakeup asked for it: see resched_tid */
#define SCHEDSCOPE_SWITCH_THROTTLED	(1 << 4) /* the quota of prev's group is used up */
#define SCHEDSCOPE_SWITCH_SYSCALL	(1 << 5) /* prev sleeps in a system call: see resched_tid */
#define SCHEDSCOPE_SWITCH_COMPAT	(1 << 6) /* which is one of the 32-bit table */

#define SCHEDSCOPE_CLOCK_STEP_LEAST_NS	4000
#define SCHEDSCOPE_CLOCK_STEP_US	16384
#define SCHEDSCOPE_CLOCK_STEP_MOST	32767

/**
 * struct schedscope_switch - one context switch, stamped where the kernel decides it
 * @rec: header
 * @prev_tid: thread that leaves the CPU; 0 is the CPU's idle task
 * @next_tid: thread that takes it
 * @prev_state: the kernel's task state bits of prev, as given to the tracepoint
 * @prev_switches: low 32 bits of the kernel's own nvcsw + nivcsw of prev, this
 *	switch included: consecutive for a thread unless a switch was missed
 * @prev_slice_ns: nominal slice of prev, 0 when the kernel has none (CFS)
 * @prev_prio: kernel priority of prev (-1 deadline, 0..99 real time, 100..139 fair)
 * @next_prio: of next
 * @prev_policy: SCHED_* of prev
 * @next_policy: of next
 * @clock_step: how much longer, by the clock of @rec.time_ns, it has been since the CPU's last
 *	record of a switch than by the clock that the scheduler charges run time by: interrupts
 *	and stolen time where the kernel leaves those out, and where it read its clock earlier
 *	than at the switch. Up to SCHEDSCOPE_CLOCK_STEP_US in us, from there on, less that, in
 *	ms; negative likewise; SCHEDSCOPE_CLOCK_STEP_MOST: that or more. What is less than
 *	SCHEDSCOPE_CLOCK_STEP_LEAST_NS stays for a later record
 * @resched_tid: with SCHEDSCOPE_SWITCH_WAKEUP the woken thread that asked; with
 *	SCHEDSCOPE_SWITCH_SYSCALL, of a prev that is not runnable, the number of its system
 *	call; else 0
 */
struct schedscope_switch {
	struct schedscope_rec rec;
	__u32 prev_tid;
	__u32 next_tid;
	__u32 prev_state;
	__u32 prev_switches;
	__u32 prev_slice_ns;
	__s16 prev_prio;
	__s16 next_prio;
	__u8 prev_policy;
	__u8 next_policy;
	__s16 clock_step;
	__u32 resched_tid;
};

/* Flags of SCHEDSCOPE_REC_WAKING. */
#define SCHEDSCOPE_WAKING_TIMER		(1 << 0) /* by the timer interrupt: waker_tid did nothing */

/**
 * struct schedscope_waking - a thread is about to be made runnable
 * @rec: header; kind SCHEDSCOPE_REC_WAKING, or SCHEDSCOPE_REC_WAKEUP_NEW for a new thread's first
 * @tid: thread that is woken
 * @waker_tid: thread that was current; 0 for idle
 * @target_cpu: CPU that it last ran on, or where it starts
 * @reserved: 0
 */
struct schedscope_waking {
	struct schedscope_rec rec;
	__u32 tid;
	__u32 waker_tid;
	__u32 target_cpu;
	__u32 reserved;
};

/**
 * struct schedscope_fork - a thread was made; its first REC_WAKEUP_NEW follows
 * @rec: header
 * @parent_tid: thread that called clone
 * @tid: the new thread
 * @pid: its process; equal to @tid for a new process
 * @reserved: 0
 */
struct schedscope_fork {
	struct schedscope_rec rec;
	__u32 parent_tid;
	__u32 tid;
	__u32 pid;
	__u32 reserved;
};

/**
 * struct schedscope_exec - a thread replaced its program; a REC_TASK follows
 * @rec: header
 * @tid: thread, after the call
 * @old_tid: its tid before: differs when a non-leader called execve, which exchanges tids with its
 *	leader early in the call; then this record comes twice, first when either is next seen
 */
struct schedscope_exec {
	struct schedscope_rec rec;
	__u32 tid;
	__u32 old_tid;
};

/**
 * struct schedscope_exit - a thread began to exit; it still runs until its last switch
 * @rec: header
 * @tid: thread
 * @pid: process
 * @switches: the kernel's nvcsw + nivcsw so far: its last switch is not in it
 * @run_ns: the kernel's sum_exec_runtime so far
 * @run_at_ns: see struct schedscope_task
 */
struct schedscope_exit {
	struct schedscope_rec rec;
	__u32 tid;
	__u32 pid;
	__u64 switches;
	__u64 run_ns;
	__u64 run_at_ns;
};

/**
 * struct schedscope_migrate - the kernel moved a thread to another CPU's queue
 * @rec: header
 * @tid: thread
 * @from_cpu: from
 * @to_cpu: to
 * @reserved: 0
 */
struct schedscope_migrate {
	struct schedscope_rec rec;
	__u32 tid;
	__u32 from_cpu;
	__u32 to_cpu;
	__u32 reserved;
};

/* Flags of SCHEDSCOPE_REC_TASK. */
#define SCHEDSCOPE_TASK_KTHREAD		(1 << 0)
#define SCHEDSCOPE_TASK_BEGIN		(1 << 1) /* from the walk at the start of recording */
#define SCHEDSCOPE_TASK_END		(1 << 2) /* from the walk at its end */
#define SCHEDSCOPE_TASK_ON_CPU		(1 << 3) /* was on a CPU when it was read */
#define SCHEDSCOPE_TASK_ON_RQ		(1 << 4) /* was in a run queue when it was read */
#define SCHEDSCOPE_TASK_BYSTANDER	(1 << 5) /* not selected, but met one that is, or was */
#define SCHEDSCOPE_TASK_MOVED		(1 << 6) /* its cgroup, or if it is selected, has changed */

/**
 * struct schedscope_task - who a thread is; sent once, and again when it changes
 * @rec: header
 * @tid: thread
 * @pid: process (tgid)
 * @ppid: parent process
 * @state: task state bits when it was read
 * @start_ns: the kernel's start_time: with @tid the identity of a thread
 * @cgroup_id: cgroup v2 id, 0 when unknown
 * @switches: the kernel's nvcsw + nivcsw when it was read
 * @run_ns: the kernel's sum_exec_runtime when it was read
 * @run_at_ns: as of when that is: of a thread on a CPU it is what it was when its slice began, for
 *	the kernel brings it up to date at its own moments; 0: not known
 * @slice_ns: nominal slice, 0 when the kernel has none
 * @prio: kernel priority, see struct schedscope_switch
 * @nice: -20..19
 * @policy: SCHED_*
 * @task_cpu: CPU it was on or last ran on
 * @comm: name, bytes, NUL-padded, not trusted
 */
struct schedscope_task {
	struct schedscope_rec rec;
	__u32 tid;
	__u32 pid;
	__u32 ppid;
	__u32 state;
	__u64 start_ns;
	__u64 cgroup_id;
	__u64 switches;
	__u64 run_ns;
	__u64 run_at_ns;
	__u32 slice_ns;
	__s16 prio;
	__s16 nice;
	__u32 policy;
	__u32 task_cpu;
	__u8 comm[SCHEDSCOPE_COMM_LEN];
};

/* Flags of SCHEDSCOPE_REC_COUNTS. */
#define SCHEDSCOPE_COUNTS_BEGIN		(1 << 0) /* at the CPU's first switch; else at tid's last */

/**
 * struct schedscope_counts - the kernel's counters of a thread that leaves its CPU; its switch
 *	follows, and they are as of it
 * @rec: header; the time and CPU of that switch
 * @switches: the kernel's nvcsw + nivcsw, with this one
 * @run_ns: the kernel's sum_exec_runtime
 * @tid: thread
 * @reserved: 0
 */
struct schedscope_counts {
	struct schedscope_rec rec;
	__u64 switches;
	__u64 run_ns;
	__u32 tid;
	__u32 reserved;
};

#define SCHEDSCOPE_CGROUP_PART_LEN	224

/**
 * struct schedscope_cgroup - the path of a cgroup, or a part of it
 * @rec: header
 * @cgroup_id: cgroup v2 id
 * @at: where in the path @part begins
 * @path_bytes: length of the whole path; records of @at = 0, 224, … make it up
 * @part: bytes, NUL-padded, not trusted; the path begins with / at the recorder's cgroup2 mount
 */
struct schedscope_cgroup {
	struct schedscope_rec rec;
	__u64 cgroup_id;
	__u32 at;
	__u32 path_bytes;
	__u8 part[SCHEDSCOPE_CGROUP_PART_LEN];
};

/**
 * struct schedscope_namespace - a thread as its own pid namespace sees it; follows its REC_TASK
 * @rec: header
 * @tid: thread
 * @level: how deep its namespace is, from 1 up: threads of the first one have no such record
 * @ns_tid: its tid there
 * @ns_pid: its process there
 * @ns_id: number of the namespace, as in /proc/PID/ns/pid
 */
struct schedscope_namespace {
	struct schedscope_rec rec;
	__u32 tid;
	__u32 level;
	__u32 ns_tid;
	__u32 ns_pid;
	__u64 ns_id;
};

/* Flags of SCHEDSCOPE_REC_HOTPLUG. */
#define SCHEDSCOPE_HOTPLUG_OFF	(1 << 0) /* it was taken down; else it is being brought up */

/**
 * struct schedscope_hotplug - a CPU went, or comes
 * @rec: header; @rec.cpu is where the kernel said so, SCHEDSCOPE_CPU_NONE when the
 *	recorder found the CPU off as it began
 * @of_cpu: the CPU. It is off from a moment on that lies between its last switch, to
 *	idle, and this record, until a moment between the other record and its first switch
 * @reserved: 0
 */
struct schedscope_hotplug {
	struct schedscope_rec rec;
	__u32 of_cpu;
	__u32 reserved;
};

/* Flags of SCHEDSCOPE_REC_INTERRUPTS. */
#define SCHEDSCOPE_INTERRUPTS_GOES_ON	(1 << 0) /* the slice does; else its switch follows */

#define SCHEDSCOPE_TID_NONE		0xffffffff

/**
 * struct schedscope_interrupts - what interrupts took of a slice, or of idle time: there is none
 *	where they took nothing
 * @rec: header; the time and CPU of the switch that ended it, or of an interrupt during it;
 *	SCHEDSCOPE_CPU_NONE for what went on when recording ended
 * @hard_ns: time in hard interrupts
 * @soft_ns: time in softirqs on top of the thread, without that of hard interrupts in them
 * @for_ns: what part of the slice this is of: the one that ended at @rec.time_ns
 * @tid: thread, 0 for idle; SCHEDSCOPE_TID_NONE: no switch of that CPU was seen
 * @of_cpu: the CPU
 * @hard_count: hard interrupts that ended in it
 * @soft_count: softirqs likewise
 */
struct schedscope_interrupts {
	struct schedscope_rec rec;
	__u64 hard_ns;
	__u64 soft_ns;
	__u64 for_ns;
	__u32 tid;
	__u32 of_cpu;
	__u32 hard_count;
	__u32 soft_count;
};

/* Flags of SCHEDSCOPE_REC_EEVDF: what is known of the thread; what is not is 0. */
#define SCHEDSCOPE_EEVDF_IN		(1 << 0) /* it takes the CPU; else it leaves it */
#define SCHEDSCOPE_EEVDF_DEADLINE	(1 << 1) /* @deadline, and @slice_ns */
#define SCHEDSCOPE_EEVDF_LAG		(1 << 2) /* @lag */
#define SCHEDSCOPE_EEVDF_QUEUE		(1 << 3) /* @queue_vruntime */
#define SCHEDSCOPE_EEVDF_PROTECTED	(1 << 4) /* @protected_until */
#define SCHEDSCOPE_EEVDF_OFF_QUEUE	(1 << 5) /* not in the queue: @lag is what it took along */
#define SCHEDSCOPE_EEVDF_DELAYED	(1 << 6) /* it sleeps, and stays in the queue for its lag */
#define SCHEDSCOPE_EEVDF_CUSTOM		(1 << 7) /* @slice_ns is its own, by sched_setattr(2) */

/**
 * struct schedscope_eevdf - where a fair thread stands as it leaves a CPU or takes it
 * @rec: header; the time and CPU of that switch, which follows
 * @vruntime: its virtual runtime. Virtual times are ns of a thread of nice 0: one of another
 *	weight has the run time in them times 1048576 / @weight
 * @deadline: the virtual time at which its request ends
 * @lag: @queue_vruntime - @vruntime: what the scheduler owes it, negative: what it was given
 *	too much; of one that has left the queue, the kernel's own, which is bounded
 * @protected_until: the virtual time until which it is not to be preempted by an equal
 * @queue_vruntime: of its queue: the average of all in it, by weight; of CFS its min_vruntime
 * @slice_ns: how long a request is, real ns
 * @weight: 1048576 is nice 0
 * @tid: thread
 * @reserved: 0
 */
struct schedscope_eevdf {
	struct schedscope_rec rec;
	__u64 vruntime;
	__u64 deadline;
	__s64 lag;
	__u64 protected_until;
	__u64 queue_vruntime;
	__u32 slice_ns;
	__u32 weight;
	__u32 tid;
	__u32 reserved;
};

/* Of histograms by powers of two. */
#define SCHEDSCOPE_HIST_BUCKETS		40

/* What SCHEDSCOPE_REC_TALLY counts. */
#define SCHEDSCOPE_TALLY_SLICE		0 /* slices that ended */
#define SCHEDSCOPE_TALLY_QUEUED		1 /* stays in the CPU's run queue that a slice ended */
#define SCHEDSCOPE_TALLIES		2

#define SCHEDSCOPE_CLASS_FAIR		0 /* also batch, idle and sched_ext */
#define SCHEDSCOPE_CLASS_REALTIME	1
#define SCHEDSCOPE_CLASS_DEADLINE	2
#define SCHEDSCOPE_CLASSES		3

/**
 * struct schedscope_tally - how often something took how long, on one CPU, in one class
 * @rec: header; time_ns is when it was read
 * @what: SCHEDSCOPE_TALLY_*
 * @of_class: SCHEDSCOPE_CLASS_*
 * @since_ns: from when on it was counted, CLOCK_MONOTONIC
 * @count: how often
 * @sum_ns: all of them together
 * @max_ns: the longest
 * @hist: @count by powers of two: [i] of 2^i ns to less than 2^(i+1), 0 in the first, all longer
 *	ones in the last
 *
 * Counted since @since_ns: a later one of the same CPU, thing and class takes its place.
 */
struct schedscope_tally {
	struct schedscope_rec rec;
	__u32 what;
	__u32 of_class;
	__u64 since_ns;
	__u64 count;
	__u64 sum_ns;
	__u64 max_ns;
	__u64 hist[SCHEDSCOPE_HIST_BUCKETS];
};

/* Why records were lost: append-only. */
#define SCHEDSCOPE_LOST_RING_FULL	0 /* no room in the CPU's ring */
#define SCHEDSCOPE_LOST_RECURSION	1 /* the probe was already active on that CPU */
#define SCHEDSCOPE_LOST_OVERRUN		2 /* a ring of user threads was overwritten unread */
#define SCHEDSCOPE_LOST_WRITE		3 /* the capture file could not be written */
#define SCHEDSCOPE_LOST_INVALID		4 /* a user-thread record that made no sense */
#define SCHEDSCOPE_LOST_PREEMPTED	5 /* a probe of an exec, exit, rename or move to a cgroup */
#define SCHEDSCOPE_LOST_CAUSES		6

/**
 * struct schedscope_lost - a gap: records of one source that could not be kept
 * @rec: header; @rec.time_ns is @end_ns, @rec.cpu the CPU or SCHEDSCOPE_CPU_NONE
 * @count: how many records; 0 when only the fact is known
 * @begin_ns: when the first was lost
 * @end_ns: when the last was lost
 * @cause: SCHEDSCOPE_LOST_*
 * @tid: carrier whose user-thread ring it was, 0 for a CPU's ring
 */
struct schedscope_lost {
	struct schedscope_rec rec;
	__u64 count;
	__u64 begin_ns;
	__u64 end_ns;
	__u32 cause;
	__u32 tid;
};

/**
 * struct schedscope_cpu_stats - the totals of one source, at the end of recording
 * @rec: header; @rec.cpu is the CPU, SCHEDSCOPE_CPU_NONE for what has no CPU
 * @produced: records that the probes wanted to keep; without a CPU: what the rings of
 *	user threads were written, and what was lost to recursion
 * @lost: of those, lost, by SCHEDSCOPE_LOST_*
 * @switches: of those produced, switches; without a CPU: the switches of the whole
 *	machine while @run_ns was measured
 * @run_ns: only without a CPU: time the probes themselves took while the kernel, or the
 *	module, measured it, 0 when it was not measured
 * @runs: how often they ran meanwhile
 */
struct schedscope_cpu_stats {
	struct schedscope_rec rec;
	__u64 produced;
	__u64 lost[8];
	__u64 switches;
	__u64 run_ns;
	__u64 runs;
};

/**
 * struct schedscope_clock - the clocks, read together
 * @rec: header; @rec.time_ns is CLOCK_MONOTONIC
 * @boot_ns: CLOCK_BOOTTIME
 * @real_ns: CLOCK_REALTIME
 * @tsc: time stamp counter, 0 when there is none
 * @error_ns: the readings lie within this span
 */
struct schedscope_clock {
	struct schedscope_rec rec;
	__u64 boot_ns;
	__u64 real_ns;
	__u64 tsc;
	__u64 error_ns;
};

/**
 * struct schedscope_user - what a runtime told of a user thread
 * @rec: header; kinds SCHEDSCOPE_REC_USER_SWITCH (the carrier now runs @id; 0 is
 *	the runtime itself), _READY (@id can run), _PARK (@id waits inside the
 *	runtime) and _END (@id is over)
 * @tid: carrier that told it
 * @pid: its process: ids are unique within a process
 * @id: user thread
 */
struct schedscope_user {
	struct schedscope_rec rec;
	__u32 tid;
	__u32 pid;
	__u64 id;
};

#define SCHEDSCOPE_USER_NAME_LEN	32

/**
 * struct schedscope_user_name - the name of a user thread, or of a runtime
 * @rec: header; SCHEDSCOPE_REC_USER_NAME names user thread @id,
 *	SCHEDSCOPE_REC_USER_CARRIER says that @tid is a carrier of run queue @id
 *	of the runtime @name
 * @tid: carrier
 * @pid: process
 * @id: user thread, or run queue shared by carriers (equal to @tid when not shared)
 * @name: bytes, NUL-padded, not trusted
 */
struct schedscope_user_name {
	struct schedscope_rec rec;
	__u32 tid;
	__u32 pid;
	__u64 id;
	__u8 name[SCHEDSCOPE_USER_NAME_LEN];
};

/* Flags of SCHEDSCOPE_REC_FUTEX. */
#define SCHEDSCOPE_FUTEX_VALUE		(1 << 0) /* the word could be read: @value */
#define SCHEDSCOPE_FUTEX_MUTEX		(1 << 1) /* and what is behind it: @owner, @users, @type */
#define SCHEDSCOPE_FUTEX_NAMESPACE	(1 << 2) /* tids there are those of a pid namespace */

/**
 * struct schedscope_futex - the futex that a thread goes to sleep for; its switch follows
 * @rec: header; the time and CPU of that switch
 * @word: its address in the thread's process, 0 when there are several (futex_waitv)
 * @tid: thread
 * @op: of futex(2), with its flags; futex_wait(2) and futex_waitv(2): 0
 * @expected: the value that the thread was to sleep for, where @op has one
 * @value: of the word, read at the switch
 * @owner: what the owner is if the word is that of a pthread_mutex_t of glibc (8 bytes
 *	behind it), whatever else it may be
 * @users: likewise, its count of users (12 bytes behind)
 * @type: likewise, its kind (16 bytes behind)
 * @reserved: 0
 */
struct schedscope_futex {
	struct schedscope_rec rec;
	__u64 word;
	__u32 tid;
	__u32 op;
	__u32 expected;
	__u32 value;
	__u32 owner;
	__u32 users;
	__u32 type;
	__u32 reserved;
};

#define SCHEDSCOPE_STACK_FRAMES_MAX	127 /* one with so many may be deeper */

/* In the place of a stack's number: it has none, and why. */
#define SCHEDSCOPE_STACK_NONE		0 /* a thread of the kernel has no user stack */
#define SCHEDSCOPE_STACK_UNREADABLE	0xffffffff /* the kernel could not walk it */
#define SCHEDSCOPE_STACK_NO_ROOM	0xfffffffe /* the recorder keeps no more different ones */
#define SCHEDSCOPE_STACK_GONE		0xfffffffd /* its program, before its map could be read */
#define SCHEDSCOPE_STACK_LAST		0xffffff00 /* no number of a stack is larger */

/**
 * struct schedscope_stack - where a thread goes to sleep; its switch follows. Only in a
 *	recording that was asked for stacks
 * @rec: header; the time and CPU of that switch
 * @tid: thread
 * @kernel: number of its stack in the kernel, or SCHEDSCOPE_STACK_*; the frames of each
 *	number are told once, by REC_FRAME, later or earlier
 * @user: likewise of its stack outside the kernel
 * @reserved: 0
 */
struct schedscope_stack {
	struct schedscope_rec rec;
	__u32 tid;
	__u32 kernel;
	__u32 user;
	__u32 reserved;
};

/* Flags of SCHEDSCOPE_REC_FRAME. */
#define SCHEDSCOPE_FRAME_KERNEL		(1 << 0) /* of a stack in the kernel */
#define SCHEDSCOPE_FRAME_IN_FILE	(1 << 1) /* @where is an offset in @file, else an address */

#define SCHEDSCOPE_FRAME_SYMBOL_LEN	64
#define SCHEDSCOPE_FRAME_FILE_LEN	60
#define SCHEDSCOPE_BUILD_ID_LEN		20

/**
 * struct schedscope_frame - a frame of a stack, or a part of its texts
 * @rec: header
 * @where: in its file, or its address where no file is known; the first frame's next
 *	instruction, the others' return address. In the kernel 0 when its symbol is known
 * @symbol_offset: how far behind the begin of @symbol that is
 * @stack: number of the stack
 * @index: 0: the innermost frame
 * @frames: how many that stack has
 * @part: records of @part = 0, 1, … make up @symbol and @file, and are else the same
 * @parts: how many
 * @build_id_bytes: of @build_id, 0: none is known
 * @build_id: of the file, NT_GNU_BUILD_ID
 * @symbol: bytes as its table of symbols has them, NUL-padded, not trusted; empty: not known
 * @file: path of the file as its process saw it, "[vdso]", or in the kernel the module; likewise
 */
struct schedscope_frame {
	struct schedscope_rec rec;
	__u64 where;
	__u64 symbol_offset;
	__u32 stack;
	__u32 index;
	__u32 frames;
	__u32 part;
	__u32 parts;
	__u32 build_id_bytes;
	__u8 build_id[SCHEDSCOPE_BUILD_ID_LEN];
	__u8 symbol[SCHEDSCOPE_FRAME_SYMBOL_LEN];
	__u8 file[SCHEDSCOPE_FRAME_FILE_LEN];
};

/* ---- /dev/schedscope ---- */

#define SCHEDSCOPE_ABI_MAJOR		2 /* raised when an old reader would misread */
#define SCHEDSCOPE_ABI_MINOR		3 /* raised by a compatible addition */

/*
 * What only some kernels tell a module: in the kernel that runs. What is not in
 * @signals_used of struct schedscope_info is only reported.
 */
#define SCHEDSCOPE_SIGNAL_NEED_RESCHED	(1ULL << 0) /* sched_set_need_resched_tp */
#define SCHEDSCOPE_SIGNAL_TIMER		(1ULL << 1) /* local_timer_entry, local_timer_exit */
#define SCHEDSCOPE_SIGNAL_FAIR_SLICE	(1ULL << 2) /* se.slice: EEVDF, 6.6 */
#define SCHEDSCOPE_SIGNAL_SET_STATE	(1ULL << 3) /* sched_set_state_tp */
#define SCHEDSCOPE_SIGNAL_DL		(1ULL << 4) /* sched_dl_throttle_tp and its like */
#define SCHEDSCOPE_SIGNAL_QUOTA		(1ULL << 5) /* CONFIG_CFS_BANDWIDTH */

/**
 * struct schedscope_info - what the loaded module is and does
 * @abi_major: refuse to go on when it differs
 * @abi_minor: at least this for a feature of that version
 * @info_bytes: size of this struct as the module knows it
 * @account_bytes: size of struct schedscope_account as the module knows it
 * @loaded_ns: when the ledger began
 * @accounts: threads with an account, alive
 * @exited: accounts of exited threads that are kept
 * @exited_dropped: accounts of exited threads, the oldest, that made room for others, since load
 * @threads_missed: threads that got no account for want of memory, since load
 * @exited_max: bound of @exited
 * @switches: switches seen since load, all CPUs
 * @signals: from 1.1: SCHEDSCOPE_SIGNAL_* that this kernel has
 * @signals_used: from 1.1: of those, the ones that the module makes use of
 * @slicepages: from 1.2: pages of /dev/schedscope-slice that there are
 * @slicepages_refused: from 1.2: threads that got no page for want of room, since load
 */
struct schedscope_info {
	__u32 abi_major;
	__u32 abi_minor;
	__u32 info_bytes;
	__u32 account_bytes;
	__u64 loaded_ns;
	__u64 accounts;
	__u64 exited;
	__u64 exited_dropped;
	__u64 threads_missed;
	__u64 exited_max;
	__u64 switches;
	__u64 signals;
	__u64 signals_used;
	__u64 slicepages;
	__u64 slicepages_refused;
};

/* States of struct schedscope_account. */
#define SCHEDSCOPE_STATE_RUN		0
#define SCHEDSCOPE_STATE_WAIT		1
#define SCHEDSCOPE_STATE_SLEEP		2
#define SCHEDSCOPE_STATE_BLOCK		3
#define SCHEDSCOPE_STATE_UNKNOWN	4
#define SCHEDSCOPE_STATE_EXITED		5

/* Why a slice ended: the indexes of @ends. Documentation/metrics.rst has the rules. */
#define SCHEDSCOPE_END_BLOCKED		0
#define SCHEDSCOPE_END_YIELDED		1
#define SCHEDSCOPE_END_EXPIRED		2
#define SCHEDSCOPE_END_PREEMPTED	3
#define SCHEDSCOPE_END_OUTRANKED	4
#define SCHEDSCOPE_END_MIGRATED		5
#define SCHEDSCOPE_END_THROTTLED	6
#define SCHEDSCOPE_END_STOPPED		7
#define SCHEDSCOPE_END_EXITED		8
#define SCHEDSCOPE_END_UNKNOWN		9
#define SCHEDSCOPE_ENDS			10

#define SCHEDSCOPE_PREEMPTORS		4

/* Flags of struct schedscope_account (in rec.flags when it is a record). */
#define SCHEDSCOPE_ACCOUNT_BEGIN	(1 << 0) /* read at the start of recording */
#define SCHEDSCOPE_ACCOUNT_END		(1 << 1) /* read at its end */

/**
 * struct schedscope_account - all that the ledger knows of one thread
 * @rec: header, so that it goes into a capture as it is; @rec.time_ns is when it
 *	was read: run + wait + sleep + block + unknown = @rec.time_ns - @since_ns
 *	exactly (for an exited thread @rec.time_ns is its end)
 * @tid: thread
 * @pid: process
 * @start_ns: the kernel's start_time: with @tid the identity, but for one case: an
 *	execve by a thread that is not its group's leader gives it the leader's
 *	identity, while the leader's account, exited by then, keeps it, too
 * @since_ns: when this account began
 * @run_ns: time on a CPU
 * @wait_ns: runnable, in a run queue
 * @sleep_ns: interruptible sleep
 * @block_ns: uninterruptible sleep
 * @unknown_ns: before its state was first seen; and while it is open, a sleep that
 *	a wakeup met as it began: what it was shows when it is over
 * @slices: stays on a CPU that have ended
 * @voluntary: of those, ended by the thread (it was no longer runnable)
 * @involuntary: of those, ended while it was runnable
 * @migrations: slices that began on another CPU than the one before
 * @wakeups: times it was woken, also while it ran or was queued
 * @switches: the kernel's nvcsw + nivcsw at the last switch that was counted
 * @state: SCHEDSCOPE_STATE_*
 * @cpu: CPU it is on or was on last
 * @comm: name at the last switch, bytes, NUL-padded
 * @slice_ns: nominal slice at the last switch that was counted: what the scheduler
 *	granted; 0 when it grants none (fair threads of CFS, SCHED_FIFO) or does not
 *	tell a module (SCHED_RR)
 * @longest_slice_ns: the longest slice, the one that is open included; without the one
 *	that had begun before the account did
 * @longest_slice_at_ns: when it began
 * @longest_wait_ns: the longest wait likewise
 * @longest_wait_at_ns: when it began
 * @ends: ended slices by SCHEDSCOPE_END_*: their sum is @slices
 * @slice_hist: ended slices by length: bucket b counts 2^b <= ns < 2^(b+1),
 *	bucket 0 also 0, the last one also everything longer; without the slice
 *	that had begun before the account did. A count stops at 2^32 - 1
 * @wait_hist: waits likewise
 * @preemptor_tid: who ended slices as preempted or outranked and was the next on the
 *	CPU: four threads, in no order; 0: no more. When there are more than four, a new
 *	one takes the place of the one that came least (Space-Saving): who did more than a
 *	quarter of it all is among them
 * @preemptor_start_ns: the start_time of each: with its tid its identity
 * @preemptor_count: how often each did it, since it took its place: so often at least. It
 *	counts when the wait that follows is over. What is in none of them was done by
 *	others, or by a thread that asked for the CPU and was not the next on it
 * @preemptor_missed_max: how often more at most, before that
 * @preemptor_wait_ns: how long the waits were that followed, all @preemptor_count of them
 */
struct schedscope_account {
	struct schedscope_rec rec;
	__u32 tid;
	__u32 pid;
	__u64 start_ns;
	__u64 since_ns;
	__u64 run_ns;
	__u64 wait_ns;
	__u64 sleep_ns;
	__u64 block_ns;
	__u64 unknown_ns;
	__u64 slices;
	__u64 voluntary;
	__u64 involuntary;
	__u64 migrations;
	__u64 wakeups;
	__u64 switches;
	__u32 state;
	__u32 cpu;
	__u8 comm[SCHEDSCOPE_COMM_LEN];
	__u64 slice_ns;
	__u64 longest_slice_ns;
	__u64 longest_slice_at_ns;
	__u64 longest_wait_ns;
	__u64 longest_wait_at_ns;
	__u64 ends[SCHEDSCOPE_ENDS];
	__u32 slice_hist[SCHEDSCOPE_HIST_BUCKETS];
	__u32 wait_hist[SCHEDSCOPE_HIST_BUCKETS];
	__u32 preemptor_tid[SCHEDSCOPE_PREEMPTORS];
	__u64 preemptor_start_ns[SCHEDSCOPE_PREEMPTORS];
	__u64 preemptor_count[SCHEDSCOPE_PREEMPTORS];
	__u64 preemptor_missed_max[SCHEDSCOPE_PREEMPTORS];
	__u64 preemptor_wait_ns[SCHEDSCOPE_PREEMPTORS];
};

/*
 * Fills as much of struct schedscope_info as the caller's @info_bytes says it
 * has room for; the caller sets @info_bytes and zeroes the rest.
 * EINVAL: info_bytes smaller than version 1.0's struct, or the rest not zero.
 */
#define SCHEDSCOPE_IOC_INFO		_IOWR('#', 0x60, struct schedscope_info)

/*
 * read(2) returns whole struct schedscope_account records, of live threads and
 * of kept exited ones, in no order, 0 at the end; lseek(2) to 0 starts again.
 * From one start to the end each account comes once. Each open file has a
 * position of its own. EINVAL: the buffer holds less than one.
 */

/* How the two kernel threads of the switch benchmark take turns. */
#define SCHEDSCOPE_SWITCHBENCH_YIELD	0 /* both stay runnable, on one CPU: the bare switch */
#define SCHEDSCOPE_SWITCHBENCH_WAKE	1 /* each wakes the other and sleeps */

/* Whose address space they borrow. */
#define SCHEDSCOPE_SWITCHBENCH_MM_NONE	0 /* none, as kernel threads do */
#define SCHEDSCOPE_SWITCHBENCH_MM_SAME	1 /* both the caller's */
#define SCHEDSCOPE_SWITCHBENCH_MM_OTHER	2 /* the caller's, and the one lent to @lender_fd */

#define SCHEDSCOPE_SWITCHBENCH_BUCKETS	192

/**
 * struct schedscope_switchbench - what a switch costs in the kernel
 * @bytes: size of this struct
 * @how: SCHEDSCOPE_SWITCHBENCH_YIELD or _WAKE
 * @mm: SCHEDSCOPE_SWITCHBENCH_MM_*
 * @lender_fd: with _MM_OTHER an open /dev/schedscope that SCHEDSCOPE_IOC_LEND_MM was
 *	called on, else -1
 * @cpus: of the two threads; equal with _YIELD
 * @switches_max: ends after so many, 1..100,000,000
 * @time_max_ns: or after so long, 1 ms..10 s
 * @switches: out: switches that were measured
 * @total_ns: out: sum of their times: from the moment before the one thread gives up its
 *	CPU, or before it wakes the other, to the first moment of the other
 * @min_ns: out: the shortest
 * @max_ns: out: the longest
 * @clock_ns: out: what reading the clock twice shows at least: it is in each of them
 * @probe_ns: out: time that this module's own probe took in switches on these CPUs, each
 *	with one @clock_ns in it. What is in a measured switch of it is its mean and one
 *	more clock reading
 * @probe_runs: out: how many those were
 * @reserved: 0
 * @hist: out: the switches by time: below 8 ns bucket b counts b ns, from there on bucket b
 *	begins at (8 + b % 8) << (b / 8 - 1) ns; the last also counts everything longer
 */
struct schedscope_switchbench {
	__u32 bytes;
	__u32 how;
	__u32 mm;
	__s32 lender_fd;
	__u32 cpus[2];
	__u64 switches_max;
	__u64 time_max_ns;
	__u64 switches;
	__u64 total_ns;
	__u64 min_ns;
	__u64 max_ns;
	__u64 clock_ns;
	__u64 probe_ns;
	__u64 probe_runs;
	__u64 reserved[4];
	__u32 hist[SCHEDSCOPE_SWITCHBENCH_BUCKETS];
};

/*
 * Runs it: two kernel threads of the lowest real-time priority hand a CPU to and fro, at
 * most half of the time, until enough was measured. It takes that CPU from other threads
 * meanwhile, hence CAP_SYS_NICE. Everything that is out is to be 0.
 * EINVAL: a value out of its range, or @bytes another version's. EBADF: lender_fd is no open
 * /dev/schedscope. ENODATA: nobody lent an address space to it. ESRCH: its process is gone.
 * EBUSY: another one runs. ENODEV: a CPU is not online, or did not stay so. EINTR: a signal.
 */
#define SCHEDSCOPE_IOC_SWITCHBENCH	_IOWR('#', 0x68, struct schedscope_switchbench)

/*
 * Lends the caller's address space to this open file, so that a benchmark which is given the
 * file can borrow it. Again, by another process: that one's takes its place.
 */
#define SCHEDSCOPE_IOC_LEND_MM		_IO('#', 0x69)

/* ---- the event stream, from 1.1 on ---- */

#define SCHEDSCOPE_STREAM_SELECT	(1 << 0) /* only selected threads, else all */

#define SCHEDSCOPE_STREAM_RING_MIN	(1ULL << 14)
#define SCHEDSCOPE_STREAM_RING_MAX	(1ULL << 30)
#define SCHEDSCOPE_STREAM_READ_MIN	256 /* the least buffer that read(2) takes */

/**
 * struct schedscope_stream - what is to be streamed
 * @bytes: size of this struct
 * @flags: SCHEDSCOPE_STREAM_*
 * @ring_bytes: of each CPU's ring, rounded up to whole pages: _RING_MIN.._RING_MAX
 * @rr_slice_ns: nominal slice of SCHED_RR (a sysctl that a module cannot read), 0: unknown
 * @reserved: 0
 */
struct schedscope_stream {
	__u32 bytes;
	__u32 flags;
	__u64 ring_bytes;
	__u64 rr_slice_ns;
	__u64 reserved[3];
};

/*
 * Makes a stream and returns its file descriptor (close-on-exec). There is one at a time;
 * it is gone when its last descriptor is, and holds the module meanwhile. Memory:
 * @ring_bytes for each CPU that is or comes online, and 8 MiB with _STREAM_SELECT.
 * EBUSY: there is one. EINVAL: a value out of its range, an unknown flag, reserved not 0.
 *
 * read(2) on it returns whole records of the kinds SWITCH to CPU_STATS, from 2.2 on FUTEX and
 * from 2.3 on COUNTS, and never waits: 0 when there are none now. What was asked for by _WALK
 * and _STATS comes first (rec.cpu of TASK records of a walk is SCHEDSCOPE_CPU_NONE), then the
 * CPUs' rings in turns; a CPU's records are in the order of their times. Records that found no
 * room are lost: a LOST record stands where the gap is, before the first record behind it, or,
 * after _STOP, at the end of its CPU's records. poll(2) does not wait either: a reader sleeps as
 * it likes.
 * EINVAL: the buffer holds less than SCHEDSCOPE_STREAM_READ_MIN bytes.
 */
#define SCHEDSCOPE_IOC_STREAM		_IOW('#', 0x70, struct schedscope_stream)

/* On a stream. Records are made from _START to _STOP, once each; EINVAL: out of turn. */
#define SCHEDSCOPE_STREAM_IOC_START	_IO('#', 0x71)
#define SCHEDSCOPE_STREAM_IOC_STOP	_IO('#', 0x72)
/*
 * Selects a thread, by its tid in the caller's namespace, and its later children.
 * EINVAL: made without SCHEDSCOPE_STREAM_SELECT. ESRCH: there is no such thread.
 */
#define SCHEDSCOPE_STREAM_IOC_SELECT	_IOW('#', 0x73, __u32)
/*
 * A TASK record of every (selected) thread, read when read(2) comes to it. The argument is
 * their flag, SCHEDSCOPE_TASK_BEGIN or _END. EBUSY: one is not read to its end.
 */
#define SCHEDSCOPE_STREAM_IOC_WALK	_IOW('#', 0x74, __u32)
/*
 * A CPU_STATS record of every possible CPU, as of when it is read; from 2.2 on, after _MEASURE,
 * one more without a CPU, of what the probes took. EBUSY: as _WALK.
 */
#define SCHEDSCOPE_STREAM_IOC_STATS	_IO('#', 0x75)
/*
 * From 2.2: times all probes of the module while the stream runs, also those of the ledger and
 * the slice pages, from now on (1) or no longer (0): two readings of the clock a probe, of which
 * one is in what is told.
 */
#define SCHEDSCOPE_STREAM_IOC_MEASURE	_IOW('#', 0x76, __u32)

/* ---- /dev/schedscope-slice, from 1.2 on ---- */

#define SCHEDSCOPE_SLICEPAGE_VERSION	1 /* raised when an old reader would misread */

/* Flags of struct schedscope_slicepage. */
#define SCHEDSCOPE_SLICEPAGE_ON_CPU	(1 << 0) /* the thread is on @cpu: its slice goes on */
#define SCHEDSCOPE_SLICEPAGE_LEFT	(1 << 1) /* the scheduler says what is left: @left_ns */
#define SCHEDSCOPE_SLICEPAGE_PARTIAL	(1 << 2) /* the slice began before the page did */
#define SCHEDSCOPE_SLICEPAGE_GONE	(1 << 3) /* the thread is not here any more: see below */

/**
 * struct schedscope_slicepage - how the time slice of a thread stands
 * @seq: odd while the rest is written; another even number when it was
 * @version: SCHEDSCOPE_SLICEPAGE_VERSION
 * @bytes: size of this struct as the module knows it
 * @flags: SCHEDSCOPE_SLICEPAGE_*
 * @tid: thread, as it saw itself when it opened the device; 0 in another process than its own
 * @cpu: CPU that it is on or was on last
 * @updated_ns: when this was written: at a switch, or at the end of a timer interrupt (on x86;
 *	nowhere else does the kernel tell a module of it). But for @seq and @flags, _GONE writes
 *	nothing
 * @start_ns: when its slice began: the one that goes on, or the last one. With _PARTIAL when
 *	the page did
 * @nominal_ns: what the scheduler grants a slice: EEVDF's slice, the deadline class's runtime; 0
 *	where there is none, or none that a module can read: CFS (6.1), SCHED_FIFO, SCHED_RR
 * @left_ns: with _LEFT: what was left of that at @updated_ns, by the scheduler's own account,
 *	which a sleep or a preemption in its middle does not begin anew. 0: it is used up, and the
 *	next tick or wakeup may end the slice. Other things may end it before: a higher
 *	class, a waking thread with shorter slices, a quota, the group's own turn (until 7.3)
 * @run_ns: what the kernel had counted of the slice as run at @updated_ns: without interrupts
 *	and time that the host of a virtual machine stole, where it knows of them. With _PARTIAL
 *	since the kernel counted last before @start_ns
 * @slices: slices that have ended since the page began
 * @involuntary: of those, ended while it was runnable: as the kernel's
 *	nonvoluntary_ctxt_switches counts
 * @yielded: of the involuntary, ended by sched_yield(2)
 * @reserved: 0
 */
struct schedscope_slicepage {
	__u32 seq;
	__u16 version;
	__u16 bytes;
	__u32 flags;
	__u32 tid;
	__u32 cpu;
	__u32 reserved;
	__u64 updated_ns;
	__u64 start_ns;
	__u64 nominal_ns;
	__u64 left_ns;
	__u64 run_ns;
	__u64 slices;
	__u64 involuntary;
	__u64 yielded;
	__u64 reserved2[5];
};

/*
 * open(2) makes a page for the calling thread, or finds the one that it has; mmap(2) of one
 * page at offset 0, readable only, shared or private, maps it; the descriptor may be closed
 * then. Any thread of the process may map it. Descriptor and mapping outlive the thread and
 * hold the module. There is nothing to read(2), and no ioctl(2).
 *
 * Reading: load @seq (acquire) until it is even, copy, then, after an acquire fence, load @seq
 * again; when it has changed, again. In the thread itself a second round is rare, and finds the
 * new slice.
 *
 * _GONE: the thread has exited or called execve(2), which shows from its next switch on; or
 * this is a child of fork(2) with a copy of the mapping: its threads open pages of their own.
 * Nothing changes any more then.
 *
 * open: ENFILE: no room, see the parameter slicepages_max. EMFILE: half of that is one user's,
 * who has no CAP_SYS_RESOURCE. ENOMEM.
 * mmap: EINVAL: not one page, or not at 0. EPERM: writable or executable, also for a later
 * mprotect (EACCES); or another process than the thread's.
 */

#endif /* _UAPI_SCHEDSCOPE_H */
