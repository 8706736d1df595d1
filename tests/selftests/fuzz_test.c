// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that nobody would make: threads that open, ask, read, map and close what they
 * and the others have, with arguments of which most are nearly right.
 *
 * Whatever they ask, an answer is one that uapi/schedscope.h names, an account adds up,
 * and in the end nothing is left: no page, no stream, no user of the module.
 *
 * SCHEDSCOPE_FUZZ_SEED repeats a run, as far as its threads meet as they did;
 * SCHEDSCOPE_FUZZ_CALLS is how many calls it makes.
 */
#include <poll.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "slicepage.h"
#include "stream.h"

#include "kselftest_harness.h"

#define TIMEOUT		1300
#define THREADS		4
#define FDS		24
#define DEFAULT_CALLS	5000

static struct {
	unsigned long long seed, calls;
	atomic_ullong made, answered, wrong;
	atomic_int fds[FDS];	/* 0: none; whoever takes one owns it till it is put back */
} fuzz;

/**
 * struct fuzzer - a thread
 * @random: state of its numbers (splitmix64)
 * @memory: a page that can be written, one that can be read, and one that is not there
 */
struct fuzzer {
	pthread_t thread;
	__u64 random;
	char *memory;
};

static __u64 number(struct fuzzer *me)
{
	__u64 z = me->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static __u64 below(struct fuzzer *me, __u64 bound)
{
	return number(me) % bound;
}

/* True once in @n. */
static bool once_in(struct fuzzer *me, __u64 n)
{
	return !below(me, n);
}

/* A number that is likely to be the wrong side of some edge. */
static __u64 edge(struct fuzzer *me)
{
	static const __u64 edges[] = {
		0, 1, 2, 7, 8, 255, 256, 735, 736, 4095, 4096, 8192, 1 << 14, 1 << 20,
		0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 30, 1ULL << 32, 1ULL << 63, ~0ULL,
	};

	return edges[below(me, sizeof(edges) / sizeof(*edges))] + (once_in(me, 3) ? -1 : 0);
}

/* Where an argument may lie: at best in a page that is there, with the next one missing. */
static void *place(struct fuzzer *me, size_t size)
{
	switch (below(me, 16)) {
	case 0:
		return NULL;
	case 1:
		return (void *)0xffff888000000000;
	case 2:	/* half of it is missing */
		return me->memory + 2 * PAGE_BYTES - size / 2;
	case 3:	/* can be read only */
		return me->memory + PAGE_BYTES + below(me, 64);
	default:
		return me->memory + below(me, 64);
	}
}

/* What a call may say, apart from what a page of memory or a number of a file may. */
static bool is_answer(long result, int err)
{
	switch (result < 0 ? err : 0) {
	case 0: case EINVAL: case EFAULT: case EBADF: case ENOTTY: case EBUSY: case ESRCH: case ENODATA:
	case ENODEV: case EINTR: case ENOMEM: case EPERM: case EACCES: case ESPIPE: case EAGAIN:
		return true;
	default:
		return false;
	}
}

static long answered(const char *call, long result)
{
	int err = errno;

	atomic_fetch_add(&fuzz.made, 1);
	atomic_fetch_add(&fuzz.answered, result >= 0);
	if (!is_answer(result, err) && atomic_fetch_add(&fuzz.wrong, 1) < 20)
		printf("# %s says %ld: %s\n", call, result, strerror(err));
	return result;
}

static void wrong(const char *what)
{
	if (atomic_fetch_add(&fuzz.wrong, 1) < 20)
		printf("# %s\n", what);
}

/* Somebody's file; it may be closed while it is used, and its number be another's. */
static int any_fd(struct fuzzer *me)
{
	int fd = atomic_load(&fuzz.fds[below(me, FDS)]);

	return fd ? fd : -1;
}

static void keep_fd(struct fuzzer *me, int fd)
{
	int before;

	if (fd < 0)
		return;
	before = atomic_exchange(&fuzz.fds[below(me, FDS)], fd);
	if (before)
		answered("close", close(before));
}

static void fuzz_open(struct fuzzer *me)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDONLY | O_NONBLOCK, O_PATH };
	int how = flags[below(me, 5)] | O_CLOEXEC;

	keep_fd(me, answered("open", open(once_in(me, 2) ? DEVICE : SLICE_DEVICE, how)));
}

