/* SPDX-License-Identifier: BSD-2-Clause */
/* See table_read.h. src/unwind keeps nothing beside the table, and sets no error text. */
#include "table_read.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGE (1 << 20) /* bytes; smaller ones take less than 2 ms */
#define TURN_US 2000

struct job {
	struct eh_table *table;
	int fd, err;
	bool done;
	struct sched_param priority;
	int policy;
};

static void *work(void *arg)
{
	struct job *job = arg;

	/* not what a thread inherits, as the priority is not for the command */
	sched_setscheduler(0, job->policy | SCHED_RESET_ON_FORK, &job->priority);
	job->err = eh_table_read(job->table, job->fd);
	__atomic_store_n(&job->done, true, __ATOMIC_RELEASE);
	return NULL;
}

int table_read(struct eh_table *t, int fd, void (*meanwhile)(void *ctx), void *ctx)
{
	struct job job = { .table = t, .fd = fd };
	pthread_t thread;
	struct stat st;

	job.policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
	if (fstat(fd, &st) || st.st_size < LARGE || job.policy < 0 ||
	    sched_getparam(0, &job.priority) || pthread_create(&thread, NULL, work, &job))
		return eh_table_read(t, fd);
	while (!__atomic_load_n(&job.done, __ATOMIC_ACQUIRE)) {
		meanwhile(ctx);
		usleep(TURN_US);
	}
	pthread_join(thread, NULL);
	return job.err;
}
