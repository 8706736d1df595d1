// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ledger against schedules whose answer is known, and against what the
 * kernel itself counts. No test here depends on how fast the machine is.
 */
#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "support.h"

#include "kselftest_harness.h"

#define TIMEOUT 120

FIXTURE(ledger) {
	int fd;
};

FIXTURE_SETUP(ledger)
{
	self->fd = -1;
	if (!module_path())
		SKIP(return, "SCHEDSCOPE_MODULE does not name the module");
	ASSERT_EQ(0, module_load(""));
	self->fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(ledger)
{
	if (self->fd < 0)
		return;
	close(self->fd);
	EXPECT_EQ(0, module_unload());
}

/* A worker's account and the kernel's counts after its work, and what they gained by it. */
struct gain {
	struct schedscope_account after, by;
	struct kernel_counts kernel_after, kernel_by;
};

/* The way from one rest to the next takes a wakeup and a slice, whatever the work is. */
#define REST_SLICES 1

/* @gain->by and @gain->kernel_by hold what was before. */
static void gain_compute(struct gain *gain)
{
	const struct schedscope_account *after = &gain->after;
	struct schedscope_account *by = &gain->by;

	by->rec.time_ns = after->rec.time_ns - by->rec.time_ns;
	by->run_ns = after->run_ns - by->run_ns;
	by->wait_ns = after->wait_ns - by->wait_ns;
	by->sleep_ns = after->sleep_ns - by->sleep_ns;
	by->block_ns = after->block_ns - by->block_ns;
	by->unknown_ns = after->unknown_ns - by->unknown_ns;
	by->slices = after->slices - by->slices;
	by->voluntary = after->voluntary - by->voluntary;
	by->involuntary = after->involuntary - by->involuntary;
	by->migrations = after->migrations - by->migrations;
	by->wakeups = after->wakeups - by->wakeups;
	gain->kernel_by.voluntary = gain->kernel_after.voluntary - gain->kernel_by.voluntary;
	gain->kernel_by.involuntary = gain->kernel_after.involuntary - gain->kernel_by.involuntary;
	gain->kernel_by.run_ns = gain->kernel_after.run_ns - gain->kernel_by.run_ns;
}

static bool gain_measure(int fd, struct worker *workers, struct gain *gains, int count)
{
	bool ok = true;

	for (int i = 0; i < count; i++)
		ok &= account_at_rest(fd, workers[i].tid, &gains[i].by, &gains[i].kernel_by);
	for (int i = 0; i < count; i++)
		worker_work(&workers[i]);
	for (int i = 0; i < count; i++)
		worker_wait(&workers[i]);
	for (int i = 0; i < count; i++) {
		ok &= account_at_rest(fd, workers[i].tid, &gains[i].after,
				      &gains[i].kernel_after);
		gain_compute(&gains[i]);
	}
	return ok;
}

/* Two threads hand a word to and fro: each sleeps once for each turn of the other. */
struct handoff {
	atomic_int turn;
	int rounds;
};

static void work_handoff(struct worker *worker)
{
	struct handoff *handoff = worker->data;
	int me = worker->value;

	for (int i = 0; i < handoff->rounds; i++) {
		while (atomic_load(&handoff->turn) != me)
			futex_wait(&handoff->turn, !me);
		atomic_store(&handoff->turn, !me);
		futex_wake(&handoff->turn);
	}
}

TEST_F_TIMEOUT(ledger, fifo_handoff, TIMEOUT)
{
	struct handoff handoff = { .rounds = 500 };
	struct worker workers[2] = {
		{ .work = work_handoff, .cpu = 0, .fifo = 50, .data = &handoff, .value = 0 },
		{ .work = work_handoff, .cpu = 0, .fifo = 50, .data = &handoff, .value = 1 },
	};
	struct gain gains[2] = { 0 };

	for (int i = 0; i < 2; i++)
		ASSERT_TRUE(worker_start(&workers[i]));
	ASSERT_TRUE(gain_measure(self->fd, workers, gains, 2));
	for (int i = 0; i < 2; i++) {
		/*
		 * FIFO on one CPU: no slice ends but by waiting for one's turn.
		 * The first to run has its first turn at once; it passes it on
		 * before the second can run, so that has its first at once, too.
		 */
		EXPECT_EQ(handoff.rounds - 1 + REST_SLICES, gains[i].by.slices);
		EXPECT_EQ(gains[i].by.slices, gains[i].by.voluntary);
		EXPECT_EQ(0, gains[i].by.involuntary);
		EXPECT_EQ(0, gains[i].by.migrations);
		EXPECT_EQ(0, gains[i].by.block_ns);
		EXPECT_EQ(0, gains[i].by.unknown_ns);
		EXPECT_EQ(gains[i].by.slices, gains[i].by.wakeups);
		EXPECT_EQ(gains[i].kernel_by.voluntary, gains[i].by.voluntary);
		worker_end(&workers[i]);
	}
}

TEST_F_TIMEOUT(ledger, switches_are_the_kernels, TIMEOUT)
{
	struct handoff handoff[2] = { { .rounds = 2000 }, { .rounds = 2000 } };
	struct worker workers[4];
	struct gain gains[4] = { 0 };

	/* Two pairs that may run anywhere and be preempted at any time. */
	for (int i = 0; i < 4; i++) {
		workers[i] = (struct worker){ .work = work_handoff, .cpu = -1,
					      .data = &handoff[i / 2], .value = i % 2 };
		ASSERT_TRUE(worker_start(&workers[i]));
	}
	ASSERT_TRUE(gain_measure(self->fd, workers, gains, 4));
	for (int i = 0; i < 4; i++) {
		/* They were born under the ledger: it saw every switch of theirs. */
		EXPECT_EQ(gains[i].kernel_after.voluntary, gains[i].after.voluntary);
		EXPECT_EQ(gains[i].kernel_after.involuntary, gains[i].after.involuntary);
		EXPECT_EQ(gains[i].after.switches, gains[i].after.slices);
		EXPECT_EQ(0, gains[i].after.unknown_ns);
		worker_end(&workers[i]);
	}
}

static void work_sleep(struct worker *worker)
{
	struct timespec rest = { .tv_nsec = 10000000 };

	for (int i = 0; i < worker->value; i++)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
}

TEST_F_TIMEOUT(ledger, sleeper, TIMEOUT)
{
	struct worker worker = { .work = work_sleep, .cpu = 0, .fifo = 50, .value = 200 };
	struct gain gain = { 0 };
	__u64 awake;

	ASSERT_TRUE(worker_start(&worker));
	ASSERT_TRUE(gain_measure(self->fd, &worker, &gain, 1));
	/* A timer may be over before its thread sleeps: there is no switch then. */
	EXPECT_EQ(gain.kernel_by.voluntary, gain.by.voluntary);
	EXPECT_GE(worker.value + REST_SLICES, gain.by.voluntary);
	EXPECT_LT(worker.value / 2, gain.by.voluntary);
	EXPECT_EQ(0, gain.by.involuntary);
	EXPECT_LE(gain.by.voluntary, gain.by.wakeups);
	EXPECT_GE(worker.value + REST_SLICES, gain.by.wakeups);
	EXPECT_EQ(0, gain.by.block_ns);
	EXPECT_EQ(0, gain.by.unknown_ns);
	/* A timer runs from before its thread sleeps to when that is woken, or longer. */
	awake = gain.by.run_ns + gain.by.wait_ns;
	EXPECT_LE(worker.value * 10000000ULL, gain.by.sleep_ns + awake);
	EXPECT_GE(gain.by.rec.time_ns, gain.by.sleep_ns + awake);
	EXPECT_LT(awake, gain.by.sleep_ns);
	worker_end(&worker);
}

/* vfork() blocks the caller, uninterruptibly, until its child is gone. */
static void work_vfork(struct worker *worker)
{
	struct timespec rest = { .tv_nsec = 100000000 };
	pid_t pid = vfork();

	if (!pid) {
		while (thread_state(worker->tid) != 'D')
			sched_yield();
		syscall(SYS_nanosleep, &rest, NULL);
		_exit(0);
	}
	waitpid(pid, &worker->value, __WALL);
}

TEST_F_TIMEOUT(ledger, blocked_is_not_asleep, TIMEOUT)
{
	struct worker worker = { .work = work_vfork, .cpu = -1 };
	struct gain gain = { 0 };

	ASSERT_TRUE(worker_start(&worker));
	ASSERT_TRUE(gain_measure(self->fd, &worker, &gain, 1));
	EXPECT_LE(100000000, gain.by.block_ns);
	EXPECT_EQ(0, gain.by.unknown_ns);
	worker_end(&worker);
}

TEST_F(ledger, idle_kthreads_sleep)
{
	struct accounts accounts = { 0 };
	int found = 0;

	sleep(1);
	ASSERT_TRUE(accounts_read(self->fd, &accounts));
	for (size_t i = 0; i < accounts.count; i++) {
		EXPECT_NE(0, accounts.all[i].tid);
		/* A grace-period thread waits in TASK_IDLE between two grace periods. */
		if (strncmp((char *)accounts.all[i].comm, "rcu_preempt", 11) &&
		    strncmp((char *)accounts.all[i].comm, "rcu_sched", 9))
			continue;
		found++;
		EXPECT_EQ(0, accounts.all[i].block_ns);
		EXPECT_LT(0, accounts.all[i].sleep_ns);
	}
	EXPECT_EQ(1, found);
	accounts_free(&accounts);
}

static void *short_thread(void *data)
{
	*(pid_t *)data = thread_id();
	return NULL;
}

/* Exited accounts of this process. A joined thread may still have its last switch ahead. */
static size_t exited_of(int fd, struct accounts *accounts, pid_t pid, size_t expected)
{
	size_t count = 0;

	for (int tries = 0; tries < 2000 && count < expected; tries++) {
		if (tries)
			usleep(1000);
		if (!accounts_read(fd, accounts))
			return 0;
		count = 0;
		for (size_t i = 0; i < accounts->count; i++)
			count += accounts->all[i].pid == (__u32)pid &&
				 !account_alive(&accounts->all[i]);
	}
	return count;
}

/* Ten milliseconds a thread, where KASAN and lockdep watch. */
TEST_F_TIMEOUT(ledger, fork_storm, 3 * TIMEOUT)
{
	enum { THREADS = 10000, AT_ONCE = 20, TIDS = 4 << 20 };
	struct accounts accounts = { 0 };
	static pid_t tids[THREADS];
	unsigned char *lives = calloc(TIDS, 1);
	pthread_t threads[AT_ONCE];
	int seen = 0;

	ASSERT_NE(NULL, lives);
	close(self->fd);
	ASSERT_EQ(0, module_load("exited_max=20000"));
	self->fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	for (int i = 0; i < THREADS; i += AT_ONCE) {
		for (int j = 0; j < AT_ONCE; j++)
			ASSERT_EQ(0, pthread_create(&threads[j], NULL, short_thread, &tids[i + j]));
		for (int j = 0; j < AT_ONCE; j++)
			ASSERT_EQ(0, pthread_join(threads[j], NULL));
	}
	for (int i = 0; i < THREADS; i++)
		lives[tids[i] % TIDS]++;
	EXPECT_EQ(THREADS, exited_of(self->fd, &accounts, getpid(), THREADS));
	for (size_t i = 0; i < accounts.count; i++) {
		EXPECT_TRUE(account_adds_up(&accounts.all[i]));
		if (accounts.all[i].pid != (__u32)getpid() || account_alive(&accounts.all[i]))
			continue;
		EXPECT_EQ(0, accounts.all[i].unknown_ns);
		EXPECT_LT(0, accounts.all[i].run_ns);
		EXPECT_LT(0, accounts.all[i].slices);
		EXPECT_EQ(1, accounts.all[i].ends[SCHEDSCOPE_END_EXITED]);
		if (lives[accounts.all[i].tid % TIDS]) {
			lives[accounts.all[i].tid % TIDS]--;
			seen++;
		}
	}
	EXPECT_EQ(THREADS, seen);
	EXPECT_EQ(0, ledger_info(self->fd).threads_missed);
	EXPECT_EQ(0, ledger_info(self->fd).exited_dropped);
	accounts_free(&accounts);
	free(lives);
}

TEST_F_TIMEOUT(ledger, full_store_counts_what_it_drops, TIMEOUT)
{
	struct accounts accounts = { 0 };
	struct schedscope_info info;
	pid_t tid = 0, last = 0;
	pthread_t thread;
	bool kept = false;

	close(self->fd);
	ASSERT_EQ(0, module_load("exited_max=10"));
	self->fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, short_thread, &tid));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		last = tid;
	}
	/* The last one may still be on its way to its last switch. */
	info = ledger_info(self->fd);
	for (int tries = 0; tries < 2000 && info.exited + info.exited_dropped < 100; tries++) {
		usleep(1000);
		info = ledger_info(self->fd);
	}
	ASSERT_LT(0, exited_of(self->fd, &accounts, getpid(), 10));
	EXPECT_EQ(10, info.exited_max);
	EXPECT_EQ(10, info.exited);
	EXPECT_LE(90, info.exited_dropped);
	/* The youngest are kept. */
	for (size_t i = 0; i < accounts.count; i++)
		kept |= accounts.all[i].tid == (__u32)last;
	EXPECT_TRUE(kept);
	accounts_free(&accounts);
}

