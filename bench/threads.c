// SPDX-License-Identifier: BSD-2-Clause
/*
 * threads: COUNT threads that live at the same time for SECONDS, all asleep. Prints how
 * many there were.
 *
 *	threads COUNT SECONDS
 */
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_barrier_t all;

static void *wait_for_all(void *unused)
{
	pthread_barrier_wait(&all);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_attr_t attr;
	pthread_t thread;
	int count;

	if (argc != 3)
		errx(2, "usage: threads COUNT SECONDS");
	count = atoi(argv[1]);
	pthread_barrier_init(&all, NULL, (unsigned int)count + 1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < count; i++) {
		int no = pthread_create(&thread, &attr, wait_for_all, NULL);

		if (no)
			errx(1, "thread %d: %s", i, strerror(no));
	}
	printf("%d\n", count);
	fflush(stdout);
	usleep((useconds_t)(atof(argv[2]) * 1e6));
	pthread_barrier_wait(&all);
	pthread_exit(NULL); /* the process ends with its last thread */
}
