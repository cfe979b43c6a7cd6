/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks_threads N HOW MS: a pool of N threads; thread i has i % 3 functions more on its stack
 * than pool_worker and pool_run. main waits for them: pthread_join, main.
 */
#include <pthread.h>
#include <stdlib.h>

#include "stacks.h"

#define THREADS_MAX 64

NOINLINE static void pool_job_c(const char *callers)
{
	stay(callers);
	stacks_sink++;
}

NOINLINE static void pool_job_b(const char *callers)
{
	pool_job_c(callers);
	stacks_sink++;
}

NOINLINE static void pool_job_a(const char *callers)
{
	pool_job_b(callers);
	stacks_sink++;
}

NOINLINE static void pool_run(long i)
{
	if (i % 3 == 0)
		pool_job_c("pool_job_c pool_run pool_worker");
	else if (i % 3 == 1)
		pool_job_b("pool_job_c pool_job_b pool_run pool_worker");
	else
		pool_job_a("pool_job_c pool_job_b pool_job_a pool_run pool_worker");
	stacks_sink++;
}

NOINLINE static void *pool_worker(void *number)
{
	pool_run((long)number);
	stacks_sink++;
	return number;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	long n;

	stay_setup(argc, argv, 2);
	n = strtol(argv[1], NULL, 10);
	if (n < 1 || n > THREADS_MAX)
		stay_usage(" 1..64");
	for (long i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, pool_worker, (void *)i))
			abort();
	for (long i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
