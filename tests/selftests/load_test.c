// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must hold whatever the machine does: read while threads switch, wake,
 * fork and exit as fast as they can.
 */
#include "load.h"

#include "kselftest_harness.h"

#define TIMEOUT 240

FIXTURE(load) {
	int fd;
	struct load load;
};

FIXTURE_SETUP(load)
{
	self->fd = -1;
	if (!module_path())
		SKIP(return, "SCHEDSCOPE_MODULE does not name the module");
	load_start(&self->load);
	ASSERT_EQ(0, module_load(""));
	self->fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(load)
{
	if (self->fd < 0)
		return;
	load_stop(&self->load);
	close(self->fd);
	EXPECT_EQ(0, module_unload());
}

static int by_identity(const void *left, const void *right)
{
	const struct schedscope_account *a = left, *b = right;

	if (a->tid != b->tid)
		return a->tid < b->tid ? -1 : 1;
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	return a->since_ns < b->since_ns ? -1 : a->since_ns > b->since_ns;
}

static __u64 hist_sum(const __u32 *hist)
{
	__u64 sum = 0;

	for (int i = 0; i < SCHEDSCOPE_HIST_BUCKETS; i++)
		sum += hist[i];
	return sum;
}

static bool account_is_sane(const struct schedscope_account *account)
{
	/* A slice that had begun before the ledger did has no length. */
	__u64 unseen = account->slices - hist_sum(account->slice_hist);

	return account_adds_up(account) && unseen <= 1 && account->tid && account->pid &&
	       account->state <= SCHEDSCOPE_STATE_EXITED &&
	       account->rec.kind == SCHEDSCOPE_REC_ACCOUNT &&
	       account->rec.size == sizeof(*account) && account->comm[SCHEDSCOPE_COMM_LEN - 1] == 0;
}

/*
 * Of one thread at two readings. unknown_ns may shrink: a wakeup that met the
 * thread on its way into a sleep leaves the sleep in doubt until it is over.
 */
static bool account_went_on(const struct schedscope_account *then,
			    const struct schedscope_account *now)
{
	return now->rec.time_ns >= then->rec.time_ns && now->run_ns >= then->run_ns &&
	       now->wait_ns >= then->wait_ns && now->sleep_ns >= then->sleep_ns &&
	       now->block_ns >= then->block_ns && now->slices >= then->slices &&
	       now->wakeups >= then->wakeups && now->migrations >= then->migrations &&
	       (now->switches >= then->switches);
}

static void account_print(const char *what, const struct schedscope_account *account)
{
	printf("# %s: %.16s %u state %u at %llu from %llu: %llu %llu %llu %llu %llu, %llu slices\n",
	       what, account->comm, account->tid, account->state, account->rec.time_ns,
	       account->since_ns, account->run_ns, account->wait_ns, account->sleep_ns,
	       account->block_ns, account->unknown_ns, account->slices);
}

/* Reads it all @rounds times; the number of accounts that were wrong. */
static size_t read_and_check(int fd, int rounds, size_t *read_total)
{
	struct accounts now = { 0 }, then = { 0 };
	size_t wrong = 0;

	for (int round = 0; round < rounds; round++) {
		size_t j = 0;

		if (!accounts_read(fd, &now))
			return -1;
		qsort(now.all, now.count, sizeof(*now.all), by_identity);
		for (size_t i = 0; i < now.count; i++) {
			const struct schedscope_account *account = &now.all[i];

			if (!account_is_sane(account) ||
			    (i && !by_identity(account - 1, account))) {
				account_print("wrong", account);
				wrong++;
			}
			while (j < then.count && by_identity(&then.all[j], account) < 0)
				j++;
			if (j < then.count && !by_identity(&then.all[j], account) &&
			    !account_went_on(&then.all[j], account)) {
				account_print("then", &then.all[j]);
				account_print("now", account);
				wrong++;
			}
		}
		*read_total += now.count;
		accounts_free(&then);
		then = now;
		now = (struct accounts){ 0 };
	}
	accounts_free(&then);
	return wrong;
}

TEST_F_TIMEOUT(load, accounts_add_up, TIMEOUT)
{
	struct schedscope_info before = ledger_info(self->fd), after;
	size_t total = 0;

	EXPECT_EQ(0, read_and_check(self->fd, 60, &total));
	after = ledger_info(self->fd);
	TH_LOG("%zu accounts read, %llu switches, %llu threads born meanwhile", total,
	       (unsigned long long)(after.switches - before.switches),
	       (unsigned long long)(after.exited + after.exited_dropped - before.exited -
				    before.exited_dropped));
	EXPECT_LT(1000, total);
	EXPECT_LT(1000, after.switches - before.switches);
	EXPECT_EQ(0, after.threads_missed);
}

struct second_reader {
	int fd;
	size_t wrong, total;
};

static void *second_reader(void *data)
{
	struct second_reader *reader = data;

	reader->wrong = read_and_check(reader->fd, 30, &reader->total);
	return NULL;
}

TEST_F_TIMEOUT(load, readers_do_not_disturb_each_other, TIMEOUT)
{
	struct second_reader reader = { .fd = open(DEVICE, O_RDONLY | O_CLOEXEC) };
	pthread_t thread;
	size_t total = 0;

	ASSERT_LE(0, reader.fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, second_reader, &reader));
	EXPECT_EQ(0, read_and_check(self->fd, 30, &total));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, reader.wrong);
	EXPECT_LT(1000, reader.total);
	close(reader.fd);
}

static void work_not(struct worker *worker)
{
}

/* All threads that are there at both ends of a reading are in it, and once. */
TEST_F_TIMEOUT(load, no_thread_is_left_out, TIMEOUT)
{
	enum { THREADS = 50 };
	struct worker workers[THREADS] = { 0 };
	struct accounts accounts = { 0 };

	for (int i = 0; i < THREADS; i++) {
		workers[i].cpu = -1;
		workers[i].work = work_not;
		ASSERT_TRUE(worker_start(&workers[i]));
	}
	for (int round = 0; round < 20; round++) {
		ASSERT_TRUE(accounts_read(self->fd, &accounts));
		for (int i = 0; i < THREADS; i++) {
			unsigned int found = 0;

			for (size_t j = 0; j < accounts.count; j++)
				found += accounts.all[j].tid == (__u32)workers[i].tid &&
					 account_alive(&accounts.all[j]);
			EXPECT_EQ(1, found);
		}
	}
	for (int i = 0; i < THREADS; i++) {
		worker_work(&workers[i]);
		worker_end(&workers[i]);
	}
	accounts_free(&accounts);
}

TEST_HARNESS_MAIN
