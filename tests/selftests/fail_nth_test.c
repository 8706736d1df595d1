// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever the kernel can run out of, or cannot copy, while a call into the module
 * runs, it does: in the first try the first allocation or copy fails, in the second
 * try the second, until a try needs no more. So each error path is gone once.
 *
 * After each the call has said ENOMEM or EFAULT, or got by without, and all is as it
 * was before: it succeeds at last, and the module can be unloaded, since nothing
 * holds it. What it did not free is kmemleak's to find.
 */
#include <sys/wait.h>

#include "slicepage.h"
#include "stream.h"

#include "kselftest_harness.h"

#define TIMEOUT	300
#define FAULTS	"/sys/kernel/debug/"

/* A small module, which is loaded and unloaded some hundred times. */
#define SMALL	"threads_max=1024 exited_max=0 slicepages_max=64"

static bool knob_set(const char *name, const char *value)
{
	char path[128];
	ssize_t done;
	int fd;

	snprintf(path, sizeof(path), FAULTS "%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	done = write(fd, value, strlen(value));
	close(fd);
	return done == (ssize_t)strlen(value);
}

static const char *const faults[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

static bool range_set(const char *start, const char *end)
{
	char name[64];
	bool ok = true;

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s/require-end", faults[i]);
		ok &= knob_set(name, end);
		snprintf(name, sizeof(name), "%s/require-start", faults[i]);
		ok &= knob_set(name, start);
	}
	return ok;
}

/*
 * Only what fails below the module's code is its own to answer for: loading itself has
 * paths on which the kernel warns. On x86-64 modules lie behind the kernel's last byte.
 */
static bool only_below_modules(void)
{
	char line[512], start[32] = "";
	FILE *symbols = fopen("/proc/kallsyms", "r");

	while (symbols && !*start && fgets(line, sizeof(line), symbols))
		if (strstr(line, " _end\n"))
			snprintf(start, sizeof(start), "0x%.16s", line);
	if (symbols)
		fclose(symbols);
	return *start && range_set(start, "0xffffffffff000000");
}

static bool anywhere(void)
{
	return range_set("0x0", "0xffffffffffffffff");
}

/* All of them fail when it is their turn, and say nothing: the log is for what is wrong. */
static bool faults_prepare(void)
{
	char name[64];
	bool ok = true;

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s/verbose", faults[i]);
		ok &= knob_set(name, "0");
	}
	return ok && knob_set("failslab/ignore-gfp-wait", "N") &&
	       knob_set("fail_page_alloc/ignore-gfp-wait", "N") &&
	       knob_set("fail_page_alloc/ignore-gfp-highmem", "N") &&
	       knob_set("fail_page_alloc/min-order", "0") && anywhere();
}

FIXTURE(fail_nth) {
	int device;
	int nth;	/* /proc/thread-self/fail-nth */
	bool ready;
};

FIXTURE_SETUP(fail_nth)
{
	self->device = -1;
	if (!module_path())
		SKIP(return, "SCHEDSCOPE_MODULE does not name the module");
	self->nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (self->nth < 0)
		SKIP(return, "this kernel injects no faults");
	ASSERT_TRUE(faults_prepare());
	ASSERT_EQ(0, module_load(SMALL));
	self->device = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->device);
	self->ready = true;
}

FIXTURE_TEARDOWN(fail_nth)
{
	if (!self->ready)
		return;
	EXPECT_TRUE(anywhere());
	EXPECT_EQ(0, ledger_info(self->device).slicepages);
	close(self->device);
	/* Nothing holds it. */
	EXPECT_EQ(0, module_unload());
}

/**
 * struct visit - the error paths of one call
 * @nth: /proc/thread-self/fail-nth
 * @attempt: the call: 0 or an errno
 * @undo: what it has done when it succeeded
 * @data: for both
 * @points: places where something failed
 * @refused: of those, how many made the call fail
 * @wrong: of those, how many with an errno that says something else
 * @last: what the call said when nothing failed
 */
struct visit {
	int nth;
	int (*attempt)(void *data);
	void (*undo)(void *data);
	void *data;
	unsigned int points;
	unsigned int refused;
	unsigned int wrong;
	int last;
};

static void nth_arm(int fd, unsigned int nth)
{
	char text[16];
	int size = snprintf(text, sizeof(text), "%u", nth);

	/* The end of the last turn may still fail this copy. */
	while (pwrite(fd, text, size, 0) != size)
		;
}

/* Whether it has come to the n-th. Reading that is a copy, too: it may be the one to fail. */
static bool nth_disarm(int fd)
{
	char text[16] = "";
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);

	nth_arm(fd, 0);
	return size > 0 && !atoi(text);
}

static void visit_all(struct visit *visit)
{
	for (unsigned int nth = 1;; nth++) {
		bool failed;
		int err;

		nth_arm(visit->nth, nth);
		err = visit->attempt(visit->data);
		failed = nth_disarm(visit->nth);
		if (!err && visit->undo)
			visit->undo(visit->data);
		if (!failed) {
			visit->last = err;
			return;
		}
		visit->points++;
		visit->refused += !!err;
		if (!err || err == ENOMEM || err == EFAULT)
			continue;
		visit->wrong++;
		printf("# at point %u: %s\n", nth, strerror(err));
	}
}