TEST_F_TIMEOUT(ledger, full_ledger_counts_what_it_misses, TIMEOUT)
{
	enum { THREADS = 100 };
	struct worker *workers = calloc(THREADS, sizeof(*workers));
	struct accounts accounts = { 0 };
	struct schedscope_info info;
	unsigned int found = 0;

	close(self->fd);
	ASSERT_EQ(0, module_load("threads_max=64 exited_max=0"));
	self->fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .work = work_sleep, .cpu = -1, .value = 1 };
		ASSERT_TRUE(worker_start(&workers[i]));
		worker_work(&workers[i]);
	}
	ASSERT_TRUE(accounts_read(self->fd, &accounts));
	info = ledger_info(self->fd);
	for (size_t i = 0; i < accounts.count; i++) {
		found += accounts.all[i].pid == (__u32)getpid();
		EXPECT_TRUE(account_adds_up(&accounts.all[i]));
	}
	EXPECT_GE(64, info.accounts);
	EXPECT_EQ(0, info.exited);
	EXPECT_LE(THREADS - found, info.threads_missed);
	for (int i = 0; i < THREADS; i++)
		worker_end(&workers[i]);
	free(workers);
	accounts_free(&accounts);
}

/* A process that gets the tid that it is to have, and ends. Its last owner may still be there. */
static pid_t short_process(pid_t wanted)
{
	const pid_t tid = wanted;
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = wanted ? (__u64)(unsigned long)&tid : 0,
		.set_tid_size = wanted ? 1 : 0,
	};
	pid_t pid;

	do {
		pid = syscall(SYS_clone3, &args, sizeof(args));
	} while (pid < 0 && errno == EEXIST);
	if (!pid)
		_exit(0);
	return waitpid(pid, NULL, 0);
}

