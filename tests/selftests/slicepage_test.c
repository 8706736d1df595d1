// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the slice page says, against what the thread itself does and what the
 * kernel counts. No test here depends on how fast the machine is.
 */
#include <sys/wait.h>

#include "slicepage.h"

#include "kselftest_harness.h"

#define TIMEOUT		120
#define MS		1000000ULL

#define ON_CPU		SCHEDSCOPE_SLICEPAGE_ON_CPU
#define LEFT		SCHEDSCOPE_SLICEPAGE_LEFT
#define PARTIAL		SCHEDSCOPE_SLICEPAGE_PARTIAL

FIXTURE(slice) {
	int fd;
	bool fair_slices;	/* the kernel's fair scheduler grants slices */
	const struct schedscope_slicepage *page;
};

FIXTURE_SETUP(slice)
{
	struct schedscope_info info;

	self->fd = -1;
	if (!module_path())
		SKIP(return, "SCHEDSCOPE_MODULE does not name the module");
	ASSERT_EQ(0, module_load(""));
	self->fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	info = ledger_info(self->fd);
	self->fair_slices = info.signals & SCHEDSCOPE_SIGNAL_FAIR_SLICE;
	EXPECT_EQ(0, info.slicepages);
	self->page = page_open();
	ASSERT_NE(NULL, self->page);
	EXPECT_EQ(1, ledger_info(self->fd).slicepages);
}

FIXTURE_TEARDOWN(slice)
{
	if (self->fd < 0)
		return;
	page_close(self->page);
	EXPECT_EQ(0, ledger_info(self->fd).slicepages);
	close(self->fd);
	EXPECT_EQ(0, module_unload());
}

TEST_F(slice, begins)
{
	const unsigned char *rest = (const unsigned char *)self->page;
	struct schedscope_slicepage now;

	page_read(self->page, &now);
	EXPECT_EQ(SCHEDSCOPE_SLICEPAGE_VERSION, now.version);
	EXPECT_EQ(sizeof(now), now.bytes);
	EXPECT_EQ(thread_id(), now.tid);
	EXPECT_TRUE(now.flags & ON_CPU);
	EXPECT_LE(now.start_ns, now.updated_ns);
	EXPECT_LE(now.updated_ns, now_ns());
	EXPECT_EQ(0, now.reserved);
	for (size_t i = offsetof(struct schedscope_slicepage, reserved2); i < PAGE_BYTES; i++)
		ASSERT_EQ(0, rest[i]);
}

/* A sleep ends a slice, and the next one begins when the sleep is over. */
TEST_F(slice, start_moves)
{
	struct schedscope_slicepage before, after;

	for (int i = 0; i < 20; i++) {
		__u64 slept, woke;

		page_read(self->page, &before);
		slept = now_ns();
		usleep(2000);
		woke = now_ns();
		page_read(self->page, &after);

		EXPECT_EQ(ON_CPU, after.flags & ~LEFT);
		EXPECT_LE(before.slices + 1, after.slices);
		EXPECT_LE(slept + 2 * MS, after.start_ns);
		EXPECT_GE(now_ns(), after.start_ns);
		/* Preempted after its sleep, it began another. */
		if (after.slices == before.slices + 1)
			EXPECT_GE(woke, after.start_ns);
	}
}

TEST_F(slice, cpu)
{
	struct schedscope_slicepage now;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	for (int i = 0; i < 4 * cpus; i++) {
		pin_to(i % cpus);
		page_read(self->page, &now);
		EXPECT_EQ(i % cpus, now.cpu);
		EXPECT_EQ(sched_getcpu(), now.cpu);
	}
}

struct rival {
	pthread_t thread;
	atomic_int stop;
	bool yields;
};

static void *rival_main(void *data)
{
	struct rival *rival = data;

	while (!atomic_load(&rival->stop))
		if (rival->yields)
			sched_yield();
	return NULL;
}

static void rival_start(struct rival *rival)
{
	if (pthread_create(&rival->thread, NULL, rival_main, rival))
		abort();
}

static void rival_end(struct rival *rival)
{
	atomic_store(&rival->stop, 1);
	pthread_join(rival->thread, NULL);
}

