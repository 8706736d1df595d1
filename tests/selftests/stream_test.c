// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event stream: what it refuses, that each record is either read or counted
 * as lost, and that it says of known threads what the kernel says.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "stream.h"

#include "kselftest_harness.h"

#define TIMEOUT	240

FIXTURE(stream) {
	int device;
	int fd;
};

FIXTURE_SETUP(stream)
{
	self->device = self->fd = -1;
	if (!module_path())
		SKIP(return, "SCHEDSCOPE_MODULE does not name the module");
	ASSERT_EQ(0, module_load(""));
	self->device = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->device);
}

FIXTURE_TEARDOWN(stream)
{
	if (self->device < 0)
		return;
	if (self->fd >= 0)
		close(self->fd);
	close(self->device);
	EXPECT_EQ(0, module_unload());
}

/* Two threads on one CPU that pass a byte to and fro. */
struct pair {
	int pipes[2][2];
	int rounds;
};

static void hit(struct worker *worker)
{
	struct pair *pair = worker->data;
	int side = worker->value;
	char byte = 0;

	for (int i = 0; i < pair->rounds; i++) {
		if (!side && write(pair->pipes[0][1], &byte, 1) != 1)
			abort();
		if (read(pair->pipes[!side][0], &byte, 1) != 1)
			abort();
		if (side && write(pair->pipes[1][1], &byte, 1) != 1)
			abort();
	}
}

static bool play(struct worker *workers, struct pair *pair)
{
	if (pipe(pair->pipes[0]) || pipe(pair->pipes[1]))
		return false;
	for (int i = 0; i < 2; i++) {
		workers[i] = (struct worker){ .work = hit, .cpu = 0, .data = pair, .value = i };
		if (!worker_start(&workers[i]))
			return false;
	}
	return true;
}

static void play_on(struct worker *workers)
{
	worker_work(&workers[0]);
	worker_work(&workers[1]);
	worker_wait(&workers[0]);
	worker_wait(&workers[1]);
}

static void play_end(struct worker *workers, struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		worker_end(&workers[i]);
		close(pair->pipes[i][0]);
		close(pair->pipes[i][1]);
	}
}

TEST_F(stream, refuses)
{
	struct schedscope_stream wanted;

	for (int i = 0; i < 7; i++) {
		wanted = asked(RING, 0);
		switch (i) {
		case 0: wanted.bytes--; break;
		case 1: wanted.flags = 1 << 1; break;
		case 2: wanted.flags = 1U << 31; break;
		case 3: wanted.ring_bytes = SCHEDSCOPE_STREAM_RING_MIN - 1; break;
		case 4: wanted.ring_bytes = SCHEDSCOPE_STREAM_RING_MAX + 1; break;
		case 5: wanted.ring_bytes = 0; break;
		case 6: wanted.reserved[2] = 1; break;
		}
		EXPECT_EQ(-1, ioctl(self->device, SCHEDSCOPE_IOC_STREAM, &wanted));
		EXPECT_EQ(EINVAL, errno) TH_LOG("case %d", i);
	}
	EXPECT_EQ(-1, ioctl(self->device, SCHEDSCOPE_IOC_STREAM, NULL));
	EXPECT_EQ(EFAULT, errno);
	/* What belongs to a stream is nothing to the device, and the other way round. */
	EXPECT_EQ(-1, ioctl(self->device, SCHEDSCOPE_STREAM_IOC_START));
	EXPECT_EQ(ENOTTY, errno);
	self->fd = stream_open(self->device, RING, 0);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_IOC_INFO, &wanted));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
}

