// SPDX-License-Identifier: BSD-2-Clause
/*
 * threads: COUNT threads that live at once and end at once.
 *
 *	threads COUNT
 */
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_barrier_t all;

static void *wait_for_all(void *arg)
{
	pthread_barrier_wait(&all);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_attr_t attr;
	pthread_t thread;
	long count;

	if (argc != 2)
		errx(2, "usage: threads COUNT");
	count = atol(argv[1]);
	pthread_barrier_init(&all, NULL, (unsigned)count + 1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 32768);
	for (long i = 0; i < count; i++)
		if ((errno = pthread_create(&thread, &attr, wait_for_all, NULL)))
			err(1, "pthread_create");
	sleep(1);
	pthread_barrier_wait(&all);
	usleep(300000);
	return 0;
}
