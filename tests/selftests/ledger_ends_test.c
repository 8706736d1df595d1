// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why slices end, who ended them, and the longest slice and wait: provoked by
 * real-time threads that nobody else can disturb, so that the count is known.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "support.h"

#include "kselftest_harness.h"

#define TIMEOUT 120

/* Where it happens; the test itself keeps off it. */
#define CPU	1
#define OTHER	2

FIXTURE(ends) {
	int fd;
};

FIXTURE_SETUP(ends)
{
	self->fd = -1;
	if (!module_path())
		SKIP(return, "SCHEDSCOPE_MODULE does not name the module");
	if (sysconf(_SC_NPROCESSORS_ONLN) <= OTHER)
		SKIP(return, "needs three CPUs");
	ASSERT_TRUE(pin(0, 0));
	ASSERT_EQ(0, module_load(""));
	self->fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(ends)
{
	if (self->fd < 0)
		return;
	close(self->fd);
	EXPECT_EQ(0, module_unload());
}

/* The account of a thread at two moments of rest, and what its ends gained. */
struct change {
	struct schedscope_account before, after;
	__u64 ends[SCHEDSCOPE_ENDS];
	__u64 kernel_voluntary, kernel_involuntary;
	struct kernel_counts counts;
};

static bool change_begin(int fd, pid_t tid, struct change *change)
{
	return account_at_rest(fd, tid, &change->before, &change->counts);
}

static bool change_end(int fd, pid_t tid, struct change *change)
{
	struct kernel_counts counts;

	if (!account_at_rest(fd, tid, &change->after, &counts))
		return false;
	for (int i = 0; i < SCHEDSCOPE_ENDS; i++)
		change->ends[i] = change->after.ends[i] - change->before.ends[i];
	change->kernel_voluntary = counts.voluntary - change->counts.voluntary;
	change->kernel_involuntary = counts.involuntary - change->counts.involuntary;
	return account_adds_up(&change->before) && account_adds_up(&change->after);
}

static __u64 change_runnable(const struct change *change)
{
	return change->after.involuntary - change->before.involuntary;
}

/* How often @tid is known to have taken the CPU from the thread. */
static __u64 taken_by(const struct schedscope_account *account, pid_t tid)
{
	for (int i = 0; i < SCHEDSCOPE_PREEMPTORS; i++)
		if (account->preemptor_tid[i] == (__u32)tid)
			return account->preemptor_count[i];
	return 0;
}

/*
 * How often the kernel's watchdog took it: every some seconds it looks, by the stopper, whether
 * a CPU still lets others run.
 */
static __u64 taken_by_watchdog(const struct change *change)
{
	const struct schedscope_account *account = &change->after;
	__u64 taken = 0;

	for (int i = 0; i < SCHEDSCOPE_PREEMPTORS; i++) {
		char path[64], name[16] = "";
		FILE *comm;

		snprintf(path, sizeof(path), "/proc/%u/comm", account->preemptor_tid[i]);
		comm = fopen(path, "re");
		if (!comm)
			continue;
		if (fgets(name, sizeof(name), comm) && !strncmp(name, "migration/", 10))
			taken += taken_by(account, account->preemptor_tid[i]) -
				 taken_by(&change->before, account->preemptor_tid[i]);
		fclose(comm);
	}
	return taken;
}

static void rest_ms(int ms)
{
	struct timespec rest = { .tv_nsec = ms * 1000000L };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
}

static void work_sleep(struct worker *worker)
{
	for (int i = 0; i < worker->value; i++)
		rest_ms(2);
}

/* Until told to end. */
static void work_hog(struct worker *worker)
{
	atomic_int *end = worker->data;

	while (!atomic_load(end))
		;
}

TEST_F_TIMEOUT(ends, blocked, TIMEOUT)
{
	struct worker worker = { .work = work_sleep, .cpu = CPU, .fifo = 60, .value = 50 };
	struct change change = { 0 };

	ASSERT_TRUE(worker_start(&worker));
	ASSERT_TRUE(change_begin(self->fd, worker.tid, &change));
	worker_work(&worker);
	worker_wait(&worker);
	ASSERT_TRUE(change_end(self->fd, worker.tid, &change));
	/* And the wait for what comes after the work. A timer may be over before the sleep. */
	EXPECT_EQ(change.kernel_voluntary, change.ends[SCHEDSCOPE_END_BLOCKED]);
	EXPECT_GE(worker.value + 1, change.ends[SCHEDSCOPE_END_BLOCKED]);
	EXPECT_LT(worker.value / 2, change.ends[SCHEDSCOPE_END_BLOCKED]);
	EXPECT_EQ(0, change_runnable(&change));
	/* FIFO has no slice. */
	EXPECT_EQ(0, change.after.slice_ns);
	worker_end(&worker);
}

struct yielders {
	atomic_int there;
	int rounds;
};

static void work_yield(struct worker *worker)
{
	struct yielders *yielders = worker->data;

	atomic_fetch_add(&yielders->there, 1);
	while (atomic_load(&yielders->there) < 2)
		sched_yield();
	for (int i = 0; i < yielders->rounds; i++)
		sched_yield();
}

/* FIFO, on one CPU: each call gives it to the other, from when both are there. */
TEST_F_TIMEOUT(ends, yielded, TIMEOUT)
{
	struct yielders yielders = { .rounds = 300 };
	struct worker workers[2];
	struct change changes[2] = { 0 };
	__u64 yielded = 0;

	for (int i = 0; i < 2; i++) {
		workers[i] = (struct worker){ .work = work_yield, .cpu = CPU, .fifo = 60,
					      .data = &yielders };
		ASSERT_TRUE(worker_start(&workers[i]));
		ASSERT_TRUE(change_begin(self->fd, workers[i].tid, &changes[i]));
	}
	for (int i = 0; i < 2; i++)
		worker_work(&workers[i]);
	for (int i = 0; i < 2; i++) {
		worker_wait(&workers[i]);
		ASSERT_TRUE(change_end(self->fd, workers[i].tid, &changes[i]));
		yielded += changes[i].ends[SCHEDSCOPE_END_YIELDED];
		EXPECT_EQ(1, changes[i].ends[SCHEDSCOPE_END_BLOCKED]);
		EXPECT_EQ(changes[i].ends[SCHEDSCOPE_END_YIELDED] + taken_by_watchdog(&changes[i]),
			  change_runnable(&changes[i]));
	}
	/* The first one's wait for the other ends with one more. */
	EXPECT_EQ(2 * yielders.rounds + 1, yielded);
	for (int i = 0; i < 2; i++)
		worker_end(&workers[i]);
}

static void work_spin(struct worker *worker)
{
	__u64 end = now_ns() + worker->value * 1000000ULL;

	while (now_ns() < end)
		;
}

TEST_F_TIMEOUT(ends, expired, TIMEOUT)
{
	struct worker workers[2];
	struct change changes[2] = { 0 };
	__u64 signals = ledger_info(self->fd).signals;

	for (int i = 0; i < 2; i++) {
		workers[i] = (struct worker){ .work = work_spin, .cpu = CPU, .value = 2000 };
		ASSERT_TRUE(worker_start(&workers[i]));
		ASSERT_TRUE(change_begin(self->fd, workers[i].tid, &changes[i]));
	}
	for (int i = 0; i < 2; i++)
		worker_work(&workers[i]);
	for (int i = 0; i < 2; i++) {
		worker_wait(&workers[i]);
		ASSERT_TRUE(change_end(self->fd, workers[i].tid, &changes[i]));
		TH_LOG("%llu slices expired, %llu ended otherwise",
		       changes[i].ends[SCHEDSCOPE_END_EXPIRED],
		       change_runnable(&changes[i]) - changes[i].ends[SCHEDSCOPE_END_EXPIRED]);
		EXPECT_EQ(changes[i].kernel_involuntary, change_runnable(&changes[i]));
		EXPECT_LT(10, changes[i].ends[SCHEDSCOPE_END_EXPIRED]);
		/* Others' wakeups take it too, now and then. */
		EXPECT_LT(change_runnable(&changes[i]),
			  2 * changes[i].ends[SCHEDSCOPE_END_EXPIRED]);
		EXPECT_EQ(!!(signals & SCHEDSCOPE_SIGNAL_FAIR_SLICE), !!changes[i].after.slice_ns);
	}
	for (int i = 0; i < 2; i++)
		worker_end(&workers[i]);
}

/*
 * A hog and one that wakes and takes its CPU. A timer that is over before its thread
 * is asleep makes no slice: the sleeper's own are how often it took the CPU.
 */
static bool play_hog_and_sleeper(int fd, struct worker *hog, struct worker *sleeper,
				 void (*wake)(struct worker *sleeper), struct change *change,
				 struct change *sleepers)
{
	atomic_int end = 0;
	bool ok;

	hog->data = &end;
	ok = worker_start(hog) && worker_start(sleeper) && change_begin(fd, hog->tid, change) &&
	     change_begin(fd, sleeper->tid, sleepers);
	if (!ok)
		return false;
	worker_work(hog);
	while (thread_state(hog->tid) != 'R')
		usleep(1000);
	usleep(1000);
	worker_work(sleeper);
	if (wake)
		wake(sleeper);
	worker_wait(sleeper);
	atomic_store(&end, 1);
	worker_wait(hog);
	return change_end(fd, hog->tid, change) && change_end(fd, sleeper->tid, sleepers);
}

TEST_F_TIMEOUT(ends, outranked, TIMEOUT)
{
	struct worker hog = { .work = work_hog, .cpu = CPU, .fifo = 60 };
	struct worker sleeper = { .work = work_sleep, .cpu = CPU, .fifo = 70, .value = 50 };
	struct change change = { 0 };
	struct change sleepers = { 0 };
	__u64 waited = 0, slices, outranked, throttled, watchdog;

	ASSERT_TRUE(play_hog_and_sleeper(self->fd, &hog, &sleeper, NULL, &change,
					 &sleepers));
	slices = sleepers.after.slices - sleepers.before.slices;
	EXPECT_LT(sleeper.value / 2, slices);
	/*
	 * On a slow machine the two have the CPU for so long that the kernel lets others have
	 * it for a while; the sleeper may be woken then, or be the one that is stopped.
	 */
	throttled = change.ends[SCHEDSCOPE_END_THROTTLED] + sleepers.ends[SCHEDSCOPE_END_THROTTLED];
	watchdog = taken_by_watchdog(&change);
	outranked = change.ends[SCHEDSCOPE_END_OUTRANKED] - watchdog;
	EXPECT_EQ(slices, sleepers.ends[SCHEDSCOPE_END_BLOCKED] +
			  sleepers.ends[SCHEDSCOPE_END_THROTTLED] + taken_by_watchdog(&sleepers));
	EXPECT_EQ(change_runnable(&change), change.ends[SCHEDSCOPE_END_OUTRANKED] +
					    change.ends[SCHEDSCOPE_END_THROTTLED]);
	EXPECT_GE(slices, outranked);
	EXPECT_LE(slices, outranked + throttled + watchdog + taken_by_watchdog(&sleepers));
	EXPECT_EQ(outranked, taken_by(&change.after, sleeper.tid));
	for (int i = 0; i < SCHEDSCOPE_PREEMPTORS; i++) {
		if (change.after.preemptor_tid[i] != (__u32)sleeper.tid)
			continue;
		waited = change.after.preemptor_wait_ns[i];
		EXPECT_EQ(0, change.after.preemptor_missed_max[i]);
		EXPECT_LT(0, change.after.preemptor_start_ns[i]);
	}
	EXPECT_LT(0, waited);
	EXPECT_GE(change.after.wait_ns - change.before.wait_ns, waited);
	worker_end(&hog);
	worker_end(&sleeper);
}

/* Not by a timer: on PREEMPT_RT that wakes a fair thread from a real-time one. */
static void work_wait_nicely(struct worker *worker)
{
	setpriority(PRIO_PROCESS, 0, -20);
	for (int i = 1; i <= worker->value; i++)
		gate_wait(worker->data, i);
}

static void wake_often(struct worker *sleeper)
{
	for (int i = 1; i <= sleeper->value; i++) {
		usleep(8000);
		gate_open(sleeper->data, i);
	}
}

static void work_hog_meekly(struct worker *worker)
{
	setpriority(PRIO_PROCESS, 0, 19);
	work_hog(worker);
}

TEST_F_TIMEOUT(ends, preempted, TIMEOUT)
{
	struct worker hog = { .work = work_hog_meekly, .cpu = CPU };
	atomic_int gate = 0;
	struct worker sleeper = { .work = work_wait_nicely, .cpu = CPU, .data = &gate,
				  .value = 100 };
	struct change change = { 0 };
	struct change sleepers = { 0 };
	__u64 taken;

	ASSERT_TRUE(play_hog_and_sleeper(self->fd, &hog, &sleeper, wake_often, &change,
					 &sleepers));
	taken = taken_by(&change.after, sleeper.tid);
	TH_LOG("%llu slices preempted, %llu by the sleeper, %llu other runnable ends",
	       change.ends[SCHEDSCOPE_END_PREEMPTED], taken,
	       change_runnable(&change) - change.ends[SCHEDSCOPE_END_PREEMPTED]);
	/* Whether a wakeup preempts is the fair scheduler's to say: most do, by such a weight. */
	EXPECT_LT(sleeper.value / 2, taken);
	EXPECT_GE(sleepers.after.slices - sleepers.before.slices, taken);
	EXPECT_LE(taken, change.ends[SCHEDSCOPE_END_PREEMPTED]);
	EXPECT_EQ(change.kernel_involuntary, change_runnable(&change));
	worker_end(&hog);
	worker_end(&sleeper);
}

struct whereabouts {
	atomic_int cpu;
	atomic_int end;
};

static void work_tell_cpu(struct worker *worker)
{
	struct whereabouts *whereabouts = worker->data;

	while (!atomic_load(&whereabouts->end))
		atomic_store(&whereabouts->cpu, sched_getcpu());
}

TEST_F_TIMEOUT(ends, migrated, TIMEOUT)
{
	enum { MOVES = 50 };
	struct whereabouts whereabouts = { .cpu = -1 };
	struct worker worker = { .work = work_tell_cpu, .cpu = CPU, .fifo = 60,
				 .data = &whereabouts };
	struct change change = { 0 };
	__u64 migrated, throttled, watchdog, taken = 0;

	ASSERT_TRUE(worker_start(&worker));
	ASSERT_TRUE(change_begin(self->fd, worker.tid, &change));
	worker_work(&worker);
	for (int i = 0; i < MOVES; i++) {
		const int to = i % 2 ? CPU : OTHER;

		/* On a CPU, not on its way to one. */
		while (atomic_load(&whereabouts.cpu) != (i % 2 ? OTHER : CPU))
			usleep(100);
		ASSERT_TRUE(pin(worker.tid, to));
	}
	while (atomic_load(&whereabouts.cpu) != (MOVES % 2 ? OTHER : CPU))
		usleep(100);
	atomic_store(&whereabouts.end, 1);
	worker_wait(&worker);
	ASSERT_TRUE(change_end(self->fd, worker.tid, &change));
	/* As above: it may be stopped for a while, and be moved then. */
	migrated = change.ends[SCHEDSCOPE_END_MIGRATED];
	throttled = change.ends[SCHEDSCOPE_END_THROTTLED];
	watchdog = taken_by_watchdog(&change);
	TH_LOG("%llu slices migrated, %llu throttled, %llu taken by the watchdog", migrated,
	       throttled, watchdog);
	EXPECT_GE(MOVES, migrated);
	EXPECT_LE(MOVES, migrated + throttled);
	EXPECT_EQ(MOVES, change.after.migrations - change.before.migrations);
	EXPECT_EQ(change_runnable(&change), migrated + throttled + watchdog);
	/* The stopper that moves a thread is not who preempted it. */
	EXPECT_EQ(watchdog, change.ends[SCHEDSCOPE_END_OUTRANKED]);
	for (int i = 0; i < SCHEDSCOPE_PREEMPTORS; i++)
		taken += change.after.preemptor_count[i] - change.before.preemptor_count[i];
	EXPECT_EQ(watchdog, taken);
	worker_end(&worker);
}

/* As sched_setattr(2) has it; the C library's headers and the kernel's do not go together. */
struct deadline {
	__u32 size;
	__u32 policy;
	__u64 flags;
	__s32 nice;
	__u32 priority;
	__u64 runtime;
	__u64 deadline;
	__u64 period;
};

TEST_F_TIMEOUT(ends, throttled, TIMEOUT)
{
	const struct deadline budget = {
		.size = sizeof(budget), .policy = 6 /* SCHED_DEADLINE */,
		.runtime = 2000000, .deadline = 20000000, .period = 20000000,
	};
	atomic_int end = 0;
	struct worker worker = { .work = work_hog, .cpu = -1, .data = &end };
	struct schedscope_account now = { 0 };
	struct change change = { 0 };
	cpu_set_t all;

	/* A deadline thread may not be pinned, as those are that this thread starts. */
	memset(&all, 0xff, sizeof(all));
	ASSERT_TRUE(worker_start(&worker));
	ASSERT_EQ(0, sched_setaffinity(worker.tid, sizeof(all), &all));
	ASSERT_EQ(0, syscall(SYS_sched_setattr, (pid_t)worker.tid, &budget, 0));
	ASSERT_TRUE(change_begin(self->fd, worker.tid, &change));
	worker_work(&worker);
	/* Where a CPU stands still, one overrun takes the budget of many periods. */
	for (int tries = 0; tries < 400 && now.ends[SCHEDSCOPE_END_THROTTLED] <= 5; tries++) {
		rest_ms(50);
		if (!account_of(self->fd, worker.tid, &now))
			break;
	}
	atomic_store(&end, 1);
	worker_wait(&worker);
	ASSERT_TRUE(change_end(self->fd, worker.tid, &change));
	TH_LOG("throttled %llu times, %llu other runnable ends",
	       change.ends[SCHEDSCOPE_END_THROTTLED],
	       change_runnable(&change) - change.ends[SCHEDSCOPE_END_THROTTLED]);
	EXPECT_LT(5, change.ends[SCHEDSCOPE_END_THROTTLED]);
	EXPECT_EQ(change.kernel_involuntary, change_runnable(&change));
	EXPECT_EQ(budget.runtime, change.after.slice_ns);
	worker_end(&worker);
}

/*
 * Whether a thread was stopped so often: it tells before it is off the CPU, the ledger
 * afterwards. It may be no sleep to the ledger yet: on PREEMPT_RT the signal's lock is
 * one that may have woken it on the way.
 */
static bool was_stopped(int fd, pid_t pid, __u64 times, struct schedscope_account *account)
{
	for (int tries = 0; tries < 2000; tries++) {
		if (!account_of(fd, pid, account) || !account_adds_up(account))
			return false;
		if (account->ends[SCHEDSCOPE_END_STOPPED] >= times)
			return true;
		usleep(1000);
	}
	return false;
}

TEST_F_TIMEOUT(ends, stopped, TIMEOUT)
{
	enum { STOPS = 20 };
	struct schedscope_account account = { 0 };
	pid_t pid = fork();

	if (!pid)
		for (;;)
			;
	ASSERT_LT(0, pid);
	ASSERT_TRUE(pin(pid, CPU));
	for (int i = 1; i <= STOPS; i++) {
		EXPECT_EQ(0, kill(pid, SIGSTOP));
		EXPECT_EQ(pid, waitpid(pid, NULL, WUNTRACED));
		EXPECT_TRUE(was_stopped(self->fd, pid, i, &account));
		EXPECT_EQ(i, account.ends[SCHEDSCOPE_END_STOPPED]);
		EXPECT_EQ(0, kill(pid, i < STOPS ? SIGCONT : SIGKILL));
	}
	waitpid(pid, NULL, 0);
}

struct spin {
	atomic_int began;
	__u64 begin_ns, end_ns;
};

static void work_spin_and_tell(struct worker *worker)
{
	struct spin *spin = worker->data;

	spin->begin_ns = now_ns();
	atomic_store(&spin->began, 1);
	while ((spin->end_ns = now_ns()) < spin->begin_ns + 100000000ULL)
		;
}

static void work_nothing(struct worker *worker)
{
}

/* One thread has a CPU for 100 ms, while another one waits for it. */
TEST_F_TIMEOUT(ends, longest_slice_and_wait, TIMEOUT)
{
	struct spin spin = { 0 };
	struct worker hog = { .work = work_spin_and_tell, .cpu = CPU, .fifo = 60, .data = &spin };
	struct worker victim = { .work = work_nothing, .cpu = CPU };
	struct change hogs = { 0 }, victims = { 0 };
	__u64 woken_after, woken_before;

	ASSERT_TRUE(worker_start(&hog));
	ASSERT_TRUE(worker_start(&victim));
	ASSERT_TRUE(change_begin(self->fd, hog.tid, &hogs));
	ASSERT_TRUE(change_begin(self->fd, victim.tid, &victims));
	worker_work(&hog);
	while (!atomic_load(&spin.began))
		;
	woken_after = now_ns();
	worker_work(&victim);
	woken_before = now_ns();
	worker_wait(&hog);
	worker_wait(&victim);
	ASSERT_TRUE(change_end(self->fd, hog.tid, &hogs));
	ASSERT_TRUE(change_end(self->fd, victim.tid, &victims));

	EXPECT_LE(spin.end_ns - spin.begin_ns, hogs.after.longest_slice_ns);
	EXPECT_GE(spin.begin_ns, hogs.after.longest_slice_at_ns);
	EXPECT_LE(spin.end_ns, hogs.after.longest_slice_at_ns + hogs.after.longest_slice_ns);
	ASSERT_LT(woken_before, spin.end_ns);
	EXPECT_LE(spin.end_ns - woken_before, victims.after.longest_wait_ns);
	EXPECT_LE(woken_after, victims.after.longest_wait_at_ns);
	EXPECT_GE(woken_before, victims.after.longest_wait_at_ns);
	worker_end(&hog);
	worker_end(&victim);
}

TEST_HARNESS_MAIN
