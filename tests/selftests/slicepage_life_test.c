// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who gets a slice page, how it may be mapped, and what becomes of it when its
 * thread, its process or its address space ends.
 */
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "slicepage.h"

#include "kselftest_harness.h"

#define TIMEOUT	120
#define GONE	SCHEDSCOPE_SLICEPAGE_GONE
#define ROOM	8

FIXTURE(life) {
	int fd;		/* the module's device */
	int slice;	/* the page's */
};

FIXTURE_SETUP(life)
{
	self->fd = -1;
	if (!module_path())
		SKIP(return, "SCHEDSCOPE_MODULE does not name the module");
	ASSERT_EQ(0, module_load(""));
	self->fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->slice = open(SLICE_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->slice);
}

FIXTURE_TEARDOWN(life)
{
	if (self->fd < 0)
		return;
	close(self->slice);
	EXPECT_EQ(0, ledger_info(self->fd).slicepages);
	close(self->fd);
	EXPECT_EQ(0, module_unload());
}

/* The errno of mapping it; 0 and unmapped when it can be. */
static int map_errno(int fd, size_t bytes, int protection, int flags, off_t offset)
{
	void *page = mmap(NULL, bytes, protection, flags, fd, offset);

	if (page == MAP_FAILED)
		return errno;
	munmap(page, bytes);
	return 0;
}

TEST_F(life, mapping)
{
	const int flags[] = { MAP_SHARED, MAP_PRIVATE };
	int read_only = open(SLICE_DEVICE, O_RDONLY | O_CLOEXEC);
	int blind = open(SLICE_DEVICE, O_WRONLY | O_CLOEXEC);

	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(0, map_errno(self->slice, PAGE_BYTES, PROT_READ, flags[i], 0));
		EXPECT_EQ(0, map_errno(self->slice, 1, PROT_READ, flags[i], 0));
		EXPECT_EQ(0, map_errno(self->slice, PAGE_BYTES, PROT_NONE, flags[i], 0));
		EXPECT_EQ(EINVAL, map_errno(self->slice, 2 * PAGE_BYTES, PROT_READ, flags[i], 0));
		EXPECT_EQ(EINVAL, map_errno(self->slice, 0, PROT_READ, flags[i], 0));
		EXPECT_EQ(EINVAL, map_errno(self->slice, PAGE_BYTES, PROT_READ, flags[i],
					    PAGE_BYTES));
		EXPECT_EQ(EPERM, map_errno(self->slice, PAGE_BYTES, PROT_WRITE, flags[i], 0));
		EXPECT_EQ(EPERM, map_errno(self->slice, PAGE_BYTES, PROT_READ | PROT_WRITE,
					   flags[i], 0));
		EXPECT_EQ(EPERM, map_errno(self->slice, PAGE_BYTES, PROT_READ | PROT_EXEC,
					   flags[i], 0));
		/* As with any file that is not open for it. */
		EXPECT_EQ(EACCES, map_errno(blind, PAGE_BYTES, PROT_READ, flags[i], 0));
	}
	EXPECT_EQ(EACCES, map_errno(read_only, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, 0));
	EXPECT_EQ(EPERM, map_errno(read_only, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0));
	close(read_only);
	close(blind);
}

TEST_F(life, nothing_makes_it_writable)
{
	const int flags[] = { MAP_SHARED, MAP_PRIVATE };
	int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, memory);
	for (int i = 0; i < 2; i++) {
		struct schedscope_slicepage *page =
			mmap(NULL, PAGE_BYTES, PROT_READ, flags[i], self->slice, 0);

		ASSERT_NE(MAP_FAILED, page);
		EXPECT_EQ(-1, mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE));
		EXPECT_EQ(EACCES, errno);
		EXPECT_EQ(-1, mprotect(page, PAGE_BYTES, PROT_READ | PROT_EXEC));
		EXPECT_EQ(EACCES, errno);
		/* A debugger writes where the program itself may not, but not here. */
		EXPECT_EQ(-1, pwrite(memory, "", 1, (off_t)(unsigned long)&page->tid));
		EXPECT_EQ(-1, read(open("/dev/zero", O_RDONLY | O_CLOEXEC), &page->tid, 1));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(MAP_FAILED, mremap(page, PAGE_BYTES, 2 * PAGE_BYTES, MREMAP_MAYMOVE));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(thread_id(), page->tid);
		/* Thrown out, it comes back. */
		EXPECT_EQ(0, madvise(page, PAGE_BYTES, MADV_DONTNEED));
		EXPECT_EQ(thread_id(), page->tid);
		munmap(page, PAGE_BYTES);
	}
	close(memory);
}