static void fuzz_close(struct fuzzer *me)
{
	int fd = atomic_exchange(&fuzz.fds[below(me, FDS)], 0);

	if (fd)
		answered("close", close(fd));
}

static void fuzz_info(struct fuzzer *me)
{
	struct schedscope_info *info = place(me, sizeof(*info));

	if ((char *)info >= me->memory && (char *)info < me->memory + PAGE_BYTES) {
		memset(info, 0, sizeof(*info));
		info->info_bytes = once_in(me, 4) ? edge(me) : sizeof(*info);
		if (once_in(me, 4))
			((char *)info)[below(me, sizeof(*info))] = number(me);
	}
	answered("info", ioctl(any_fd(me), SCHEDSCOPE_IOC_INFO, info));
}

/* Rings stay small: what a big one shows is how much memory there is. */
static void fuzz_stream(struct fuzzer *me)
{
	struct schedscope_stream *wanted = place(me, sizeof(*wanted));
	int fd;

	if ((char *)wanted >= me->memory && (char *)wanted < me->memory + PAGE_BYTES) {
		*wanted = asked(SCHEDSCOPE_STREAM_RING_MIN << below(me, 3), once_in(me, 8));
		wanted->rr_slice_ns = number(me);
		switch (below(me, 6)) {
		case 0: wanted->bytes = edge(me); break;
		case 1: wanted->flags = edge(me); break;
		case 2: wanted->ring_bytes = below(me, SCHEDSCOPE_STREAM_RING_MIN) + edge(me) / 2 * 2; break;
		case 3: wanted->reserved[below(me, 3)] = edge(me); break;
		}
		if (wanted->ring_bytes > 1 << 20 && wanted->ring_bytes <= SCHEDSCOPE_STREAM_RING_MAX)
			wanted->ring_bytes = 0;
	}
	fd = answered("stream", ioctl(any_fd(me), SCHEDSCOPE_IOC_STREAM, wanted));
	keep_fd(me, fd);
}

static void fuzz_bench(struct fuzzer *me)
{
	struct schedscope_switchbench *bench = (void *)(me->memory + below(me, 64));

	*bench = (struct schedscope_switchbench){
		.bytes = sizeof(*bench), .how = below(me, 2), .mm = below(me, 3), .lender_fd = -1,
		.switches_max = 1 + below(me, 20), .time_max_ns = 1000000 + below(me, 2000000),
	};
	bench->cpus[0] = bench->cpus[1] = below(me, 4);
	if (bench->mm == SCHEDSCOPE_SWITCHBENCH_MM_OTHER)
		bench->lender_fd = any_fd(me);
	/* One of many is let through. */
	switch (below(me, 64)) {
	case 0: break;
	case 1: bench->cpus[below(me, 2)] = edge(me) | 1 << 10; break;
	case 2: bench->reserved[below(me, 4)] = 1; break;
	case 3: bench->time_max_ns = once_in(me, 2) ? below(me, 1000000) : ~0ULL; break;
	case 4: bench->hist[below(me, SCHEDSCOPE_SWITCHBENCH_BUCKETS)] = 1; break;
	case 5: bench->switches_max = 0; break;
	case 6: bench->mm = 3 + below(me, 9); break;
	default: bench->bytes = edge(me) | 1; break;
	}
	answered("switchbench", ioctl(any_fd(me), SCHEDSCOPE_IOC_SWITCHBENCH,
				      once_in(me, 8) ? place(me, sizeof(*bench)) : bench));
}

static void fuzz_lend(struct fuzzer *me)
{
	answered("lend_mm", ioctl(any_fd(me), SCHEDSCOPE_IOC_LEND_MM, once_in(me, 4) ? edge(me) : 0));
}

/* Attaching and detaching has the kernel patched: not often. */
static void fuzz_start_stop(struct fuzzer *me)
{
	answered("start or stop", ioctl(any_fd(me), once_in(me, 2) ? SCHEDSCOPE_STREAM_IOC_START :
								     SCHEDSCOPE_STREAM_IOC_STOP));
}

