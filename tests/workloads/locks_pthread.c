// SPDX-License-Identifier: BSD-2-Clause
/*
 * Threads that wait for glibc's objects. Who holds one sleeps meanwhile, so that the others
 * are sure to wait for it in the kernel: `waits` is how many waits there are at least, and
 * blocked_ns what the waiters themselves measured.
 */
#include "locks.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#include "truth.h"

#define MAX_THREADS 64
#define HOLD_NS 2000000

/* Not static: their names are what the tests look for. */
extern pthread_mutex_t counter_lock;
extern pthread_cond_t work_ready;
extern sem_t work_count;
extern pthread_rwlock_t table_lock;
extern pthread_barrier_t phase_end;
pthread_mutex_t counter_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t work_ready = PTHREAD_COND_INITIALIZER;
pthread_rwlock_t table_lock = PTHREAD_RWLOCK_INITIALIZER;
pthread_barrier_t phase_end;
sem_t work_count;

static pthread_mutex_t *the_lock = &counter_lock;
static long threads, rounds, counter, turn;
static struct waits truths[MAX_THREADS];
static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;

/* Runs `body` in all threads, which are numbered from 0, and says what they waited. */
static void run_threads(void *(*body)(void *))
{
	uint64_t blocked = 0, blocks = 0;
	pthread_t ids[MAX_THREADS];

	for (long i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, body, &truths[i]))
			die("pthread_create");
	for (long i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	for (long i = 0; i < threads; i++) {
		blocked += truths[i].blocked_ns;
		blocks += truths[i].blocks;
	}
	say_u64("blocked_ns", blocked);
	say_u64("blocks", blocks);
	say_u64("threads", (uint64_t)threads);
}

static void sizes(int argc, char **argv)
{
	threads = arg_long(argc, argv, 1, 4);
	rounds = arg_long(argc, argv, 2, 10);
	if (threads > MAX_THREADS)
		threads = MAX_THREADS;
}

static void *lock_body(void *arg)
{
	struct span s;

	for (long i = 0; i < rounds; i++) {
		span_begin(&s);
		pthread_mutex_lock(the_lock);
		span_end(&s);
		waits_add(arg, &s);
		counter++;
		sleep_ns(HOLD_NS);
		pthread_mutex_unlock(the_lock);
	}
	return NULL;
}

static void contend(pthread_mutex_t *lock)
{
	the_lock = lock;
	say("address", "%p", (void *)lock);
	run_threads(lock_body);
	say_u64("acquired", (uint64_t)counter);
}

void mutex(int argc, char **argv)
{
	sizes(argc, argv);
	contend(&counter_lock);
}

void heap_mutex(int argc, char **argv)
{
	pthread_mutex_t *lock = malloc(sizeof(*lock));

	sizes(argc, argv);
	pthread_mutex_init(lock, NULL);
	contend(lock);
	free(lock);
}

void stack_mutex(int argc, char **argv)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	sizes(argc, argv);
	contend(&lock);
}

/* The first thread gives, the others take: each taking waits. */
static void *condition_body(void *arg)
{
	bool giver = arg == truths;

	for (long i = 0; i < rounds; i++) {
		if (giver)
			sleep_ns(HOLD_NS);
		pthread_mutex_lock(&turn_lock);
		if (giver) {
			turn++;
			pthread_cond_broadcast(&work_ready);
		}
		while (!giver && turn <= i)
			pthread_cond_wait(&work_ready, &turn_lock);
		pthread_mutex_unlock(&turn_lock);
	}
	return NULL;
}

void condition(int argc, char **argv)
{
	sizes(argc, argv);
	run_threads(condition_body);
}

static void *semaphore_body(void *arg)
{
	bool giver = arg == truths;

	for (long i = 0; i < rounds; i++) {
		if (!giver) {
			sem_wait(&work_count);
			continue;
		}
		sleep_ns(HOLD_NS);
		for (long k = 1; k < threads; k++)
			sem_post(&work_count);
	}
	return NULL;
}

void semaphore(int argc, char **argv)
{
	sizes(argc, argv);
	sem_init(&work_count, 0, 0);
	say("address", "%p", (void *)&work_count);
	run_threads(semaphore_body);
}

static void *rwlock_body(void *arg)
{
	for (long i = 0; i < rounds; i++) {
		if (arg == truths)
			pthread_rwlock_wrlock(&table_lock);
		else
			pthread_rwlock_rdlock(&table_lock);
		sleep_ns(HOLD_NS);
		pthread_rwlock_unlock(&table_lock);
	}
	return NULL;
}

void rwlock(int argc, char **argv)
{
	sizes(argc, argv);
	run_threads(rwlock_body);
}

static void *barrier_body(void *arg)
{
	for (long i = 0; i < rounds; i++) {
		if (arg == truths) /* all others wait for it */
			sleep_ns(HOLD_NS);
		pthread_barrier_wait(&phase_end);
	}
	return NULL;
}

void barrier(int argc, char **argv)
{
	sizes(argc, argv);
	pthread_barrier_init(&phase_end, NULL, (unsigned int)threads);
	run_threads(barrier_body);
	say_u64("waits", (uint64_t)((threads - 1) * rounds));
}