TEST_F(life, nothing_else)
{
	struct stat stat;
	char byte = 0;

	ASSERT_EQ(0, fstat(self->slice, &stat));
	EXPECT_EQ(S_IFCHR | 0666, stat.st_mode);
	EXPECT_EQ(-1, read(self->slice, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->slice, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->slice, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, ioctl(self->slice, SCHEDSCOPE_IOC_INFO, &byte));
	EXPECT_EQ(ENOTTY, errno);
}

static void *open_in_thread(void *data)
{
	*(const struct schedscope_slicepage **)data = page_open();
	return NULL;
}

/* The page of a thread that is over then. */
static const struct schedscope_slicepage *page_of_the_dead(void)
{
	const struct schedscope_slicepage *page;
	pthread_t thread;

	if (pthread_create(&thread, NULL, open_in_thread, &page))
		abort();
	pthread_join(thread, NULL);
	return page;
}

/* A thread has one page however often it opens it, and another thread another. */
TEST_F(life, one_a_thread)
{
	const struct schedscope_slicepage *mine = page_open(), *again = page_map(self->slice);
	const struct schedscope_slicepage *others = page_of_the_dead();

	ASSERT_NE(NULL, mine);
	ASSERT_NE(NULL, again);
	EXPECT_EQ(thread_id(), mine->tid);
	EXPECT_EQ(mine->tid, again->tid);
	ASSERT_NE(NULL, others);
	EXPECT_NE(mine->tid, others->tid);
	EXPECT_EQ(2, ledger_info(self->fd).slicepages);
	page_close(others);
	EXPECT_EQ(1, ledger_info(self->fd).slicepages);
	page_close(mine);
	close(self->slice);
	/* The second mapping alone holds it. */
	EXPECT_EQ(1, ledger_info(self->fd).slicepages);
	page_close(again);
}

/* @page says within a minute that its thread is gone, and changes no more. */
static bool goes(const struct schedscope_slicepage *page)
{
	struct schedscope_slicepage first = { 0 }, second;

	for (int i = 0; i < 60000 && !(first.flags & GONE); i++) {
		page_read(page, &first);
		usleep(1000);
	}
	page_read(page, &second);
	return first.flags == GONE && first.left_ns == 0 && !memcmp(&first, &second, sizeof(first));
}

TEST_F(life, outlives_the_thread)
{
	for (int i = 0; i < 100; i++) {
		const struct schedscope_slicepage *page = page_of_the_dead();

		ASSERT_NE(NULL, page);
		ASSERT_TRUE(goes(page));
		EXPECT_NE(thread_id(), page->tid);
		page_close(page);
	}
}

/* A page that is gone is not woken by whoever gets its thread's memory. */
TEST_F_TIMEOUT(life, stays_gone, TIMEOUT)
{
	enum { PAGES = 200 };
	const struct schedscope_slicepage *pages[PAGES];
	struct schedscope_slicepage before[PAGES], after;

	for (int i = 0; i < PAGES; i++) {
		pages[i] = page_of_the_dead();
		ASSERT_NE(NULL, pages[i]);
	}
	for (int i = 0; i < PAGES; i++) {
		ASSERT_TRUE(goes(pages[i]));
		page_read(pages[i], &before[i]);
	}
	for (int i = 0; i < 5 * PAGES; i++) {
		const struct schedscope_slicepage *page = page_of_the_dead();

		ASSERT_NE(NULL, page);
		page_close(page);
	}
	for (int i = 0; i < PAGES; i++) {
		page_read(pages[i], &after);
		EXPECT_EQ(0, memcmp(&before[i], &after, sizeof(after)));
		page_close(pages[i]);
	}
}

/* A child of fork() has the mapping, but not the thread. */
TEST_F(life, fork)
{
	const struct schedscope_slicepage *page = page_map(self->slice);
	struct schedscope_slicepage before, after;
	int status;
	pid_t pid;

	ASSERT_NE(NULL, page);
	page_read(page, &before);
	pid = fork();
	if (!pid) {
		struct schedscope_slicepage copy;
		const struct schedscope_slicepage *own;
		int wrong = 0;

		page_read(page, &copy);
		wrong |= copy.flags != GONE || copy.tid || copy.slices || copy.start_ns;
		wrong |= map_errno(self->slice, PAGE_BYTES, PROT_READ, MAP_SHARED, 0) != EPERM;
		own = page_open();
		wrong |= (!own || own->tid != (__u32)getpid()) << 1;
		_exit(wrong);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	/* The child may have been over before it was waited for. */
	usleep(1000);
	page_read(page, &after);
	EXPECT_EQ(thread_id(), after.tid);
	EXPECT_LT(before.slices, after.slices);
	EXPECT_FALSE(after.flags & GONE);
	page_close(page);
}

TEST_F(life, killed_while_mapped)
{
	int ready[2], status;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	if (!pid) {
		const struct schedscope_slicepage *page = page_open();

		if (!page || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			page_read(page, &(struct schedscope_slicepage){ 0 });
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(2, ledger_info(self->fd).slicepages);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(1, ledger_info(self->fd).slicepages);
}

TEST_F(life, holds_the_module)
{
	const struct schedscope_slicepage *page = page_map(self->slice);

	ASSERT_NE(NULL, page);
	close(self->slice);
	close(self->fd);
	EXPECT_EQ(EWOULDBLOCK, module_unload());
	EXPECT_EQ(thread_id(), page->tid);
	page_close(page);
	EXPECT_EQ(0, module_unload());
	EXPECT_EQ(NULL, page_open());
	EXPECT_EQ(ENOENT, errno);

	ASSERT_EQ(0, module_load(""));
	self->fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	self->slice = open(SLICE_DEVICE, O_RDWR | O_CLOEXEC);
}

/* The new program has the descriptor of the old one's page, and no use for it. */
static void after_exec(int inherited)
{
	const struct schedscope_slicepage *page;
	int wrong = 0;

	wrong |= map_errno(inherited, PAGE_BYTES, PROT_READ, MAP_SHARED, 0) != EPERM;
	page = page_open();
	wrong |= (!page || page->tid != (__u32)thread_id() || page->flags & GONE) << 1;
	_exit(wrong);
}

/* Before main(), which is the harness's. */
__attribute__((constructor)) static void is_after_exec(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[0], "after-exec"))
		after_exec(atoi(argv[1]));
}

static void exec_self(int inherited)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", inherited);
	execl("/proc/self/exe", "after-exec", number, NULL);
	_exit(255);
}

static void *open_and_exec(void *data)
{
	exec_self(open(SLICE_DEVICE, O_RDONLY));
	return data;
}

TEST_F(life, exec)
{
	pthread_t thread;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		exec_self(open(SLICE_DEVICE, O_RDONLY));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);

	/* By a thread that is not the leader, and becomes it. */
	pid = fork();
	if (!pid) {
		if (!page_open() || pthread_create(&thread, NULL, open_and_exec, NULL))
			_exit(255);
		pthread_join(thread, NULL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

static const struct schedscope_slicepage *childs_page;

/* On the parent's memory. */
static int open_and_become_sleep(void *data)
{
	childs_page = page_open();
	execl("/bin/sleep", "sleep", "60", NULL);
	_exit(255);
}

/* A process whose memory another one shares takes its page to no other program. */
TEST_F(life, exec_is_not_watched)
{
	static long long stack[8192];
	pid_t pid = clone(open_and_become_sleep, stack + 8192,
			  CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);

	ASSERT_LT(0, pid);
	ASSERT_NE(NULL, childs_page);
	EXPECT_TRUE(goes(childs_page));
	EXPECT_EQ(pid, childs_page->tid);
	EXPECT_NE('Z', thread_state(pid));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	page_close(childs_page);
}

struct crowd {
	atomic_int ready, go;
	atomic_int wrong;
};

static void *one_of_the_crowd(void *data)
{
	struct crowd *crowd = data;
	const struct schedscope_slicepage *page = page_open();
	struct schedscope_slicepage before, after;

	if (page)
		page_read(page, &before);
	atomic_fetch_add(&crowd->ready, 1);
	futex_wake(&crowd->ready);
	gate_wait(&crowd->go, 1);
	if (!page) {
		atomic_fetch_add(&crowd->wrong, 1);
		return NULL;
	}
	page_read(page, &after);
	if (after.tid != (__u32)thread_id() || after.slices <= before.slices ||
	    after.start_ns <= before.start_ns)
		atomic_fetch_add(&crowd->wrong, 1);
	page_close(page);
	return NULL;
}

/* The last of them has said that it is ready, and may not have left its CPU yet. */
static bool wait_until_asleep(int fd, int threads)
{
	struct accounts accounts = { 0 };
	int asleep = 0;

	for (int tries = 0; asleep != threads && tries < 1000; tries++) {
		if (!accounts_read(fd, &accounts))
			break;
		asleep = 0;
		for (size_t i = 0; i < accounts.count; i++)
			asleep += accounts.all[i].pid == (__u32)getpid() &&
				  accounts.all[i].state == SCHEDSCOPE_STATE_SLEEP;
		accounts_free(&accounts);
		usleep(1000);
	}
	return asleep == threads;
}

TEST_F_TIMEOUT(life, thousand_threads, TIMEOUT)
{
	enum { THREADS = 1000 };
	static pthread_t threads[THREADS];
	struct crowd crowd = { 0 };

	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, one_of_the_crowd, &crowd));
	gate_wait(&crowd.ready, THREADS);
	EXPECT_EQ(THREADS + 1, ledger_info(self->fd).slicepages);
	EXPECT_TRUE(wait_until_asleep(self->fd, THREADS));
	gate_open(&crowd.go, 1);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, crowd.wrong);
	EXPECT_EQ(1, ledger_info(self->fd).slicepages);
	EXPECT_EQ(0, ledger_info(self->fd).slicepages_refused);
}