TEST_F_TIMEOUT(ledger, reused_tid_is_another_thread, TIMEOUT)
{
	enum { LIVES = 30 };
	const pid_t wanted = short_process(0);
	struct accounts accounts = { 0 };
	unsigned int found = 0;
	__u64 starts[LIVES];

	ASSERT_LT(0, wanted);
	for (int i = 1; i < LIVES; i++)
		ASSERT_EQ(wanted, short_process(wanted));
	ASSERT_EQ(LIVES, exited_of(self->fd, &accounts, wanted, LIVES));
	for (size_t i = 0; i < accounts.count; i++) {
		if (accounts.all[i].tid != (__u32)wanted)
			continue;
		EXPECT_FALSE(account_alive(&accounts.all[i]));
		ASSERT_GT(LIVES, found);
		for (unsigned int j = 0; j < found; j++)
			EXPECT_NE(starts[j], accounts.all[i].start_ns);
		starts[found++] = accounts.all[i].start_ns;
	}
	EXPECT_EQ(LIVES, found);
	accounts_free(&accounts);
}

static void *exec_thread(void *data)
{
	prctl(PR_SET_NAME, "upstart");
	execl("/bin/cat", "cat", (char *)NULL);
	abort();
}

/* The thread that calls execve() becomes its group's leader, tid and all. */
TEST_F_TIMEOUT(ledger, exec_takes_the_leaders_tid, TIMEOUT)
{
	struct schedscope_account account = { 0 };
	struct accounts accounts = { 0 };
	unsigned int exited = 0;
	pthread_t thread;
	int pipes[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(pipes));
	pid = fork();
	if (!pid) {
		dup2(pipes[0], 0);
		close(pipes[1]);
		pthread_create(&thread, NULL, exec_thread, NULL);
		pause();
	}
	close(pipes[0]);
	for (int tries = 0; tries < 10000; tries++) {
		if (account_of(self->fd, pid, &account) && !strcmp((char *)account.comm, "cat") &&
		    account.state == SCHEDSCOPE_STATE_SLEEP)
			break;
		usleep(1000);
	}
	EXPECT_STREQ("cat", (char *)account.comm);
	EXPECT_EQ(pid, account.pid);
	ASSERT_TRUE(accounts_read(self->fd, &accounts));
	for (size_t i = 0; i < accounts.count; i++) {
		exited += accounts.all[i].tid == (__u32)pid && !account_alive(&accounts.all[i]);
		EXPECT_NE(0, strcmp((char *)accounts.all[i].comm, "upstart"));
	}
	EXPECT_EQ(1, exited);
	close(pipes[1]);
	waitpid(pid, NULL, 0);
	accounts_free(&accounts);
}

TEST_HARNESS_MAIN
