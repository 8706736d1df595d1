// SPDX-License-Identifier: GPL-2.0-only
/*
 * The switch benchmark: what it measures is a switch, it ends as it is told to, and it leaves
 * neither a thread nor an address space behind.
 */
#include <dirent.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "support.h"

#include "switchbench_math.h"

#include "kselftest_harness.h"

#define RUN	SCHEDSCOPE_IOC_SWITCHBENCH

FIXTURE(bench) {
	int fd;
	struct schedscope_switchbench bench;
};

FIXTURE_SETUP(bench)
{
	self->fd = -1;
	if (!module_path())
		SKIP(return, "SCHEDSCOPE_MODULE does not name the module");
	ASSERT_EQ(0, module_load(""));
	self->fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->bench = (struct schedscope_switchbench) {
		.bytes = sizeof(self->bench),
		.how = SCHEDSCOPE_SWITCHBENCH_YIELD,
		.mm = SCHEDSCOPE_SWITCHBENCH_MM_NONE,
		.lender_fd = -1,
		.cpus = { 1, 1 },
		.switches_max = 2000,
		.time_max_ns = 5 * NS_PER_SEC,
	};
}

FIXTURE_TEARDOWN(bench)
{
	if (self->fd < 0)
		return;
	close(self->fd);
	EXPECT_EQ(0, module_unload());
}

static int errno_of(int fd, const struct schedscope_switchbench *bench)
{
	struct schedscope_switchbench copy = *bench;

	return ioctl(fd, RUN, &copy) ? errno : 0;
}

/* The benchmark's threads, those of any that was left. */
static int bench_threads(void)
{
	struct dirent *entry;
	int found = 0;
	DIR *proc = opendir("/proc");

	while (proc && (entry = readdir(proc))) {
		char path[300], comm[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file) && !strncmp(comm, "schedscope/", 11))
			found++;
		fclose(file);
	}
	if (proc)
		closedir(proc);
	return found;
}

static __u64 bucket_begin(unsigned int bucket)
{
	return bucket < 8 ? bucket : (__u64)(8 + bucket % 8) << (bucket / 8 - 1);
}

static bool adds_up(const struct schedscope_switchbench *bench)
{
	__u64 counted = 0, least = 0, most = 0;

	for (unsigned int i = 0; i < SCHEDSCOPE_SWITCHBENCH_BUCKETS; i++) {
		bool last = i == SCHEDSCOPE_SWITCHBENCH_BUCKETS - 1;

		counted += bench->hist[i];
		least += bench->hist[i] * bucket_begin(i);
		most += bench->hist[i] * (last ? bench->max_ns : bucket_begin(i + 1));
	}
	return counted == bench->switches && least <= bench->total_ns && bench->total_ns <= most &&
	       bench->min_ns <= bench->max_ns &&
	       bench->hist[switchbench_bucket(bench->min_ns)] &&
	       bench->hist[switchbench_bucket(bench->max_ns)];
}

/*
 * Switches of the whole machine cannot be fewer than those that were measured. These are
 * all that were asked for, unless the time is over: how many fit into it is up to the
 * machine, but one does.
 */
static bool really_switched(int fd, struct schedscope_switchbench *bench)
{
	__u64 before = ledger_info(fd).switches;
	__u64 began = now_ns();

	if (ioctl(fd, RUN, bench))
		return false;
	if (bench->switches != bench->switches_max &&
	    (!bench->switches || now_ns() - began < bench->time_max_ns))
		return false;
	return bench->switches <= bench->switches_max &&
	       ledger_info(fd).switches - before >= bench->switches &&
	       bench->probe_runs >= bench->switches;
}

TEST(bucket_of_each_power)
{
	for (unsigned int i = 0; i < SCHEDSCOPE_SWITCHBENCH_BUCKETS; i++) {
		ASSERT_EQ(i, switchbench_bucket(bucket_begin(i)));
		if (i)
			ASSERT_EQ(i - 1, switchbench_bucket(bucket_begin(i) - 1));
	}
	ASSERT_EQ(SCHEDSCOPE_SWITCHBENCH_BUCKETS - 1, switchbench_bucket(~0ULL));
}

TEST_F(bench, yields_on_one_cpu)
{
	ASSERT_TRUE(really_switched(self->fd, &self->bench));
	EXPECT_TRUE(adds_up(&self->bench));
	EXPECT_EQ(0, bench_threads());
}

