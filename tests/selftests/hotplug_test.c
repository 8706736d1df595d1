// SPDX-License-Identifier: GPL-2.0-only
/*
 * A CPU goes and comes back under threads that run where they like, while all that the
 * module has is in use: nothing is lost or counted twice.
 */
#include "slicepage.h"
#include "stream.h"

#include "kselftest_harness.h"

#define TIMEOUT	240
#define PAIRS	3
#define TIMES	8

FIXTURE(hotplug) {
	int device;
	int last;	/* the CPU */
};

static bool cpu_put(int cpu, bool online)
{
	char path[64];
	ssize_t done;
	int fd;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	done = write(fd, online ? "1" : "0", 1);
	close(fd);
	return done == 1;
}

FIXTURE_SETUP(hotplug)
{
	self->device = -1;
	if (!module_path())
		SKIP(return, "SCHEDSCOPE_MODULE does not name the module");
	self->last = sysconf(_SC_NPROCESSORS_CONF) - 1;
	if (self->last < 1 || !cpu_put(self->last, true))
		SKIP(return, "no CPU can be taken away here");
	ASSERT_EQ(0, module_load(""));
	self->device = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->device);
}

FIXTURE_TEARDOWN(hotplug)
{
	if (self->device < 0)
		return;
	cpu_put(self->last, true);
	close(self->device);
	EXPECT_EQ(0, module_unload());
}

/* Two threads that take turns until it is enough, each with an eye on its slice page. */
struct game {
	atomic_int turn;
	atomic_int over;
};

struct player {
	struct game *game;
	int side;
	bool page_agrees;
};

static void play(struct worker *worker)
{
	const struct schedscope_slicepage *page = page_open();
	struct player *player = worker->data;
	struct schedscope_slicepage before, after;
	struct kernel_counts kernel_before, kernel_after;
	struct game *game = player->game;

	if (!page)
		return;
	counts_now(page, &before, &kernel_before);
	while (!atomic_load(&game->over)) {
		while (atomic_load(&game->turn) != player->side && !atomic_load(&game->over))
			futex_wait(&game->turn, !player->side);
		atomic_store(&game->turn, !player->side);
		futex_wake(&game->turn);
	}
	/* The other one may have gone to sleep since, without having seen that it is over. */
	atomic_store(&game->turn, !player->side);
	futex_wake(&game->turn);
	counts_now(page, &after, &kernel_after);
	player->page_agrees =
		after.involuntary - before.involuntary ==
			kernel_after.involuntary - kernel_before.involuntary &&
		after.slices - before.slices ==
			kernel_after.involuntary - kernel_before.involuntary +
			kernel_after.voluntary - kernel_before.voluntary;
	page_close(page);
}

/* The errno of a short benchmark on the CPU that comes and goes. */
static int bench_on(int device, int cpu)
{
	struct schedscope_switchbench bench = {
		.bytes = sizeof(bench),
		.lender_fd = -1,
		.cpus = { cpu, cpu },
		.switches_max = 100,
		.time_max_ns = NS_PER_SEC / 100,
	};

	return ioctl(device, SCHEDSCOPE_IOC_SWITCHBENCH, &bench) ? errno : 0;
}

struct benches {
	int device, cpu;
	atomic_int stop;
	unsigned int ran, gone, wrong;
};

static void *bench_main(void *data)
{
	struct benches *benches = data;

	while (!atomic_load(&benches->stop)) {
		int err = bench_on(benches->device, benches->cpu);

		benches->ran += !err;
		benches->gone += err == ENODEV;
		benches->wrong += err && err != ENODEV;
		usleep(5000);
	}
	return NULL;
}

/* The account of an exited thread, which comes with its last switch. */
static bool account_of_exited(int fd, __u32 tid, struct schedscope_account *out)
{
	bool found = false;

	for (int tries = 0; tries < 2000 && !found; tries++) {
		struct accounts accounts = { 0 };

		if (tries)
			usleep(1000);
		if (!accounts_read(fd, &accounts))
			return false;
		for (size_t i = 0; i < accounts.count; i++)
			if (accounts.all[i].tid == tid && !account_alive(&accounts.all[i])) {
				*out = accounts.all[i];
				found = true;
			}
		accounts_free(&accounts);
	}
	return found;
}

TEST_F_TIMEOUT(hotplug, under_load, TIMEOUT)
{
	struct benches benches = { .device = self->device, .cpu = self->last };
	struct player players[2 * PAIRS] = { 0 };
	struct worker workers[2 * PAIRS] = { 0 };
	struct game games[PAIRS] = { 0 };
	struct schedscope_account account;
	struct seen seen = { 0 };
	pthread_t bencher;
	int stream;

	stream = stream_open(self->device, 16 * RING, 0);
	ASSERT_LE(0, stream);
	ASSERT_EQ(0, ioctl(stream, SCHEDSCOPE_STREAM_IOC_START));
	for (int i = 0; i < 2 * PAIRS; i++) {
		players[i] = (struct player){ .game = &games[i / 2], .side = i % 2 };
		workers[i] = (struct worker){ .work = play, .cpu = -1, .data = &players[i] };
		ASSERT_TRUE(worker_start(&workers[i]));
	}
	seen.watched = workers[0].tid;
	seen.watched_cpu = self->last;
	for (int i = 0; i < 2 * PAIRS; i++)
		worker_work(&workers[i]);
	ASSERT_EQ(0, pthread_create(&bencher, NULL, bench_main, &benches));

	for (int i = 0; i < TIMES; i++) {
		EXPECT_TRUE(cpu_put(self->last, false));
		EXPECT_LE(0, drain_once(stream, &seen, 1 << 18));
		usleep(20000);
		EXPECT_EQ(ENODEV, bench_on(self->device, self->last));
		EXPECT_TRUE(cpu_put(self->last, true));
		EXPECT_LE(0, drain_once(stream, &seen, 1 << 18));
		usleep(20000);
	}
	atomic_store(&benches.stop, 1);
	pthread_join(bencher, NULL);
	for (int i = 0; i < PAIRS; i++) {
		atomic_store(&games[i].over, 1);
		futex_wake(&games[i].turn);
	}
	for (int i = 0; i < 2 * PAIRS; i++) {
		worker_wait(&workers[i]);
		worker_end(&workers[i]);
		EXPECT_TRUE(players[i].page_agrees);
		ASSERT_TRUE(account_of_exited(self->device, workers[i].tid, &account));
		EXPECT_TRUE(account_adds_up(&account));
		/* The kernel's own count. */
		EXPECT_EQ(account.switches, account.slices);
		EXPECT_EQ(0, account.unknown_ns);
	}
	ASSERT_TRUE(finish(stream, &seen));
	close(stream);

	TH_LOG("%llu records, %llu lost; the benchmark ran %u times, found its CPU gone %u times",
	       (unsigned long long)sum(seen.records), (unsigned long long)sum(seen.lost),
	       benches.ran, benches.gone);
	EXPECT_EQ(0, seen.wrong);
	EXPECT_TRUE(adds_up(&seen));
	ASSERT_TRUE(account_of_exited(self->device, workers[0].tid, &account));
	if (!sum(seen.lost)) {
		EXPECT_EQ(account.slices, seen.watched_switches);
		EXPECT_EQ(TIMES, seen.went);
		EXPECT_EQ(TIMES, seen.came);
	}
	EXPECT_LT(0, benches.ran);
	EXPECT_EQ(0, benches.wrong);
	EXPECT_EQ(0, ledger_info(self->device).slicepages);
}

TEST_HARNESS_MAIN