TEST_F(stream, lives_once)
{
	char buffer[4096];
	__u32 flag = SCHEDSCOPE_TASK_BEGIN, tid = 1;

	self->fd = stream_open(self->device, RING, 0);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(-1, stream_open(self->device, RING, 0));
	EXPECT_EQ(EBUSY, errno);

	/* Out of turn, and wrong. */
	EXPECT_EQ(0, read(self->fd, buffer, sizeof(buffer)));
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_STOP));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(self->fd, buffer, SCHEDSCOPE_STREAM_READ_MIN - 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, buffer, 1));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_SELECT, &tid));
	EXPECT_EQ(EINVAL, errno);
	flag = SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_END;
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_WALK, &flag));
	EXPECT_EQ(EINVAL, errno);
	flag = SCHEDSCOPE_TASK_BEGIN;
	EXPECT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_WALK, &flag));
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_WALK, &flag));
	EXPECT_EQ(EBUSY, errno);

	EXPECT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_START));
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_START));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(EWOULDBLOCK, module_unload());
	/* The device's own file is not needed any more. */
	close(self->device);
	EXPECT_EQ(EWOULDBLOCK, module_unload());
	self->device = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->device);

	EXPECT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_STOP));
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_START));
	EXPECT_EQ(EINVAL, errno);
	/* With all of its data unread. */
	close(self->fd);
	self->fd = stream_open(self->device, RING, 0);
	EXPECT_LE(0, self->fd);
}

static char *volatile nowhere;

TEST_F(stream, a_bad_buffer_takes_nothing_away)
{
	struct seen seen = { 0 };

	self->fd = stream_open(self->device, RING, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_START));
	usleep(100000);
	EXPECT_EQ(-1, read(self->fd, nowhere, 1 << 16));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_LT(0, drain(self->fd, &seen, SCHEDSCOPE_STREAM_READ_MIN));
	ASSERT_TRUE(finish(self->fd, &seen));
	EXPECT_EQ(0, seen.wrong);
	EXPECT_EQ(0, seen.gaps);
	EXPECT_TRUE(adds_up(&seen));
}

TEST_F(stream, walks)
{
	struct seen seen = { .watched = thread_id() };
	__u32 flag = SCHEDSCOPE_TASK_END;

	self->fd = stream_open(self->device, RING, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_WALK, &flag));
	/* With the smallest buffer, too. */
	EXPECT_LT(0, drain(self->fd, &seen, SCHEDSCOPE_STREAM_READ_MIN));
	EXPECT_EQ(0, seen.wrong);
	EXPECT_EQ(1, seen.watched_walked);
	EXPECT_LT(20, seen.walked);
	EXPECT_EQ(0, sum(seen.records));
}

/* A thread that begins the stream is on its CPU at the first switch there. */
struct beginner {
	int stream;
	bool begun;
	struct kernel_counts before, after;
};

static void begin(struct worker *worker)
{
	struct beginner *beginner = worker->data;

	beginner->begun = kernel_counts(thread_id(), &beginner->before) &&
			  !ioctl(beginner->stream, SCHEDSCOPE_STREAM_IOC_START);
	usleep(10000);
	beginner->begun &= kernel_counts(thread_id(), &beginner->after);
}

TEST_F(stream, tells_the_kernels_counters_at_first_and_last_switches)
{
	struct beginner beginner = { 0 };
	struct worker worker = { .work = begin, .cpu = 0, .data = &beginner };
	struct seen seen = { 0 };

	self->fd = stream_open(self->device, RING, 0);
	ASSERT_LE(0, self->fd);
	beginner.stream = self->fd;
	ASSERT_TRUE(worker_start(&worker));
	seen.watched = worker.tid;
	worker_work(&worker);
	worker_wait(&worker);
	worker_end(&worker);
	/* Who is joined may not have left its CPU yet. */
	usleep(100000);
	ASSERT_TRUE(beginner.begun);
	ASSERT_TRUE(finish(self->fd, &seen));

	EXPECT_LT(beginner.before.voluntary + beginner.before.involuntary,
		  seen.watched_first.switches);
	EXPECT_LE(seen.watched_first.switches,
		  beginner.after.voluntary + beginner.after.involuntary);
	EXPECT_LE(beginner.before.run_ns, seen.watched_first.run_ns);
	EXPECT_LE(seen.watched_first.run_ns, beginner.after.run_ns);
	/* It slept once more, for its end, and left. */
	EXPECT_LT(beginner.after.voluntary + beginner.after.involuntary,
		  seen.watched_last.switches);
	EXPECT_LE(beginner.after.run_ns, seen.watched_last.run_ns);
	EXPECT_EQ(0, seen.wrong);
	EXPECT_TRUE(adds_up(&seen));
}