TEST_F_TIMEOUT(slice, counts_are_the_kernels, TIMEOUT)
{
	struct schedscope_slicepage before, after;
	struct kernel_counts kernel_before, kernel_after;
	struct rival rival = { 0 };
	__u64 involuntary;

	pin_to(0);
	rival_start(&rival);
	counts_now(self->page, &before, &kernel_before);
	do {
		spin_until(now_ns() + 10 * MS);
		usleep(100);
		sched_yield();
		counts_now(self->page, &after, &kernel_after);
		involuntary = kernel_after.involuntary - kernel_before.involuntary;
		ASSERT_EQ(involuntary, after.involuntary - before.involuntary);
		ASSERT_EQ(involuntary + kernel_after.voluntary - kernel_before.voluntary,
			  after.slices - before.slices);
	} while (involuntary < 50);
	rival_end(&rival);
	EXPECT_LE(after.yielded, after.involuntary);
}

/* Two that do nothing but yield to each other, and two of which one does not yield. */
TEST_F_TIMEOUT(slice, yields, TIMEOUT)
{
	struct schedscope_slicepage before, after;
	struct rival rival = { .yields = true };
	__u64 yields = 0;

	pin_to(0);
	rival_start(&rival);
	page_read(self->page, &before);
	after = before;
	do {
		sched_yield();
		yields++;
		page_read(self->page, &after);
	} while (after.yielded < before.yielded + 200);
	rival_end(&rival);
	/* Not each finds that it is the other's turn. */
	EXPECT_LE(after.yielded - before.yielded, yields);
	EXPECT_GE(after.involuntary - before.involuntary, after.yielded - before.yielded);

	rival = (struct rival){ 0 };
	rival_start(&rival);
	page_read(self->page, &before);
	do {
		spin_until(now_ns() + 10 * MS);
		page_read(self->page, &after);
	} while (after.involuntary < before.involuntary + 5);
	rival_end(&rival);
	EXPECT_EQ(before.yielded, after.yielded);
}

#define NEW_SLICE_AFTER_US 3000

/* Sleeps, so that a new slice begins with the new parameters. */
static void page_of_new_slice(const struct schedscope_slicepage *page,
			      struct schedscope_slicepage *out)
{
	usleep(NEW_SLICE_AFTER_US);
	page_read(page, out);
}

TEST_F(slice, nominal_is_the_kernels)
{
	struct schedscope_slicepage now;

	page_of_new_slice(self->page, &now);
	if (!self->fair_slices) {
		EXPECT_EQ(0, now.nominal_ns);
		EXPECT_EQ(0, now.flags & LEFT);
		EXPECT_EQ(0, now.left_ns);
	} else {
		EXPECT_LT(0, now.nominal_ns);
		EXPECT_TRUE(now.flags & LEFT);
		EXPECT_GE(now.nominal_ns, now.left_ns);
		/* From 6.12 on the kernel says it, and lets a thread choose. */
		if (attributes_get().runtime) {
			EXPECT_EQ(attributes_get().runtime, now.nominal_ns);
			ASSERT_EQ(0, attributes_set(SCHED_OTHER, 0, 7 * MS, 0));
			page_of_new_slice(self->page, &now);
			EXPECT_EQ(7 * MS, now.nominal_ns);
		}
	}

	ASSERT_EQ(0, attributes_set(SCHED_FIFO, 1, 0, 0));
	page_of_new_slice(self->page, &now);
	EXPECT_EQ(0, now.nominal_ns);
	EXPECT_EQ(ON_CPU, now.flags);
	EXPECT_EQ(0, now.left_ns);

	ASSERT_EQ(0, attributes_set(SCHED_RR, 1, 0, 0));
	page_of_new_slice(self->page, &now);
	EXPECT_EQ(0, now.nominal_ns);
	EXPECT_EQ(ON_CPU | LEFT, now.flags);
	EXPECT_LT(0, now.left_ns);

	ASSERT_EQ(0, attributes_set(SCHED_DEADLINE, 0, 20 * MS, 50 * MS));
	page_of_new_slice(self->page, &now);
	EXPECT_EQ(20 * MS, now.nominal_ns);
	EXPECT_EQ(ON_CPU | LEFT, now.flags);
	EXPECT_LT(0, now.left_ns);
	EXPECT_GE(20 * MS, now.left_ns);
}

/*
 * What is left shrinks by just what has run, both by the scheduler's own clock: from
 * one tick to the next, in one slice that has not been granted anew.
 */