/* What threads of one user got. */
struct share {
	pid_t pid;
	int pages;
	int refusal;
};

struct opening {
	const struct schedscope_slicepage *page;
	int err;
};

static void *try_to_open(void *data)
{
	struct opening *opening = data;

	opening->page = page_open();
	opening->err = opening->page ? 0 : errno;
	return NULL;
}

static void take_all(int uid, struct share *share)
{
	struct opening opening;
	pthread_t thread;

	if (uid && (setgroups(0, NULL) || setgid(uid) || setuid(uid)))
		_exit(1);
	do {
		if (pthread_create(&thread, NULL, try_to_open, &opening))
			_exit(1);
		pthread_join(thread, NULL);
		share->pages += !opening.err;
	} while (!opening.err && share->pages <= ROOM);
	share->refusal = opening.err;
}

/* A process of user @uid opens pages until one is refused, and keeps them until it is killed. */
static struct share share_of(int uid)
{
	struct share share = { 0 };
	int ends[2];
	pid_t pid;

	if (pipe(ends))
		abort();
	pid = fork();
	if (!pid) {
		take_all(uid, &share);
		if (write(ends[1], &share, sizeof(share)) == sizeof(share))
			pause();
		_exit(1);
	}
	close(ends[1]);
	if (read(ends[0], &share, sizeof(share)) != sizeof(share))
		share.refusal = -1;
	close(ends[0]);
	share.pid = pid;
	return share;
}

