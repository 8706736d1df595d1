// SPDX-License-Identifier: GPL-2.0-only
/*
 * Are the clocks of this machine fit to put events of several CPUs on one timeline? On each CPU, all at the same time, reads the TSC
 * and CLOCK_MONOTONIC as pairs for some seconds, and says per CPU at what rate the TSC ran and how far it strayed from a
 * straight line. Between CPUs, counts how often the TSC went back.
 *
 * usage: clocks [SECONDS]; exit status 0 when every CPU's TSC has the same rate and the same origin within the limits below
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define MAX_CPUS 64
#define SAMPLES_PER_S 100
#define MAX_SECONDS 60

struct pair {
	uint64_t tsc;
	int64_t ns;
};

struct track {
	pthread_t thread;
	int cpu, count;
	uint64_t backward;
	struct pair pairs[MAX_SECONDS * SAMPLES_PER_S];
	double khz, stray_ns, offset_ns;
};

static struct track tracks[MAX_CPUS];
static _Atomic uint64_t newest;
static int seconds = 5;

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The tightest of many tries: an interrupt between the two readings shows as a wide one. */
static struct pair read_pair(void)
{
	struct pair best = { 0, 0 };
	uint64_t width = UINT64_MAX;

	for (int i = 0; i < 50; i++) {
		uint64_t before = __rdtsc();
		int64_t ns = now_ns();
		uint64_t after = __rdtsc();

		if (after - before >= width)
			continue;
		width = after - before;
		best.tsc = before + width / 2;
		best.ns = ns;
	}
	return best;
}

/* Nobody may read less than what another CPU read, and published, before. */
static void look_for_warps(struct track *track)
{
	for (int i = 0; i < 2000; i++) {
		uint64_t seen = atomic_load(&newest), mine;

		_mm_lfence();
		mine = __rdtsc();
		if (mine < seen)
			track->backward++;
		while (mine > seen && !atomic_compare_exchange_weak(&newest, &seen, mine))
			;
	}
}

static void *watch(void *argument)
{
	struct track *track = argument;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(track->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	while (track->count < seconds * SAMPLES_PER_S) {
		track->pairs[track->count++] = read_pair();
		look_for_warps(track);
		usleep(1000000 / SAMPLES_PER_S);
	}
	return NULL;
}

/* Least squares of ns over TSC, both from the very first pair of CPU 0, so that offsets compare. */
static void fit(struct track *track)
{
	double sx = 0, sy = 0, sxx = 0, sxy = 0, n = track->count, slope, base;

	for (int i = 0; i < track->count; i++) {
		double x = (int64_t)(track->pairs[i].tsc - tracks[0].pairs[0].tsc);
		double y = track->pairs[i].ns - tracks[0].pairs[0].ns;

		sx += x;
		sy += y;
		sxx += x * x;
		sxy += x * y;
	}
	slope = (n * sxy - sx * sy) / (n * sxx - sx * sx);
	base = (sy - slope * sx) / n;
	track->khz = 1e6 / slope;
	track->offset_ns = base;
	for (int i = 0; i < track->count; i++) {
		double x = (int64_t)(track->pairs[i].tsc - tracks[0].pairs[0].tsc);
		double stray = track->pairs[i].ns - tracks[0].pairs[0].ns - (base + slope * x);

		stray = stray < 0 ? -stray : stray;
		track->stray_ns = stray > track->stray_ns ? stray : track->stray_ns;
	}
}

int main(int argc, char **argv)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN), bad = 0;

	seconds = argc > 1 ? atoi(argv[1]) : seconds;
	if (seconds < 1 || seconds > MAX_SECONDS || cpus > MAX_CPUS)
		return 2;
	for (int i = 0; i < cpus; i++) {
		tracks[i].cpu = i;
		pthread_create(&tracks[i].thread, NULL, watch, &tracks[i]);
	}
	for (int i = 0; i < cpus; i++)
		pthread_join(tracks[i].thread, NULL);
	for (int i = 0; i < cpus; i++) {
		struct track *track = &tracks[i];
		double ppm;

		fit(track);
		ppm = (track->khz / tracks[0].khz - 1) * 1e6;
		printf("cpu %d: %.3f kHz, %+.3f ppm and %+.0f ns from cpu 0, strays %.0f ns, back %llu times\n", i, track->khz,
		       ppm, track->offset_ns - tracks[0].offset_ns, track->stray_ns, (unsigned long long)track->backward);
		bad |= ppm > 1 || ppm < -1 || track->backward || track->stray_ns > 50000;
	}
	return bad;
}
