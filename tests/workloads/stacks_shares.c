/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions that share a program's time, and say who had how much:
 *
 *   stacks_shares naps N LONG_US SHORT_US   N sleeps in nap_long and N in nap_short, in turn
 *   stacks_shares burns MS                  burn_two has twice the CPU time of burn_one
 *   stacks_shares alpha|beta MS             sleeps and burns in alpha_*, or beta_*, alone
 *   stacks_shares pool N MS                 N threads, each waits in pool_a or pool_b for main
 *   stacks_shares blocks N                  N reads of a pipe that another thread writes to
 *   stacks_shares hang MS                   sleeps in hang_b, called by hang_a, to be looked at
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stacks.h"
#include "truth.h"

#define THREADS_MAX 64

volatile long stacks_sink;

/* A call in the middle is a call: its caller stays on the stack. */
#define LEAF(name)                                                                                 \
	NOINLINE void name(uint64_t ns);                                                           \
	NOINLINE void name(uint64_t ns)                                                            \
	{                                                                                          \
		struct timespec t = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };        \
                                                                                                   \
		clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);                                     \
		stacks_sink++;                                                                     \
	}

LEAF(nap_long)
LEAF(nap_short)
LEAF(alpha_nap)
LEAF(beta_nap)
LEAF(hang_b)

#define BURN(name)                                                                                 \
	NOINLINE void name(uint64_t ns);                                                           \
	NOINLINE void name(uint64_t ns)                                                            \
	{                                                                                          \
		uint64_t end = cpu_ns() + ns;                                                      \
                                                                                                   \
		while (cpu_ns() < end)                                                             \
			for (int i = 0; i < 2000; i++)                                             \
				stacks_sink++;                                                     \
		stacks_sink++;                                                                     \
	}

BURN(burn_one)
BURN(burn_two)
BURN(alpha_burn)
BURN(beta_burn)

static uint64_t napped(void (*nap)(uint64_t), uint64_t us)
{
	struct span s;

	span_begin(&s);
	nap(us * 1000);
	span_end(&s);
	return span_blocked_ns(&s);
}

static void naps(long n, long long_us, long short_us)
{
	uint64_t long_ns = 0, short_ns = 0;

	for (long i = 0; i < n; i++) {
		long_ns += napped(nap_long, (uint64_t)long_us);
		short_ns += napped(nap_short, (uint64_t)short_us);
	}
	say_u64("long_ns", long_ns);
	say_u64("short_ns", short_ns);
}

/* In turns that have nothing to do with the sampler's period. */
static void burns(uint64_t ms)
{
	uint64_t end = cpu_ns() + ms * 1000000, one = 0, two = 0, from;

	for (uint64_t turn = 0; cpu_ns() < end; turn++) {
		uint64_t unit = 700000 + turn * 7919 % 600000;

		from = cpu_ns();
		burn_one(unit);
		one += cpu_ns() - from;
		from = cpu_ns();
		burn_two(2 * unit);
		two += cpu_ns() - from;
	}
	say_u64("one_ns", one);
	say_u64("two_ns", two);
}

NOINLINE void alpha(uint64_t end);
NOINLINE void alpha(uint64_t end)
{
	while (now_ns() < end) {
		alpha_nap(2000000);
		alpha_burn(2000000);
	}
	stacks_sink++;
}

NOINLINE void beta(uint64_t end);
NOINLINE void beta(uint64_t end)
{
	while (now_ns() < end) {
		beta_nap(2000000);
		beta_burn(2000000);
	}
	stacks_sink++;
}

static pthread_barrier_t barrier;

NOINLINE void pool_a(void);
NOINLINE void pool_a(void)
{
	pthread_barrier_wait(&barrier);
	stacks_sink++;
}

NOINLINE void pool_b(void);
NOINLINE void pool_b(void)
{
	pthread_barrier_wait(&barrier);
	stacks_sink++;
}

static void *pool_worker(void *arg)
{
	if ((long)arg & 1)
		pool_b();
	else
		pool_a();
	stacks_sink++;
	return NULL;
}

static void pool(long n, uint64_t ms)
{
	pthread_t threads[THREADS_MAX];

	if (n < 1 || n > THREADS_MAX)
		exit(2);
	must(-pthread_barrier_init(&barrier, NULL, (unsigned)n + 1), "pthread_barrier_init");
	for (long i = 0; i < n; i++)
		must(-pthread_create(&threads[i], NULL, pool_worker, (void *)i), "pthread_create");
	sleep_ns(ms * 1000000);
	pthread_barrier_wait(&barrier);
	for (long i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

static int ends[2];

static void *writer(void *arg)
{
	for (long i = 0; i < (long)arg; i++) {
		sleep_ns(100000);
		must(write(ends[1], "x", 1), "write");
	}
	return NULL;
}

NOINLINE void block_here(void);
NOINLINE void block_here(void)
{
	char c;

	must(read(ends[0], &c, 1), "read");
	stacks_sink++;
}

static void blocks(long n)
{
	pthread_t thread;

	must(pipe(ends), "pipe");
	must(-pthread_create(&thread, NULL, writer, (void *)n), "pthread_create");
	for (long i = 0; i < n; i++)
		block_here();
	pthread_join(thread, NULL);
}

NOINLINE void hang_a(uint64_t ns);
NOINLINE void hang_a(uint64_t ns)
{
	hang_b(ns);
	stacks_sink++;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint64_t ms = (uint64_t)arg_long(argc, argv, 2, 1000);

	say_u64("pid", (uint64_t)getpid());
	if (!strcmp(what, "naps"))
		naps(arg_long(argc, argv, 2, 100), arg_long(argc, argv, 3, 10000),
		     arg_long(argc, argv, 4, 5000));
	else if (!strcmp(what, "burns"))
		burns(ms);
	else if (!strcmp(what, "alpha"))
		alpha(now_ns() + ms * 1000000);
	else if (!strcmp(what, "beta"))
		beta(now_ns() + ms * 1000000);
	else if (!strcmp(what, "pool"))
		pool(arg_long(argc, argv, 2, 4), (uint64_t)arg_long(argc, argv, 3, 300));
	else if (!strcmp(what, "blocks"))
		blocks(arg_long(argc, argv, 2, 100));
	else if (!strcmp(what, "hang"))
		hang_a(ms * 1000000);
	else
		return 2;
	return 0;
}