/* The kernel's own count of a thread's switches, each of them once in the stream. */
TEST_F(stream, agrees_with_the_kernel)
{
	struct worker workers[2] = { 0 };
	struct pair pair = { .rounds = 2000 };
	struct kernel_counts before, after;
	struct schedscope_account account;
	struct seen seen = { 0 };

	ASSERT_TRUE(play(workers, &pair));
	self->fd = stream_open(self->device, 16 * RING, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_TRUE(account_at_rest(self->device, workers[1].tid, &account, &before));
	seen.watched = workers[1].tid;
	ASSERT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_START));
	play_on(workers);
	ASSERT_TRUE(account_at_rest(self->device, workers[1].tid, &account, &after));
	ASSERT_TRUE(finish(self->fd, &seen));
	play_end(workers, &pair);

	EXPECT_EQ(0, seen.wrong);
	EXPECT_EQ(0, seen.gaps);
	EXPECT_TRUE(adds_up(&seen));
	EXPECT_EQ(sum(seen.stats_switches), sum(seen.switches));
	EXPECT_LE(2000, seen.watched_switches);
	EXPECT_EQ(after.voluntary + after.involuntary - before.voluntary - before.involuntary,
		  seen.watched_switches);
}

static void spin(struct worker *worker)
{
	__u64 end = now_ns() + worker->value * NS_PER_SEC;

	while (now_ns() < end)
		;
}

/*
 * Three accounts of what a thread ran: the kernel's, the ledger's and the stream's. The
 * kernel reads its clock before the ledger does, and an emulated CPU may stand still
 * between the two: the stream says by how much they differ.
 */
TEST_F_TIMEOUT(stream, run_time_is_the_kernels, TIMEOUT)
{
	struct worker worker = { .work = spin, .cpu = 0, .value = 3 };
	struct schedscope_account begin, end;
	struct kernel_counts before, after;
	struct seen seen = { 0 };
	long long ledgers, kernels;

	self->fd = stream_open(self->device, 16 * RING, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_TRUE(worker_start(&worker));
	seen.watched = worker.tid;
	ASSERT_TRUE(account_at_rest(self->device, worker.tid, &begin, &before));
	ASSERT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_START));
	worker_work(&worker);
	worker_wait(&worker);
	ASSERT_TRUE(account_at_rest(self->device, worker.tid, &end, &after));
	ASSERT_TRUE(finish(self->fd, &seen));
	worker_end(&worker);

	ledgers = end.run_ns - begin.run_ns;
	kernels = after.run_ns - before.run_ns;
	TH_LOG("ran %lld ns, as the kernel says %lld, the clocks went apart %lld +- %llu ns in %llu slices",
	       ledgers, kernels, (long long)seen.watched_step_ns,
	       (unsigned long long)seen.watched_step_off_ns,
	       (unsigned long long)seen.watched_switches);
	EXPECT_EQ(0, seen.gaps);
	EXPECT_EQ(end.slices - begin.slices, seen.watched_switches);
	EXPECT_EQ(ledgers, seen.watched_run_ns);
	EXPECT_GE(seen.watched_step_off_ns, llabs(ledgers - kernels - seen.watched_step_ns));
	EXPECT_LT(0, ledgers);
}