TEST_F_TIMEOUT(slice, left_shrinks_as_it_runs, TIMEOUT)
{
	struct schedscope_slicepage then, now;
	unsigned int compared = 0;

	if (!self->fair_slices)
		SKIP(return, "the fair scheduler of this kernel grants no slices");
	if (attributes_set(SCHED_OTHER, 0, 100 * MS, 0) || attributes_get().runtime != 100 * MS)
		SKIP(return, "no slice of a length of one's own before 6.12");

	page_of_new_slice(self->page, &then);
	for (__u64 end = now_ns() + 60000 * MS; compared < 20 && now_ns() < end; then = now) {
		page_read(self->page, &now);
		if (now.start_ns != then.start_ns || now.updated_ns == then.updated_ns ||
		    now.left_ns > then.left_ns)
			continue;
		/* Not every timer interrupt has the tick in it, at which the scheduler counts. */
		if (now.run_ns == then.run_ns) {
			EXPECT_EQ(then.left_ns, now.left_ns);
			continue;
		}
		EXPECT_LT(then.run_ns, now.run_ns);
		/* Where the weight is that of all its groups, both are rounded. */
		EXPECT_LE(then.left_ns - now.left_ns, now.run_ns - then.run_ns + 2);
		EXPECT_GE(then.left_ns - now.left_ns + 2, now.run_ns - then.run_ns);
		EXPECT_GE(now.nominal_ns, now.left_ns);
		compared++;
	}
	EXPECT_EQ(20, compared);
}

/*
 * The kernel counts no more than the time since the thread's timer was due. Not since the
 * slice began: the two read their clocks one after the other, and between them an emulated
 * CPU may stand still.
 */
TEST_F(slice, run_is_within_the_slice)
{
	struct schedscope_slicepage now;

	for (int i = 0; i < 50; i++) {
		__u64 due_ns = now_ns() + NEW_SLICE_AFTER_US * 1000;

		page_of_new_slice(self->page, &now);
		spin_until(now_ns() + (i % 10) * MS);
		page_read(self->page, &now);
		EXPECT_LE(now.run_ns, now.updated_ns - due_ns);
	}
}

/* What a thread does under the eyes of another one: all ways a slice ends. */
static void *restless(void *data)
{
	struct rival *rival = data;

	pin_to(1);
	rival->yields = true;
	while (!atomic_load(&rival->stop)) {
		sched_yield();
		usleep(1);
		spin_until(now_ns() + MS / 10);
	}
	return NULL;
}

struct watched {
	const struct schedscope_slicepage *page;
	atomic_int ready, stop;
};

static void *watched_main(void *data)
{
	struct watched *watched = data;
	struct rival rival = { 0 };
	unsigned int i = 0;

	watched->page = page_open();
	pin_to(1);
	if (pthread_create(&rival.thread, NULL, restless, &rival))
		abort();
	gate_open(&watched->ready, 1);
	while (!atomic_load(&watched->stop)) {
		sched_yield();
		if (!(i++ % 3))
			usleep(1);
		if (!(i % 64))
			spin_until(now_ns() + 2 * MS);
	}
	rival_end(&rival);
	return NULL;
}

/* Each slice, by its number, has one beginning and two ends: of what is read, none is mixed. */
static bool is_whole(const struct schedscope_slicepage *now,
		     const struct schedscope_slicepage *then)
{
	bool on = now->flags & ON_CPU;
	__u64 number = now->slices - !on, number_then = then->slices - !(then->flags & ON_CPU);

	if (now->updated_ns < then->updated_ns || now->slices < then->slices ||
	    now->involuntary < then->involuntary || now->yielded > now->involuntary ||
	    now->involuntary > now->slices)
		return false;
	if (!on && (now->flags || now->left_ns))
		return false;
	if (on && now->updated_ns == now->start_ns && now->run_ns)
		return false;
	if (number == number_then)
		return now->start_ns == then->start_ns && now->run_ns >= then->run_ns;
	return now->start_ns >= then->updated_ns;
}

TEST_F_TIMEOUT(slice, readers_see_it_whole, TIMEOUT)
{
	struct schedscope_slicepage then, now;
	struct watched watched = { 0 };
	unsigned long readings = 0, changes = 0, torn = 0;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, watched_main, &watched));
	gate_wait(&watched.ready, 1);
	ASSERT_NE(NULL, watched.page);
	pin_to(0);
	do {
		page_read(watched.page, &then);
	} while (then.flags & PARTIAL || !then.slices);

	for (__u64 end = now_ns() + 8000 * MS; now_ns() < end; readings++) {
		page_read(watched.page, &now);
		torn += !is_whole(&now, &then);
		changes += now.seq != then.seq;
		then = now;
	}
	TH_LOG("%lu readings, %lu changes seen, %llu slices", readings, changes,
	       (unsigned long long)now.slices);
	EXPECT_EQ(0, torn);
	EXPECT_LT(1000, changes);

	atomic_store(&watched.stop, 1);
	pthread_join(thread, NULL);
	page_close(watched.page);
}

TEST_HARNESS_MAIN