TEST_F(bench, wakes_on_one_cpu_and_across)
{
	self->bench.how = SCHEDSCOPE_SWITCHBENCH_WAKE;
	ASSERT_TRUE(really_switched(self->fd, &self->bench));
	EXPECT_TRUE(adds_up(&self->bench));

	memset(&self->bench.switches, 0,
	       sizeof(self->bench) - offsetof(struct schedscope_switchbench, switches));
	self->bench.cpus[0] = 0;
	self->bench.switches_max = 200;
	ASSERT_TRUE(really_switched(self->fd, &self->bench));
	EXPECT_TRUE(adds_up(&self->bench));
	EXPECT_EQ(0, bench_threads());
}

/* A process that lends its address space to @fd and then sleeps. */
static pid_t lender(int fd)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe(ready))
		return -1;
	pid = fork();
	if (!pid) {
		if (ioctl(fd, SCHEDSCOPE_IOC_LEND_MM, 0) || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		pid = -1;
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST_F(bench, borrows_address_spaces)
{
	int lent = open(DEVICE, O_RDONLY | O_CLOEXEC);
	pid_t pid;

	self->bench.mm = SCHEDSCOPE_SWITCHBENCH_MM_SAME;
	ASSERT_TRUE(really_switched(self->fd, &self->bench));
	EXPECT_TRUE(adds_up(&self->bench));

	memset(&self->bench.switches, 0,
	       sizeof(self->bench) - offsetof(struct schedscope_switchbench, switches));
	self->bench.mm = SCHEDSCOPE_SWITCHBENCH_MM_OTHER;
	self->bench.lender_fd = lent;
	EXPECT_EQ(ENODATA, errno_of(self->fd, &self->bench));
	pid = lender(lent);
	ASSERT_LT(0, pid);
	EXPECT_TRUE(really_switched(self->fd, &self->bench));
	EXPECT_TRUE(adds_up(&self->bench));
	end(pid);

	memset(&self->bench.switches, 0,
	       sizeof(self->bench) - offsetof(struct schedscope_switchbench, switches));
	EXPECT_EQ(ESRCH, errno_of(self->fd, &self->bench));
	close(lent);
	self->bench.lender_fd = lent;
	EXPECT_EQ(EBADF, errno_of(self->fd, &self->bench));
	self->bench.lender_fd = STDIN_FILENO;
	EXPECT_EQ(EBADF, errno_of(self->fd, &self->bench));
	EXPECT_EQ(0, bench_threads());
}

/* The lender's address space is gone with it, whoever still holds the file. */
TEST_F(bench, lets_the_lender_die)
{
	struct schedscope_switchbench bench = self->bench;
	int lent = open(DEVICE, O_RDONLY | O_CLOEXEC);
	pid_t pid = lender(lent), runner;
	int status;

	ASSERT_LT(0, pid);
	bench.mm = SCHEDSCOPE_SWITCHBENCH_MM_OTHER;
	bench.lender_fd = lent;
	bench.switches_max = 100000000;
	bench.time_max_ns = NS_PER_SEC / 2;
	runner = fork();
	if (!runner)
		_exit(errno_of(self->fd, &bench));
	usleep(100000);
	end(pid);
	waitpid(runner, &status, 0);
	EXPECT_EQ(0, status);
	close(lent);
}

TEST_F(bench, ends_in_time)
{
	self->bench.switches_max = 100000000;
	self->bench.time_max_ns = NS_PER_SEC / 5;
	ASSERT_TRUE(really_switched(self->fd, &self->bench));
	EXPECT_GT(100000000, self->bench.switches);
}

static void interrupt(int signal)
{
}

TEST_F(bench, ends_at_a_signal_and_is_alone)
{
	struct sigaction action = { .sa_handler = interrupt };
	pid_t pid = fork();
	int status;

	self->bench.switches_max = 100000000;
	self->bench.time_max_ns = 10 * NS_PER_SEC;
	if (!pid) {
		sigaction(SIGUSR1, &action, NULL);
		_exit(errno_of(self->fd, &self->bench));
	}
	for (int tries = 0; tries < 200 && bench_threads() < 2; tries++)
		usleep(10000);
	EXPECT_EQ(2, bench_threads());
	EXPECT_EQ(EBUSY, errno_of(self->fd, &self->bench));
	EXPECT_EQ(EBUSY, module_unload() == EWOULDBLOCK ? EBUSY : 0);
	kill(pid, SIGUSR1);
	waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(EINTR, WEXITSTATUS(status));
	EXPECT_EQ(0, bench_threads());

	pid = fork();
	if (!pid)
		_exit(errno_of(self->fd, &self->bench));
	for (int tries = 0; tries < 200 && bench_threads() < 2; tries++)
		usleep(10000);
	end(pid);
	EXPECT_EQ(0, bench_threads());
}

/* Threads of ordinary priority get their turn on the CPU meanwhile. */
TEST_F(bench, leaves_time_to_others)
{
	atomic_ulong *turns = mmap(NULL, sizeof(*turns), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cpu_set_t cpus;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, turns);
	CPU_ZERO(&cpus);
	CPU_SET(1, &cpus);
	pid = fork();
	if (!pid) {
		sched_setaffinity(0, sizeof(cpus), &cpus);
		for (;;) {
			(*turns)++;
			usleep(1000);
		}
	}
	self->bench.switches_max = 100000000;
	self->bench.time_max_ns = NS_PER_SEC;
	EXPECT_EQ(0, errno_of(self->fd, &self->bench));
	EXPECT_LT(20, *turns);
	end(pid);
	munmap(turns, sizeof(*turns));
}

TEST_F(bench, refuses_nonsense)
{
	struct schedscope_switchbench bad;
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

#define REFUSES(field, value, error)			\
	do {						\
		bad = self->bench;			\
		bad.field = value;			\
		EXPECT_EQ(error, errno_of(self->fd, &bad));	\
	} while (0)
	REFUSES(bytes, sizeof(bad) - 1, EINVAL);
	REFUSES(bytes, 0, EINVAL);
	REFUSES(how, 2, EINVAL);
	REFUSES(mm, 3, EINVAL);
	REFUSES(mm, SCHEDSCOPE_SWITCHBENCH_MM_OTHER, EINVAL);
	REFUSES(lender_fd, 0, EINVAL);
	REFUSES(cpus[0], 0, EINVAL);
	REFUSES(switches_max, 0, EINVAL);
	REFUSES(switches_max, 100000001, EINVAL);
	REFUSES(time_max_ns, NS_PER_SEC / 1000 - 1, EINVAL);
	REFUSES(time_max_ns, 10 * NS_PER_SEC + 1, EINVAL);
	REFUSES(reserved[3], 1, EINVAL);
	REFUSES(hist[SCHEDSCOPE_SWITCHBENCH_BUCKETS - 1], 1, EINVAL);
#undef REFUSES
	bad = self->bench;
	bad.cpus[0] = bad.cpus[1] = 100000;
	EXPECT_EQ(ENODEV, errno_of(self->fd, &bad));
	EXPECT_EQ(-1, ioctl(self->fd, RUN, page));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_IOC_LEND_MM, 1));
	EXPECT_EQ(EINVAL, errno);
	munmap(page, 4096);
}