static void fuzz_stream_ask(struct fuzzer *me)
{
	static const unsigned long commands[] = {
		SCHEDSCOPE_STREAM_IOC_SELECT, SCHEDSCOPE_STREAM_IOC_WALK, SCHEDSCOPE_STREAM_IOC_STATS,
	};
	unsigned long command = commands[below(me, 3)];
	__u32 *word = place(me, sizeof(*word));

	if ((char *)word >= me->memory && (char *)word < me->memory + PAGE_BYTES) {
		*word = once_in(me, 4) ? edge(me) : getpid() + below(me, THREADS + 1);
		if (command == SCHEDSCOPE_STREAM_IOC_WALK)
			*word = once_in(me, 4) ? edge(me) : SCHEDSCOPE_TASK_BEGIN << below(me, 2);
	}
	answered("ask of a stream", ioctl(any_fd(me), command, word));
}

static void fuzz_any_ioctl(struct fuzzer *me)
{
	unsigned long command = once_in(me, 2) ? number(me) :
				_IOC(below(me, 4), '#', below(me, 256), below(me, 1024));

	/* The sizes are part of the commands: that of a stream has one. */
	if (command == SCHEDSCOPE_IOC_STREAM || command == SCHEDSCOPE_IOC_SWITCHBENCH)
		return;
	answered("any ioctl", ioctl(any_fd(me), command, place(me, 1024)));
}

static void check_records(const char *from, ssize_t got)
{
	for (ssize_t at = 0; at < got;) {
		const struct schedscope_rec *rec = (const void *)(from + at);

		if (rec->size < sizeof(*rec) || rec->size % 8 || at + rec->size > got) {
			wrong("a read returns part of a record");
			return;
		}
		if (rec->kind == SCHEDSCOPE_REC_ACCOUNT && !account_adds_up((const void *)rec))
			wrong("an account does not add up");
		at += rec->size;
	}
}

static void fuzz_read(struct fuzzer *me)
{
	size_t size = once_in(me, 3) ? edge(me) : below(me, PAGE_BYTES);
	char *to = place(me, size < PAGE_BYTES ? size : PAGE_BYTES);
	ssize_t got = answered("read", read(any_fd(me), to, size));

	/* The second page can only be read: copies end at its beginning. */
	if (got > 0 && to >= me->memory && to + got <= me->memory + PAGE_BYTES)
		check_records(to, got);
}

static void fuzz_read_otherwise(struct fuzzer *me)
{
	struct pollfd waits = { .fd = any_fd(me), .events = POLLIN };

	switch (below(me, 4)) {
	case 0:
		answered("pread", pread(waits.fd, me->memory, below(me, PAGE_BYTES), below(me, 2)));
		break;
	case 1:
		answered("write", write(waits.fd, me->memory, below(me, PAGE_BYTES)));
		break;
	case 2:
		answered("poll", poll(&waits, 1, 0));
		break;
	case 3:
		keep_fd(me, answered("dup", fcntl(waits.fd, F_DUPFD_CLOEXEC, 0)));
		break;
	}
}

static void fuzz_seek(struct fuzzer *me)
{
	bool start = !once_in(me, 3);

	answered("lseek", lseek(any_fd(me), start ? 0 : edge(me), start ? SEEK_SET : below(me, 5)));
}

static void fuzz_map(struct fuzzer *me)
{
	static const int protections[] = {
		PROT_READ, PROT_READ, PROT_READ, PROT_NONE, PROT_WRITE, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_EXEC,
	};
	int protection = protections[below(me, 7)];
	size_t size = once_in(me, 3) ? below(me, 8 * PAGE_BYTES) : PAGE_BYTES;
	off_t offset = once_in(me, 4) ? below(me, 4) * PAGE_BYTES : 0;
	struct schedscope_slicepage *page = mmap(NULL, size, protection, 1 + below(me, 2), any_fd(me),
						 offset);

	answered("mmap", page == MAP_FAILED ? -1 : 0);
	if (page == MAP_FAILED)
		return;
	if (protection == PROT_READ && (page->version != SCHEDSCOPE_SLICEPAGE_VERSION || page->reserved))
		wrong("a page is none");
	if (protection & (PROT_WRITE | PROT_EXEC) || offset || size > PAGE_BYTES)
		wrong("a page can be mapped otherwise than it may");
	if (once_in(me, 2) &&
	    !answered("mprotect", mprotect(page, PAGE_BYTES, protections[below(me, 7)])) &&
	    once_in(me, 2))
		answered("madvise", madvise(page, PAGE_BYTES, MADV_DONTNEED));
	answered("munmap", munmap(page, PAGE_BYTES));
}