#define VISIT(least, try, back, what) do {						\
	struct visit visit = { self->nth, try, back, what };				\
											\
	visit_all(&visit);								\
	TH_LOG("%s: %u points, %u refusals", #try, visit.points, visit.refused);	\
	EXPECT_LE(least, visit.points);							\
	EXPECT_EQ(0, visit.wrong);							\
	EXPECT_EQ(0, visit.last);							\
} while (0)

static int result(long done)
{
	return done < 0 ? errno : 0;
}

static int image = -1;

static int try_load(void *data)
{
	return result(syscall(SYS_finit_module, image, SMALL, 0));
}

/* What was left of a load that failed would be in the way of the next. */
static void undo_load(void *data)
{
	if (module_unload())
		abort();
}

static int try_unload(void *data)
{
	return module_unload();
}

static void undo_unload(void *data)
{
	if (module_load(SMALL))
		abort();
}

TEST_F_TIMEOUT(fail_nth, load_and_unload, TIMEOUT)
{
	struct visit unload = { self->nth, try_unload, undo_unload };

	close(self->device);
	image = open(module_path(), O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, image);
	ASSERT_TRUE(only_below_modules());

	/* It cannot be refused: whatever it takes to unload has to be there. */
	visit_all(&unload);
	TH_LOG("unload: %u points", unload.points);
	EXPECT_EQ(0, unload.refused);
	EXPECT_EQ(0, unload.last);

	ASSERT_EQ(0, module_unload());
	VISIT(10, try_load, undo_load, NULL);
	EXPECT_EQ(-1, access(DEVICE, F_OK));
	EXPECT_EQ(-1, access(SLICE_DEVICE, F_OK));
	EXPECT_EQ(-1, access("/sys/module/schedscope", F_OK));

	close(image);
	ASSERT_EQ(0, module_load(SMALL));
	self->device = open(DEVICE, O_RDONLY | O_CLOEXEC);
}

static int opened;

static int try_open(void *path)
{
	opened = open(path, O_RDONLY | O_CLOEXEC);
	return result(opened);
}

static void undo_open(void *path)
{
	close(opened);
}

static int device;

static int try_info(void *data)
{
	struct schedscope_info info = { .info_bytes = sizeof(info) };

	return result(ioctl(device, SCHEDSCOPE_IOC_INFO, &info));
}

static int try_lend(void *data)
{
	return result(ioctl(device, SCHEDSCOPE_IOC_LEND_MM, 0));
}

/* All accounts, one by one: that whose copy fails comes with the next read, and once. */
static int try_read(void *data)
{
	const __u32 tids[] = { 1, 2, thread_id() };
	struct schedscope_account account;
	unsigned int found[3] = { 0 };
	ssize_t got;

	lseek(device, 0, SEEK_SET);
	do {
		got = read(device, &account, sizeof(account));
		for (int i = 0; i < 3 && got > 0; i++)
			found[i] += account.tid == tids[i];
	} while (got > 0 || (got < 0 && errno == EFAULT));
	return found[0] == 1 && found[1] == 1 && found[2] == 1 ? 0 : EIO;
}

TEST_F_TIMEOUT(fail_nth, device, TIMEOUT)
{
	device = self->device;
	VISIT(1, try_open, undo_open, DEVICE);
	VISIT(2, try_info, NULL, NULL);
	VISIT(0, try_lend, NULL, NULL);
	VISIT(20, try_read, NULL, NULL);
}

static int try_bench(void *data)
{
	struct schedscope_switchbench bench = *(struct schedscope_switchbench *)data;

	return result(ioctl(device, SCHEDSCOPE_IOC_SWITCHBENCH, &bench));
}

TEST_F_TIMEOUT(fail_nth, switchbench, TIMEOUT)
{
	struct schedscope_switchbench bench = {
		.bytes = sizeof(bench),
		.lender_fd = -1,
		.switches_max = 10,
		.time_max_ns = NS_PER_SEC,
	};

	device = self->device;
	for (bench.mm = SCHEDSCOPE_SWITCHBENCH_MM_NONE;
	     bench.mm <= SCHEDSCOPE_SWITCHBENCH_MM_OTHER; bench.mm++) {
		if (bench.mm == SCHEDSCOPE_SWITCHBENCH_MM_OTHER) {
			ASSERT_EQ(0, try_lend(NULL));
			bench.lender_fd = device;
		}
		bench.how = SCHEDSCOPE_SWITCHBENCH_YIELD;
		VISIT(4, try_bench, NULL, &bench);
		bench.how = SCHEDSCOPE_SWITCHBENCH_WAKE;
		VISIT(4, try_bench, NULL, &bench);
	}
}

static int stream = -1;

static int try_stream(void *flags)
{
	stream = stream_open(device, SCHEDSCOPE_STREAM_RING_MIN, *(__u32 *)flags);
	return result(stream);
}

