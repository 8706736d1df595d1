// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/schedscope: who may open it, and what it says to every wrong question.
 */
#include <grp.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "support.h"

#include "kselftest_harness.h"

FIXTURE(device) {
	int fd;
};

FIXTURE_SETUP(device)
{
	self->fd = -1;
	if (!module_path())
		SKIP(return, "SCHEDSCOPE_MODULE does not name the module");
	ASSERT_EQ(0, module_load(""));
	self->fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(device)
{
	if (self->fd < 0)
		return;
	close(self->fd);
	EXPECT_EQ(0, module_unload());
}

static void capability_drop(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	syscall(SYS_capget, &header, data);
	data[capability / 32].effective &= ~(1U << capability % 32);
	syscall(SYS_capset, &header, data);
}

/* The errno of opening the device in a process that has @prepare done to it. */
static int open_after(void (*prepare)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		prepare();
		_exit(open(DEVICE, O_RDONLY) < 0 ? errno : 0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void keep_all(void)
{
}

static void become_nobody(void)
{
	if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
		_exit(255);
}

static void drop_admin(void)
{
	capability_drop(CAP_SYS_ADMIN);
}

static void drop_both(void)
{
	capability_drop(CAP_SYS_ADMIN);
	capability_drop(CAP_PERFMON);
}

TEST_F(device, permissions)
{
	struct stat stat;

	ASSERT_EQ(0, fstat(self->fd, &stat));
	EXPECT_EQ(S_IFCHR | 0600, stat.st_mode);
	EXPECT_EQ(0, stat.st_uid);

	EXPECT_EQ(0, open_after(keep_all));
	EXPECT_EQ(0, open_after(drop_admin));
	EXPECT_EQ(EPERM, open_after(drop_both));
	EXPECT_EQ(EACCES, open_after(become_nobody));
	/* Capabilities count, not the mode. */
	ASSERT_EQ(0, chmod(DEVICE, 0666));
	EXPECT_EQ(EPERM, open_after(become_nobody));
}

/* The kernel's own list of its tracepoints. */
static bool kernel_has_tracepoint(const char *name)
{
	char line[512], symbol[128];
	bool found = false;
	FILE *symbols = fopen("/proc/kallsyms", "r");

	snprintf(symbol, sizeof(symbol), " __tracepoint_%s\n", name);
	while (symbols && !found && fgets(line, sizeof(line), symbols))
		found = strstr(line, symbol);
	if (symbols)
		fclose(symbols);
	return found;
}

TEST_F(device, signals)
{
	struct schedscope_info info = ledger_info(self->fd);

	ASSERT_TRUE(kernel_has_tracepoint("sched_switch"));
	EXPECT_EQ(kernel_has_tracepoint("local_timer_entry"),
		  !!(info.signals & SCHEDSCOPE_SIGNAL_TIMER));
	EXPECT_EQ(kernel_has_tracepoint("sched_set_need_resched_tp"),
		  !!(info.signals & SCHEDSCOPE_SIGNAL_NEED_RESCHED));
	EXPECT_EQ(kernel_has_tracepoint("sched_set_state_tp"),
		  !!(info.signals & SCHEDSCOPE_SIGNAL_SET_STATE));
	EXPECT_EQ(kernel_has_tracepoint("sched_dl_throttle_tp"),
		  !!(info.signals & SCHEDSCOPE_SIGNAL_DL));
	EXPECT_EQ(0, info.signals_used & ~info.signals);
}

TEST_F(device, info)
{
	struct {
		struct schedscope_info info;
		char more[64];
	} later = { .info = { .info_bytes = sizeof(later) } };
	struct schedscope_info info = ledger_info(self->fd);

	EXPECT_EQ(SCHEDSCOPE_ABI_MAJOR, info.abi_major);
	EXPECT_EQ(SCHEDSCOPE_ABI_MINOR, info.abi_minor);
	EXPECT_EQ(sizeof(info), info.info_bytes);
	EXPECT_EQ(sizeof(struct schedscope_account), info.account_bytes);
	EXPECT_EQ(4096, info.exited_max);
	EXPECT_EQ(0, info.threads_missed);
	EXPECT_LT(0, info.accounts);
	EXPECT_LT(0, info.switches);
	EXPECT_LT(0, info.loaded_ns);
	EXPECT_GT(now_ns(), info.loaded_ns);
	EXPECT_EQ(0, info.slicepages);
	EXPECT_EQ(0, info.slicepages_refused);

	/* A program that knows a later version gets what there is. */
	EXPECT_EQ(0, ioctl(self->fd, SCHEDSCOPE_IOC_INFO, &later));
	EXPECT_EQ(sizeof(info), later.info.info_bytes);
	later.info = (struct schedscope_info){ .info_bytes = sizeof(later) };
	later.more[63] = 1;
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_IOC_INFO, &later));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(device, info_refuses)
{
	struct schedscope_info info;
	unsigned char *bytes = (unsigned char *)&info;
	const size_t size_at = offsetof(struct schedscope_info, info_bytes);

	/* Every byte but the size must be zero. */
	for (size_t i = 0; i < sizeof(info); i++) {
		if (i >= size_at && i < size_at + sizeof(info.info_bytes))
			continue;
		memset(&info, 0, sizeof(info));
		info.info_bytes = sizeof(info);
		bytes[i] = 1;
		EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_IOC_INFO, &info));
		EXPECT_EQ(EINVAL, errno);
	}

	memset(&info, 0, sizeof(info));
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_IOC_INFO, &info));
	EXPECT_EQ(EINVAL, errno);
	info.info_bytes = sizeof(info) - 1;
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_IOC_INFO, &info));
	EXPECT_EQ(EINVAL, errno);
	info.info_bytes = ~0U;
	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_IOC_INFO, &info));
	EXPECT_EQ(EINVAL, errno);

	EXPECT_EQ(-1, ioctl(self->fd, SCHEDSCOPE_IOC_INFO, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->fd, _IO('#', 0x60), &info));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(self->fd, _IOWR('#', 0x61, struct schedscope_info), &info));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(self->fd, 0, NULL));
	EXPECT_EQ(ENOTTY, errno);
}

