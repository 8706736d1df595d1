/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine that switches, wakes, forks and exits as fast as it can.
 */
#ifndef SCHEDSCOPE_SELFTESTS_LOAD_H
#define SCHEDSCOPE_SELFTESTS_LOAD_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "support.h"

#define LOAD_PROCESSES	4

struct load {
	pid_t pids[LOAD_PROCESSES];
};

/* Threads that hand a byte round, and threads that are born and die. */
static inline void *pass_on(void *data)
{
	int *ends = data;
	char byte;

	while (read(ends[0], &byte, 1) == 1 && write(ends[1], &byte, 1) == 1)
		;
	return NULL;
}

static inline void *do_nothing(void *data)
{
	return data;
}

static inline void make_load(void)
{
	int pipes[4][2], ends[4][2];
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < 4; i++)
		if (pipe(pipes[i]))
			_exit(1);
	for (int i = 0; i < 4; i++) {
		ends[i][0] = pipes[i][0];
		ends[i][1] = pipes[(i + 1) % 4][1];
		pthread_create(&thread, NULL, pass_on, ends[i]);
	}
	/* Two bytes on the way: wakers and sleepers meet on different CPUs. */
	if (write(pipes[0][1], "ab", 2) != 2)
		_exit(1);
	for (;;) {
		pthread_create(&thread, NULL, do_nothing, NULL);
		pthread_join(thread, NULL);
	}
}

/* Before the device is opened: the processes inherit what is open. */
static inline void load_start(struct load *load)
{
	for (int i = 0; i < LOAD_PROCESSES; i++) {
		load->pids[i] = fork();
		if (!load->pids[i])
			make_load();
	}
}

static inline void load_stop(struct load *load)
{
	for (int i = 0; i < LOAD_PROCESSES; i++) {
		kill(load->pids[i], SIGKILL);
		waitpid(load->pids[i], NULL, 0);
	}
}

#endif /* SCHEDSCOPE_SELFTESTS_LOAD_H */
