// SPDX-License-Identifier: BSD-2-Clause
/*
 * Prints how many kHz this CPU's time stamp counter has. An emulated guest reads the same counter
 * and cannot measure it when its CPU is taken away meanwhile: its time is then a multiple of ours.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct reading {
	uint64_t ticks, ns, apart;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Both clocks at one moment: of many readings the one that took least. */
static struct reading reading(void)
{
	struct reading best = { .apart = UINT64_MAX };

	for (int i = 0; i < 1000; i++) {
		uint64_t before = __rdtsc(), ns = now_ns(), after = __rdtsc();

		if (after - before < best.apart)
			best = (struct reading){ before, ns, after - before };
	}
	return best;
}

int main(void)
{
	struct timespec pause = { .tv_nsec = 200000000 };
	struct reading from = reading(), to;

	nanosleep(&pause, NULL);
	to = reading();
	printf("%.0f\n", (double)(to.ticks - from.ticks) * 1e6 / (double)(to.ns - from.ns));
	return 0;
}
