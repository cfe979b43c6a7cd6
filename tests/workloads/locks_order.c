// SPDX-License-Identifier: BSD-2-Clause
/*
 * Threads that hold a lock and want another: a real deadlock (which never ends by itself),
 * a lock taken twice, a wait that only looks like one, and both orders without harm; and
 * threads that want the lock of one directory inside the kernel.
 */
#include "locks.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "truth.h"

#define MAX_RING 16

extern pthread_mutex_t first_lock, second_lock, ring_locks[MAX_RING];
pthread_mutex_t first_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t second_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t ring_locks[MAX_RING];

static long members;
static pthread_barrier_t all_hold;

/* Holds its own lock, and when all do wants the next one's. */
static void *ring_body(void *arg)
{
	long i = (pthread_mutex_t *)arg - ring_locks;

	say_of("ring", i, "tid", (uint64_t)tid_self());
	pthread_mutex_lock(&ring_locks[i]);
	pthread_barrier_wait(&all_hold);
	pthread_mutex_lock(&ring_locks[(i + 1) % members]);
	return NULL;
}

void deadlock(int argc, char **argv)
{
	pthread_t id;

	members = arg_long(argc, argv, 1, 2);
	if (members > MAX_RING)
		members = MAX_RING;
	pthread_barrier_init(&all_hold, NULL, (unsigned int)members + 1);
	for (long i = 0; i < members; i++) {
		pthread_mutex_init(&ring_locks[i], NULL);
		if (pthread_create(&id, NULL, ring_body, &ring_locks[i]))
			die("pthread_create");
	}
	pthread_barrier_wait(&all_hold);
	sleep_ns(100000000); /* now all wait */
	say_u64("ready", 1);
	pthread_join(id, NULL);
}

void relock(int argc, char **argv)
{
	say_u64("ready", 1);
	pthread_mutex_lock(&first_lock);
	pthread_mutex_lock(&first_lock);
}

static void *slow_body(void *arg)
{
	pthread_mutex_lock(&first_lock);
	return NULL;
}

/* One waits for a lock whose owner only sleeps. */
void slow(int argc, char **argv)
{
	pthread_t id;

	pthread_mutex_lock(&first_lock);
	if (pthread_create(&id, NULL, slow_body, NULL))
		die("pthread_create");
	sleep_ns(50000000);
	say_u64("ready", 1);
	sleep_ns((uint64_t)arg_long(argc, argv, 1, 3) * 1000000000);
	pthread_mutex_unlock(&first_lock);
	pthread_join(id, NULL);
}

static void take(pthread_mutex_t *outer, pthread_mutex_t *inner, long n)
{
	for (long i = 0; i < n; i++) {
		pthread_mutex_lock(outer);
		pthread_mutex_lock(inner);
		pthread_mutex_unlock(inner);
		pthread_mutex_unlock(outer);
	}
}

void both_orders(int argc, char **argv)
{
	take(&first_lock, &second_lock, arg_long(argc, argv, 1, 3));
	take(&second_lock, &first_lock, arg_long(argc, argv, 2, 2));
}

void one_order(int argc, char **argv)
{
	take(&first_lock, &second_lock, arg_long(argc, argv, 1, 3));
	pthread_mutex_lock(&second_lock); /* not while the first is held */
	pthread_mutex_unlock(&second_lock);
	if (pthread_mutex_trylock(&second_lock) == 0) {
		pthread_mutex_trylock(&first_lock); /* a try cannot wait for ever */
		pthread_mutex_unlock(&first_lock);
		pthread_mutex_unlock(&second_lock);
	}
}

/* ---- inside the kernel ---- */

static char directory_path[128];
static long renames;

static void *rename_body(void *arg)
{
	long which = (long)(intptr_t)arg;
	char here[192], there[192];

	snprintf(here, sizeof(here), "%s/%ld", directory_path, which);
	snprintf(there, sizeof(there), "%s/%ld.other", directory_path, which);
	close((int)must(open(here, O_CREAT | O_WRONLY | O_CLOEXEC, 0600), here));
	for (long i = 0; i < renames; i++)
		must(rename(i & 1 ? there : here, i & 1 ? here : there), "rename");
	unlink(renames & 1 ? there : here);
	return NULL;
}

void directory(int argc, char **argv)
{
	long n = arg_long(argc, argv, 1, 4);
	pthread_t ids[MAX_RING];

	renames = arg_long(argc, argv, 2, 20000);
	snprintf(directory_path, sizeof(directory_path), "/dev/shm/dwell-locks-%d", getpid());
	must(mkdir(directory_path, 0700), directory_path);
	for (long i = 0; i < n && i < MAX_RING; i++)
		if (pthread_create(&ids[i], NULL, rename_body, (void *)(intptr_t)i))
			die("pthread_create");
	for (long i = 0; i < n && i < MAX_RING; i++)
		pthread_join(ids[i], NULL);
	must(rmdir(directory_path), directory_path);
	say_u64("renames", (uint64_t)(n * renames));
}