/* What the probes took, over all switches of the machine and those of the selection alike. */
TEST_F(stream, measures_the_probes)
{
	struct worker workers[2] = { 0 };
	struct pair pair = { .rounds = 2000 };
	struct seen seen = { 0 };
	__u64 began, took;
	__u32 on = 1;

	ASSERT_TRUE(play(workers, &pair));
	self->fd = stream_open(self->device, 16 * RING, 0);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_MEASURE, &on));
	on = 2;
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_MEASURE, &on));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_MEASURE, NULL));
	EXPECT_EQ(EFAULT, errno);
	began = now_ns();
	ASSERT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_START));
	play_on(workers);
	on = 0;
	EXPECT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_MEASURE, &on));
	took = now_ns() - began;
	usleep(50000); /* not measured any more */
	ASSERT_TRUE(finish(self->fd, &seen));
	play_end(workers, &pair);

	EXPECT_EQ(0, seen.wrong);
	EXPECT_LE(4000, seen.measured_switches);
	EXPECT_GE(sum(seen.switches), seen.measured_switches);
	EXPECT_LE(seen.measured_switches, seen.measured_runs);
	EXPECT_LT(0, seen.measured_ns);
	EXPECT_GE(took * CPUS, seen.measured_ns);
}

/* Nobody reads, and the ring is small: what is lost is counted to the last record. */
TEST_F(stream, counts_what_it_loses)
{
	struct worker workers[2] = { 0 };
	struct pair pair = { .rounds = 3000 };
	struct seen seen = { 0 };

	ASSERT_TRUE(play(workers, &pair));
	self->fd = stream_open(self->device, SCHEDSCOPE_STREAM_RING_MIN, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_START));
	worker_work(&workers[0]);
	worker_work(&workers[1]);
	usleep(50000);
	/* Once in between, so that there is a gap with records on both sides. */
	EXPECT_LT(0, drain(self->fd, &seen, 1 << 18));
	worker_wait(&workers[0]);
	worker_wait(&workers[1]);
	ASSERT_TRUE(finish(self->fd, &seen));
	play_end(workers, &pair);

	EXPECT_EQ(0, seen.wrong);
	EXPECT_LT(0, sum(seen.lost));
	EXPECT_LT(0, sum(seen.records));
	EXPECT_LE(6000, sum(seen.stats_switches));
	EXPECT_TRUE(adds_up(&seen));
}

/* Two of these meet, however late the second begins. */
static void yield_often(struct worker *worker)
{
	atomic_int *working = worker->data;

	atomic_fetch_add(working, 1);
	for (worker->value = 0; worker->value < 500 || atomic_load(working) < 2; worker->value++)
		sched_yield();
}

/* Only the selected thread, and what it meets; with the reasons of its switches. */
TEST_F(stream, selects)
{
	struct worker workers[2] = { 0 };
	struct seen seen = { 0 };
	atomic_int working = 0;
	__u32 tid;

	for (int i = 0; i < 2; i++) {
		workers[i] = (struct worker){ .work = yield_often, .cpu = 0, .fifo = 1,
					      .data = &working };
		ASSERT_TRUE(worker_start(&workers[i]));
	}
	self->fd = stream_open(self->device, RING, SCHEDSCOPE_STREAM_SELECT);
	ASSERT_LE(0, self->fd);
	tid = 1U << 31;
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_SELECT, &tid));
	EXPECT_EQ(ESRCH, errno);
	tid = 0;
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_SELECT, &tid));
	EXPECT_EQ(ESRCH, errno);
	tid = seen.watched = workers[0].tid;
	ASSERT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_START));
	ASSERT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_SELECT, &tid));
	play_on(workers);
	ASSERT_TRUE(finish(self->fd, &seen));
	worker_end(&workers[0]);
	worker_end(&workers[1]);

	EXPECT_EQ(0, seen.wrong);
	EXPECT_TRUE(adds_up(&seen));
	EXPECT_EQ(0, seen.others);
	EXPECT_LE(1, seen.watched_switches);
	EXPECT_LE(1, seen.watched_yields);
	EXPECT_GE(workers[0].value, seen.watched_yields);
}

/* In its CPU's way, so that nothing more is recorded there. */
static void sleep_then_spin(struct worker *worker)
{
	atomic_int *spins = worker->data;

	usleep(1000);
	atomic_store(spins, 1);
	while (atomic_load(spins) == 1)
		;
}