TEST(room)
{
	/* Half is one user's; root, and what is full. */
	const struct {
		int uid, pages, refusal;
	} expected[] = {
		{ 65534, ROOM / 2, EMFILE },
		{ 65534, 0, EMFILE },
		{ 65533, ROOM / 2, ENFILE },
		{ 65532, 0, ENFILE },
		{ 0, 0, ENFILE },
	};
	struct share shares[5], all;
	int fd;

	if (!module_path())
		SKIP(return, "SCHEDSCOPE_MODULE does not name the module");
	ASSERT_EQ(0, module_load("slicepages_max=8"));
	fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);

	for (int i = 0; i < 5; i++) {
		shares[i] = share_of(expected[i].uid);
		EXPECT_EQ(expected[i].pages, shares[i].pages);
		EXPECT_EQ(expected[i].refusal, shares[i].refusal);
	}
	EXPECT_EQ(ROOM, ledger_info(fd).slicepages);
	EXPECT_EQ(5, ledger_info(fd).slicepages_refused);
	for (int i = 0; i < 5; i++) {
		kill(shares[i].pid, SIGKILL);
		waitpid(shares[i].pid, NULL, 0);
	}
	EXPECT_EQ(0, ledger_info(fd).slicepages);

	all = share_of(0);
	EXPECT_EQ(ROOM, all.pages);
	EXPECT_EQ(ENFILE, all.refusal);
	kill(all.pid, SIGKILL);
	waitpid(all.pid, NULL, 0);
	close(fd);
	EXPECT_EQ(0, module_unload());
}

TEST_HARNESS_MAIN
