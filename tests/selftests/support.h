/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the C tests share: the module, the device, and threads that are made to
 * do a known thing.
 */
#ifndef SCHEDSCOPE_SELFTESTS_SUPPORT_H
#define SCHEDSCOPE_SELFTESTS_SUPPORT_H

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "uapi/schedscope.h"

#define DEVICE		"/dev/schedscope"
#define NS_PER_SEC	1000000000ULL

/* The module under test: a path, given by whoever runs the tests. */
static inline const char *module_path(void)
{
	return getenv("SCHEDSCOPE_MODULE");
}

/* 0 or an errno. */
static inline int module_unload(void)
{
	return syscall(SYS_delete_module, "schedscope", O_NONBLOCK) ? errno : 0;
}

/* 0 or an errno. One that an earlier test left behind goes first. */
static inline int module_load(const char *parameters)
{
	int fd = open(module_path(), O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return errno;
	module_unload();
	err = syscall(SYS_finit_module, fd, parameters, 0) ? errno : 0;
	close(fd);
	return err;
}

static inline struct schedscope_info ledger_info(int fd)
{
	struct schedscope_info info = { .info_bytes = sizeof(info) };

	if (ioctl(fd, SCHEDSCOPE_IOC_INFO, &info))
		memset(&info, 0, sizeof(info));
	return info;
}

/* All accounts as of now. */
struct accounts {
	struct schedscope_account *all;
	size_t count;
};

static inline bool accounts_read(int fd, struct accounts *accounts)
{
	const size_t room = 256;
	ssize_t got;

	accounts->count = 0;
	if (lseek(fd, 0, SEEK_SET))
		return false;
	do {
		accounts->all = realloc(accounts->all,
					(accounts->count + room) * sizeof(*accounts->all));
		got = read(fd, accounts->all + accounts->count, room * sizeof(*accounts->all));
		if (got < 0 || got % sizeof(*accounts->all))
			return false;
		accounts->count += got / sizeof(*accounts->all);
	} while (got);
	return true;
}

static inline void accounts_free(struct accounts *accounts)
{
	free(accounts->all);
	accounts->all = NULL;
	accounts->count = 0;
}

static inline bool account_alive(const struct schedscope_account *account)
{
	return account->state != SCHEDSCOPE_STATE_EXITED;
}

/* The account of the live thread @tid. */
static inline bool account_of(int fd, pid_t tid, struct schedscope_account *out)
{
	struct accounts accounts = { 0 };
	bool found = false;

	if (accounts_read(fd, &accounts))
		for (size_t i = 0; i < accounts.count; i++)
			if (accounts.all[i].tid == (__u32)tid && account_alive(&accounts.all[i])) {
				*out = accounts.all[i];
				found = true;
			}
	accounts_free(&accounts);
	return found;
}

static inline bool account_adds_up(const struct schedscope_account *account)
{
	__u64 ends = 0, taken = 0;

	for (int i = 0; i < SCHEDSCOPE_ENDS; i++)
		ends += account->ends[i];
	for (int i = 0; i < SCHEDSCOPE_PREEMPTORS; i++)
		taken += account->preemptor_count[i];
	return account->run_ns + account->wait_ns + account->sleep_ns + account->block_ns +
	       account->unknown_ns == account->rec.time_ns - account->since_ns &&
	       account->slices == account->voluntary + account->involuntary &&
	       account->slices == ends &&
	       taken <= account->ends[SCHEDSCOPE_END_PREEMPTED] +
			account->ends[SCHEDSCOPE_END_OUTRANKED];
}

/* What the kernel itself counts for a thread. */
struct kernel_counts {
	unsigned long long voluntary;
	unsigned long long involuntary;
	unsigned long long run_ns;
};

static inline bool kernel_counts(pid_t tid, struct kernel_counts *out)
{
	char path[64], line[256];
	int found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		found += sscanf(line, "voluntary_ctxt_switches: %llu", &out->voluntary) == 1;
		found += sscanf(line, "nonvoluntary_ctxt_switches: %llu", &out->involuntary) == 1;
	}
	fclose(file);

	snprintf(path, sizeof(path), "/proc/%d/schedstat", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	found += fscanf(file, "%llu", &out->run_ns) == 1;
	fclose(file);
	return found == 3;
}

/*
 * A thread's account and the kernel's counts at one moment: while it sleeps, and
 * did not wake between two readings of its account.
 */
static inline bool account_at_rest(int fd, pid_t tid, struct schedscope_account *account,
				   struct kernel_counts *kernel)
{
	struct schedscope_account before = { 0 };

	for (int tries = 0; tries < 1000; tries++) {
		if (!account_of(fd, tid, &before) || !kernel_counts(tid, kernel) ||
		    !account_of(fd, tid, account)) {
			fprintf(stderr, "# no account, or no counts, of thread %d\n", tid);
			return false;
		}
		if (before.state == SCHEDSCOPE_STATE_SLEEP &&
		    account->state == SCHEDSCOPE_STATE_SLEEP && before.slices == account->slices)
			return true;
		usleep(1000);
	}
	fprintf(stderr, "# thread %d is not at rest: state %u, %llu slices\n", tid, account->state,
		(unsigned long long)account->slices);
	return false;
}

/* As ps shows it. Without stdio, so that a child of vfork() can ask, too. */
static inline char thread_state(pid_t tid)
{
	char path[64], text[256] = "";
	const char *end;
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	end = size > 0 ? strrchr(text, ')') : NULL;
	return end ? end[2] : '?';
}

static inline pid_t thread_id(void)
{
	return syscall(SYS_gettid);
}

static inline __u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

static inline void futex_wait(atomic_int *word, int value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static inline void futex_wake(atomic_int *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

/* A word that threads sleep on until it has got as far as @step. */
static inline void gate_wait(atomic_int *gate, int step)
{
	int seen;

	while ((seen = atomic_load(gate)) < step)
		futex_wait(gate, seen);
}

static inline void gate_open(atomic_int *gate, int step)
{
	atomic_store(gate, step);
	futex_wake(gate);
}

static inline bool pin(pid_t tid, int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	return !sched_setaffinity(tid, sizeof(cpus), &cpus);
}

/* A thread that says who it is, sleeps, does its work at step 1 and ends at step 2. */
struct worker {
	pthread_t thread;
	void (*work)(struct worker *worker);
	int cpu;	/* -1: any */
	int fifo;	/* real-time priority, 0: none */
	void *data;
	int value;
	atomic_int tid;
	atomic_int done;
	atomic_int gate;
};

static inline void *worker_main(void *data)
{
	struct worker *worker = data;
	struct sched_param parameter = { .sched_priority = worker->fifo };

	if (worker->cpu >= 0 && !pin(0, worker->cpu))
		abort();
	if (worker->fifo && sched_setscheduler(0, SCHED_FIFO, &parameter))
		abort();
	gate_open(&worker->tid, thread_id());
	gate_wait(&worker->gate, 1);
	worker->work(worker);
	gate_open(&worker->done, 1);
	gate_wait(&worker->gate, 2);
	return NULL;
}

static inline bool worker_start(struct worker *worker)
{
	if (pthread_create(&worker->thread, NULL, worker_main, worker))
		return false;
	gate_wait(&worker->tid, 1);
	return true;
}

static inline void worker_work(struct worker *worker)
{
	gate_open(&worker->gate, 1);
}

static inline void worker_wait(struct worker *worker)
{
	gate_wait(&worker->done, 1);
}

static inline void worker_end(struct worker *worker)
{
	gate_open(&worker->gate, 2);
	pthread_join(worker->thread, NULL);
}

#endif /* SCHEDSCOPE_SELFTESTS_SUPPORT_H */