/* A child has all files, and a copy of all mappings, and dies with them. */
static void fuzz_fork(struct fuzzer *me)
{
	pid_t pid = answered("fork", fork());

	if (!pid)
		_exit(0);
	if (pid > 0)
		answered("waitpid", waitpid(pid, NULL, 0));
}

/* How often, of all. What makes the kernel wait, patch itself or interrupt other CPUs is rarer. */
static const struct {
	void (*call)(struct fuzzer *me);
	unsigned int weight;
} calls[] = {
	{ fuzz_open, 600 },
	{ fuzz_close, 250 },
	{ fuzz_info, 2000 },
	{ fuzz_stream, 60 },
	{ fuzz_bench, 300 },
	{ fuzz_lend, 300 },
	{ fuzz_start_stop, 20 },
	{ fuzz_stream_ask, 1800 },
	{ fuzz_any_ioctl, 2000 },
	{ fuzz_read, 1800 },
	{ fuzz_read_otherwise, 600 },
	{ fuzz_seek, 600 },
	{ fuzz_map, 400 },
	{ fuzz_fork, 1 },
};

static void *fuzz_main(void *data)
{
	struct fuzzer *me = data;
	unsigned int all = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		all += calls[i].weight;
	me->memory = mmap(NULL, 3 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	if (me->memory == MAP_FAILED || mprotect(me->memory + PAGE_BYTES, PAGE_BYTES, PROT_READ) ||
	    munmap(me->memory + 2 * PAGE_BYTES, PAGE_BYTES))
		abort();
	while (atomic_load(&fuzz.made) < fuzz.calls) {
		unsigned int at = below(me, all), i = 0;

		while (at >= calls[i].weight)
			at -= calls[i++].weight;
		calls[i].call(me);
	}
	munmap(me->memory, 2 * PAGE_BYTES);
	return NULL;
}

static unsigned long long from_environment(const char *name, unsigned long long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* That it works as ever is part of what was not broken. */
static bool streams_still(int device)
{
	int fd = stream_open(device, RING, 0);
	struct seen seen = { 0 };
	bool ok;

	if (fd < 0 || ioctl(fd, SCHEDSCOPE_STREAM_IOC_START))
		return false;
	usleep(20000);
	ok = finish(fd, &seen) && !seen.wrong && sum(seen.records) && adds_up(&seen);
	close(fd);
	return ok;
}

FIXTURE(fuzz) {
};

FIXTURE_SETUP(fuzz)
{
	if (!module_path())
		SKIP(return, "SCHEDSCOPE_MODULE does not name the module");
	ASSERT_EQ(0, module_load(""));
}

FIXTURE_TEARDOWN(fuzz)
{
}

TEST_F_TIMEOUT(fuzz, calls, TIMEOUT)
{
	struct fuzzer fuzzers[THREADS];
	unsigned long long seed;
	int device;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		abort();
	fuzz.seed = from_environment("SCHEDSCOPE_FUZZ_SEED", seed);
	fuzz.calls = from_environment("SCHEDSCOPE_FUZZ_CALLS", DEFAULT_CALLS);
	TH_LOG("SCHEDSCOPE_FUZZ_SEED=%llu SCHEDSCOPE_FUZZ_CALLS=%llu", fuzz.seed, fuzz.calls);
	for (int i = 0; i < THREADS; i++) {
		fuzzers[i].random = fuzz.seed + i;
		ASSERT_EQ(0, pthread_create(&fuzzers[i].thread, NULL, fuzz_main, &fuzzers[i]));
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(fuzzers[i].thread, NULL);
	for (int i = 0; i < FDS; i++)
		if (fuzz.fds[i])
			EXPECT_EQ(0, close(fuzz.fds[i]));
	TH_LOG("%llu calls, %llu of them with success", (unsigned long long)fuzz.made,
	       (unsigned long long)fuzz.answered);
	EXPECT_EQ(0, fuzz.wrong);
	EXPECT_LT(fuzz.calls / 10, fuzz.answered);

	device = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, device);
	EXPECT_EQ(0, ledger_info(device).slicepages);
	EXPECT_TRUE(streams_still(device));
	close(device);
	EXPECT_EQ(0, module_unload());
}

TEST_HARNESS_MAIN