TEST_F(bench, takes_cap_sys_nice)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	pid_t pid = fork();
	int status;

	if (!pid) {
		syscall(SYS_capget, &header, data);
		data[0].effective &= ~(1U << CAP_SYS_NICE);
		syscall(SYS_capset, &header, data);
		_exit(errno_of(self->fd, &self->bench));
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(EPERM, WEXITSTATUS(status));
}

static bool set_online(int cpu, bool online)
{
	char path[64];
	int fd;
	bool done;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	done = fd >= 0 && write(fd, online ? "1" : "0", 1) == 1;
	close(fd);
	return done;
}

TEST_F(bench, says_that_its_cpu_went_away)
{
	pid_t pid;
	int status;

	ASSERT_TRUE(set_online(2, false));
	self->bench.cpus[0] = self->bench.cpus[1] = 2;
	EXPECT_EQ(ENODEV, errno_of(self->fd, &self->bench));
	ASSERT_TRUE(set_online(2, true));

	self->bench.switches_max = 100000000;
	self->bench.time_max_ns = 10 * NS_PER_SEC;
	pid = fork();
	if (!pid)
		_exit(errno_of(self->fd, &self->bench));
	usleep(300000);
	EXPECT_TRUE(set_online(2, false));
	waitpid(pid, &status, 0);
	EXPECT_EQ(ENODEV, WEXITSTATUS(status));
	EXPECT_EQ(0, bench_threads());
	EXPECT_TRUE(set_online(2, true));
}

TEST_HARNESS_MAIN