static void undo_stream(void *flags)
{
	close(stream);
}

static int try_start(void *data)
{
	return result(ioctl(stream, SCHEDSCOPE_STREAM_IOC_START));
}

static int try_stop(void *data)
{
	return result(ioctl(stream, SCHEDSCOPE_STREAM_IOC_STOP));
}

/* A stream does not start twice: the next try takes a new one. */
static void renew(void *flags)
{
	close(stream);
	if (try_stream(flags))
		abort();
}

static void renew_and_start(void *flags)
{
	renew(flags);
	if (try_start(NULL))
		abort();
}

static int try_select(void *tid)
{
	return result(ioctl(stream, SCHEDSCOPE_STREAM_IOC_SELECT, tid));
}

static int try_walk(void *flag)
{
	return result(ioctl(stream, SCHEDSCOPE_STREAM_IOC_WALK, flag));
}

static int try_stats(void *data)
{
	return result(ioctl(stream, SCHEDSCOPE_STREAM_IOC_STATS));
}

static void read_all(void *data)
{
	struct seen seen = { 0 };

	while (drain(stream, &seen, 4096) < 0)
		;
}

/* The end of a stream that runs: close() has nobody to tell that it failed. */
static int try_close(void *data)
{
	return result(close(stream));
}

static void reopen(void *flags)
{
	if (try_stream(flags) || try_start(NULL))
		abort();
}

TEST_F_TIMEOUT(fail_nth, stream, TIMEOUT)
{
	__u32 all = 0, selected = SCHEDSCOPE_STREAM_SELECT;
	__u32 tid = thread_id(), flag = SCHEDSCOPE_TASK_BEGIN;
	struct visit stop = { self->nth, try_stop, renew_and_start, &all };

	device = self->device;
	VISIT(6, try_stream, undo_stream, &all);
	VISIT(6, try_stream, undo_stream, &selected);

	ASSERT_EQ(0, try_stream(&selected));
	/* get_user() does not fail by order. */
	VISIT(0, try_select, NULL, &tid);
	VISIT(0, try_walk, read_all, &flag);
	VISIT(0, try_stats, read_all, NULL);
	VISIT(4, try_start, renew, &all);

	ASSERT_EQ(0, try_start(NULL));
	visit_all(&stop);
	EXPECT_EQ(0, stop.refused);
	EXPECT_EQ(0, stop.last);
	VISIT(0, try_close, reopen, &all);
	close(stream);
}

static struct seen seen;

/* Reads until there is nothing, and goes on where a copy failed. */
static int try_drain(void *data)
{
	ssize_t got;

	do {
		got = drain(stream, &seen, 512);
	} while (got == -EFAULT);
	return got < 0 ? -got : 0;
}

/* What a failed copy did not take to the reader comes with the next read. */
TEST_F_TIMEOUT(fail_nth, stream_read, TIMEOUT)
{
	const struct timespec rest = { .tv_nsec = 1000000 };
	__u32 all = 0;

	device = self->device;
	ASSERT_EQ(0, try_stream(&all));
	ASSERT_EQ(0, try_start(NULL));
	for (unsigned int nth = 1; nth < 60; nth++) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
		nth_arm(self->nth, nth);
		EXPECT_EQ(0, try_drain(NULL));
		nth_disarm(self->nth);
	}
	ASSERT_TRUE(finish(stream, &seen));
	EXPECT_EQ(0, seen.wrong);
	EXPECT_LT(0, sum(seen.records));
	EXPECT_TRUE(adds_up(&seen));
	close(stream);
}

static int slice = -1;
static const struct schedscope_slicepage *mapped;

static int try_slice(void *data)
{
	slice = open(SLICE_DEVICE, O_RDONLY | O_CLOEXEC);
	return result(slice);
}

static void undo_slice(void *data)
{
	close(slice);
}

/* With the first touch, which fills it. */
static int try_map(void *data)
{
	mapped = page_map(slice);
	return mapped && mapped->tid == (__u32)thread_id() ? 0 : errno;
}

static void undo_map(void *data)
{
	page_close(mapped);
}

/* A child has a copy of the mapping: as much of it as there was when the fork failed. */
static int try_fork(void *data)
{
	pid_t pid = fork();
	int status = 0;

	if (pid < 0)
		return errno == EAGAIN ? ENOMEM : errno;
	if (!pid)
		_exit(mapped->flags != SCHEDSCOPE_SLICEPAGE_GONE);
	waitpid(pid, &status, 0);
	return status ? EIO : 0;
}

TEST_F_TIMEOUT(fail_nth, slice_page, TIMEOUT)
{
	VISIT(2, try_slice, undo_slice, NULL);
	ASSERT_EQ(0, try_slice(NULL));
	VISIT(2, try_map, undo_map, NULL);
	ASSERT_EQ(0, try_map(NULL));
	ASSERT_TRUE(only_below_modules());
	VISIT(0, try_fork, NULL, NULL);
	undo_map(NULL);
	close(slice);
}

TEST_HARNESS_MAIN