/* What there is can be read soon, also when its CPU is busy with something else. */
TEST_F(stream, gives_what_there_is)
{
	struct worker worker = { .work = sleep_then_spin, .cpu = 0, .fifo = 1 };
	struct seen seen = { .watched = 0 };
	atomic_int spins = 0;
	__u32 tid;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs two CPUs");
	/* On PREEMPT_RT the timer that ends a sleep here waits for its CPU, maybe that one. */
	ASSERT_TRUE(pin(0, 1));
	worker.data = &spins;
	ASSERT_TRUE(worker_start(&worker));
	self->fd = stream_open(self->device, RING, SCHEDSCOPE_STREAM_SELECT);
	ASSERT_LE(0, self->fd);
	tid = seen.watched = worker.tid;
	ASSERT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_SELECT, &tid));
	ASSERT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_START));
	worker_work(&worker);
	while (!atomic_load(&spins))
		usleep(100);
	/* A read calls for what is on its way. */
	for (int tries = 0; tries < 1000 && seen.watched_ins < 2; tries++) {
		EXPECT_LE(0, drain(self->fd, &seen, 1 << 18));
		usleep(1000);
	}
	/* It is on its CPU since the last of them. */
	EXPECT_LE(1, seen.watched_switches);
	EXPECT_EQ(seen.watched_switches + 1, seen.watched_ins);
	atomic_store(&spins, 2);
	worker_wait(&worker);
	ASSERT_TRUE(finish(self->fd, &seen));
	worker_end(&worker);

	EXPECT_EQ(0, seen.wrong);
	EXPECT_TRUE(adds_up(&seen));
}

/* A reader that dies leaves nothing behind: the next one finds its place free. */
TEST_F_TIMEOUT(stream, ends_with_its_reader, TIMEOUT)
{
	for (int i = 0; i < 20; i++) {
		int pipes[2], status;
		char byte;
		pid_t pid;

		ASSERT_EQ(0, pipe(pipes));
		pid = fork();
		if (!pid) {
			int fd = stream_open(self->device, RING, i & 1);

			if (fd < 0 || ioctl(fd, SCHEDSCOPE_STREAM_IOC_START) ||
			    write(pipes[1], "", 1) != 1)
				_exit(1);
			for (;;)
				if (read(fd, (char[4096]){ 0 }, 4096) < 0)
					_exit(1);
		}
		close(pipes[1]);
		ASSERT_EQ(1, read(pipes[0], &byte, 1));
		close(pipes[0]);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		self->fd = stream_open(self->device, RING, 0);
		ASSERT_LE(0, self->fd);
		close(self->fd);
		self->fd = -1;
	}
}

/* Begun and ended while threads are born and die as fast as they can. */
/* On the debug kernel, emulated, 224 s. */
TEST_F_TIMEOUT(stream, stands_a_fork_bomb, 3 * TIMEOUT)
{
	pid_t bomb = fork();

	if (!bomb) {
		/* Its last child may outlive it by a moment, and must not hold the module. */
		close(self->device);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			pid_t pid = fork();

			if (!pid)
				_exit(0);
			waitpid(pid, NULL, 0);
		}
	}
	for (int i = 0; i < 20; i++) {
		struct seen seen = { 0 };
		__u32 flag = SCHEDSCOPE_TASK_BEGIN, tid = bomb;

		self->fd = stream_open(self->device, 16 * RING, i & 1);
		ASSERT_LE(0, self->fd);
		ASSERT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_START));
		if (i & 1)
			ASSERT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_SELECT, &tid));
		ASSERT_EQ(0, ioctl(self->fd, SCHEDSCOPE_STREAM_IOC_WALK, &flag));
		/* Until it has shown itself: on a slow kernel that takes its time. */
		do {
			usleep(20000);
			ASSERT_LE(0, drain_once(self->fd, &seen, 1 << 16));
		} while (!sum(seen.records));
		EXPECT_LT(0, seen.walked);
		ASSERT_TRUE(finish(self->fd, &seen));
		EXPECT_EQ(0, seen.wrong);
		EXPECT_TRUE(adds_up(&seen));
		close(self->fd);
		self->fd = -1;
	}
	kill(bomb, SIGKILL);
	waitpid(bomb, NULL, 0);
}

TEST_HARNESS_MAIN
