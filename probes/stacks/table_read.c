/* SPDX-License-Identifier: BSD-2-Clause */
/* See table_read.h. src/unwind keeps nothing beside the table, and sets no error text. */
#include "table_read.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL (64 << 10) /* bytes: read in less time than a thread takes to start */
#define NOTHING_US 100   /* a record that is being written is all that there is */

struct job {
	struct eh_table *table;
	int fd, err, done; /* done: becomes readable */
	struct sched_param priority;
	int policy;
};

static void *work(void *arg)
{
	struct job *job = arg;

	/* not what a thread inherits, as the priority is not for the command */
	sched_setscheduler(0, job->policy | SCHED_RESET_ON_FORK, &job->priority);
	job->err = eh_table_read(job->table, job->fd);
	eventfd_write(job->done, 1); /* cannot fail: its count is 0 */
	return NULL;
}

/* Returns when the job is done. */
static void meanwhile(const struct job *job, const struct table_meanwhile *m)
{
	struct pollfd fds[2] = { { .fd = job->done, .events = POLLIN },
				 { .fd = m->fd, .events = POLLIN } };

	while (poll(fds, 2, -1) < 0 || !fds[0].revents)
		if (fds[1].revents && !m->take(m->ctx))
			usleep(NOTHING_US);
}

int table_read(struct eh_table *t, int fd, const struct table_meanwhile *m)
{
	struct job job = { .table = t, .fd = fd, .done = -1 };
	pthread_t thread;
	struct stat st;
	bool started;

	job.policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
	if (job.policy >= 0 && !sched_getparam(0, &job.priority) && !fstat(fd, &st) &&
	    st.st_size >= SMALL)
		job.done = eventfd(0, EFD_CLOEXEC);
	started = job.done >= 0 && !pthread_create(&thread, NULL, work, &job);
	if (started) {
		meanwhile(&job, m);
		pthread_join(thread, NULL);
	}
	if (job.done >= 0)
		close(job.done);
	return started ? job.err : eh_table_read(t, fd);
}
