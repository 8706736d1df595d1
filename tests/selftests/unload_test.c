// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module comes and goes, while the machine switches and others use all that it has:
 * it goes when nobody has it, and not before.
 */
#include <sys/resource.h>

#include "load.h"
#include "slicepage.h"
#include "stream.h"

#include "kselftest_harness.h"

#define TIMEOUT		1300
#define DEFAULT_TIMES	20
#define USERS		3
#define QUIET		4	/* of so many loads one has users */
#define TRIES		20	/* to find a moment at which nobody has it */

/* Shared with the users, which are processes. */
struct common {
	atomic_int rest;
	atomic_uint uses[USERS];
};

FIXTURE(unload) {
	struct load load;
	struct common *common;
	pid_t users[USERS];
};

static bool use_ledger(void)
{
	int fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	struct accounts accounts = { 0 };
	bool used = fd >= 0 && accounts_read(fd, &accounts);

	accounts_free(&accounts);
	if (fd >= 0)
		close(fd);
	return used;
}

/* Every other one is closed while it runs. */
static bool use_stream(void)
{
	static unsigned int count;
	char some[4096];
	int device = open(DEVICE, O_RDONLY | O_CLOEXEC);
	int fd = device < 0 ? -1 : stream_open(device, SCHEDSCOPE_STREAM_RING_MIN, 0);
	struct seen seen = { 0 };
	bool used;

	if (device >= 0)
		close(device);
	if (fd < 0)
		return false;
	used = !ioctl(fd, SCHEDSCOPE_STREAM_IOC_START);
	usleep(1000);
	if (count++ % 2)
		used = used && read(fd, some, sizeof(some)) >= 0;
	else
		used = used && finish(fd, &seen) && !seen.wrong && adds_up(&seen);
	close(fd);
	return used;
}

static bool use_slice_page(void)
{
	const struct schedscope_slicepage *page = page_open();
	struct schedscope_slicepage now;

	if (!page)
		return false;
	page_read(page, &now);
	usleep(100);
	page_close(page);
	return now.tid == (__u32)thread_id();
}

static bool (*const uses[USERS])(void) = { use_ledger, use_stream, use_slice_page };

static void be_user(struct common *common, int which)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		if (!atomic_load(&common->rest) && uses[which]())
			atomic_fetch_add(&common->uses[which], 1);
		usleep(1000);
	}
}

FIXTURE_SETUP(unload)
{
	self->common = NULL;
	if (!module_path())
		SKIP(return, "SCHEDSCOPE_MODULE does not name the module");
	module_unload();
	self->common = mmap(NULL, sizeof(*self->common), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->common);
	/* Loading and unloading takes long enough without waiting for its turn. */
	setpriority(PRIO_PROCESS, 0, 19);
	load_start(&self->load);
	setpriority(PRIO_PROCESS, 0, 0);
	for (int i = 0; i < USERS; i++) {
		self->users[i] = fork();
		if (!self->users[i])
			be_user(self->common, i);
	}
}

FIXTURE_TEARDOWN(unload)
{
	if (!self->common)
		return;
	for (int i = 0; i < USERS; i++) {
		kill(self->users[i], SIGKILL);
		waitpid(self->users[i], NULL, 0);
	}
	load_stop(&self->load);
	module_unload();
}

/* Within a minute one of the users has had it once more. */
static bool is_used(struct common *common, int which)
{
	unsigned int before = atomic_load(&common->uses[which]);

	for (int tries = 0; tries < 60000; tries++) {
		if (atomic_load(&common->uses[which]) != before)
			return true;
		usleep(1000);
	}
	return false;
}

/* What holds the module: a file of each kind, and a mapping. The errno of unloading it then. */
static int unload_while_held(void)
{
	int device = open(DEVICE, O_RDONLY | O_CLOEXEC);
	const struct schedscope_slicepage *page = page_open();
	int err = device < 0 || !page ? -1 : module_unload();

	page_close(page);
	if (err == EWOULDBLOCK)
		err = module_unload();
	close(device);
	return err;
}

TEST_F_TIMEOUT(unload, under_load, TIMEOUT)
{
	const char *text = getenv("SCHEDSCOPE_LOADS");
	int times = text ? atoi(text) : DEFAULT_TIMES;
	unsigned int refused = 0, rests = 0;

	for (int i = 0; i < times; i++) {
		ASSERT_EQ(0, module_load("threads_max=2048 exited_max=256"));
		if (i % QUIET == 0) {
			atomic_store(&self->common->rest, 0);
			ASSERT_TRUE(is_used(self->common, i / QUIET % USERS));
		}
		ASSERT_EQ(EWOULDBLOCK, unload_while_held());
		for (int tries = 0; module_unload(); tries++) {
			refused++;
			rests += tries == TRIES;
			if (tries >= TRIES)
				atomic_store(&self->common->rest, 1);
			ASSERT_GT(1000 * TRIES, tries);
			usleep(500);
		}
		atomic_store(&self->common->rest, 1);
		EXPECT_EQ(-1, access("/sys/module/schedscope", F_OK));
		EXPECT_EQ(-1, access(DEVICE, F_OK));
		EXPECT_EQ(-1, access(SLICE_DEVICE, F_OK));
	}
	TH_LOG("%d times; used %u, %u and %u times; refused %u times; %u times its users had to rest",
	       times, self->common->uses[0], self->common->uses[1], self->common->uses[2],
	       refused, rests);
}

TEST_HARNESS_MAIN