TEST_F(device, reads_whole_accounts)
{
	const size_t size = sizeof(struct schedscope_account);
	char *buffer = malloc(3 * size);

	EXPECT_EQ(-1, read(self->fd, buffer, size - 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(self->fd, buffer, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(size, read(self->fd, buffer, size));
	EXPECT_EQ(size, read(self->fd, buffer, 2 * size - 1));
	memset(buffer, 0x55, 3 * size);
	EXPECT_EQ(2 * size, read(self->fd, buffer, 3 * size - 1));
	for (size_t i = 2 * size; i < 3 * size; i++)
		ASSERT_EQ(0x55, buffer[i]);
	free(buffer);
}

TEST_F(device, bad_memory_loses_nothing)
{
	const size_t size = sizeof(struct schedscope_account);
	struct schedscope_account first, again;
	long page = sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, munmap(map + page, page));

	ASSERT_EQ(size, read(self->fd, &first, size));
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(-1, read(self->fd, map + page, size));
	EXPECT_EQ(EFAULT, errno);
	/* Room for one and a half: one comes, and the second stays for the next read. */
	EXPECT_EQ(size, read(self->fd, map + page - size - size / 2, 2 * size));
	memcpy(&again, map + page - size - size / 2, size);
	EXPECT_EQ(first.tid, again.tid);
	ASSERT_EQ(size, read(self->fd, &again, size));
	EXPECT_NE(first.tid, again.tid);
}

TEST_F(device, position)
{
	struct schedscope_account first, again;
	struct accounts accounts = { 0 };
	int other = open(DEVICE, O_RDONLY);

	ASSERT_LE(0, other);
	ASSERT_EQ(sizeof(first), read(self->fd, &first, sizeof(first)));
	ASSERT_TRUE(accounts_read(self->fd, &accounts));
	EXPECT_LT(10, accounts.count);
	EXPECT_EQ(first.tid, accounts.all[0].tid);
	accounts_free(&accounts);
	EXPECT_EQ(0, read(self->fd, &again, sizeof(again)));
	EXPECT_EQ(0, read(self->fd, &again, sizeof(again)));

	/* Each open file has its own. */
	ASSERT_EQ(sizeof(again), read(other, &again, sizeof(again)));
	EXPECT_EQ(first.tid, again.tid);
	close(other);

	EXPECT_EQ(-1, lseek(self->fd, 1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->fd, -1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pread(self->fd, &again, sizeof(again), 0));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(sizeof(again), read(self->fd, &again, sizeof(again)));
	EXPECT_EQ(first.tid, again.tid);
}

TEST_F(device, nothing_else)
{
	int fd = open(DEVICE, O_RDWR);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, write(fd, "", 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0));
	EXPECT_EQ(ENODEV, errno);
	close(fd);
}

TEST_F(device, holds_the_module)
{
	EXPECT_EQ(EWOULDBLOCK, module_unload());
	close(self->fd);
	EXPECT_EQ(0, module_unload());
	EXPECT_EQ(-1, open(DEVICE, O_RDONLY));
	EXPECT_EQ(ENOENT, errno);
	ASSERT_EQ(0, module_load(""));
	self->fd = open(DEVICE, O_RDONLY);
	ASSERT_LE(0, self->fd);
}

TEST(refuses_parameters)
{
	if (!module_path())
		SKIP(return, "SCHEDSCOPE_MODULE does not name the module");
	EXPECT_EQ(EINVAL, module_load("threads_max=0"));
	EXPECT_EQ(EINVAL, module_load("threads_max=4294967295"));
	EXPECT_EQ(EINVAL, module_load("exited_max=4294967295"));
	EXPECT_EQ(EINVAL, module_load("slicepages_max=0"));
	EXPECT_EQ(EINVAL, module_load("slicepages_max=65537"));
	EXPECT_EQ(EINVAL, module_load("threads_max=many"));
	EXPECT_EQ(ENOENT, module_unload());
}

TEST_HARNESS_MAIN
