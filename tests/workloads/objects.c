// SPDX-License-Identifier: BSD-2-Clause
// objects N: the leader waits once on each of N pipes, and each is written by a thread of
// its own: N objects and N wakers of one sleeper. Says each pipe's inode and blocked time.
#include "truth.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile long turn = -1;

struct writer {
	pthread_t thread;
	long number;
	int fd[2];
	pid_t tid;
	uint64_t blocked_ns;
};

/* Writes 2 ms after the leader has come to wait; the polling keeps it out of its waits. */
static void *write_in_turn(void *arg)
{
	struct writer *w = arg;

	w->tid = tid_self();
	while (turn < w->number)
		sleep_ns(500000);
	await_state(getpid(), 'S');
	sleep_ns(2000000);
	must(write(w->fd[1], "x", 1), "write");
	return NULL;
}

static void say_writer(const struct writer *w)
{
	struct stat st;

	must(fstat(w->fd[0], &st), "fstat");
	say_of("object", w->number, "inode", st.st_ino);
	say_of("object", w->number, "blocked_ns", w->blocked_ns);
	say_of("object", w->number, "waker", (uint64_t)w->tid);
}

int main(int argc, char **argv)
{
	long n = arg_long(argc, argv, 1, 12);
	struct writer *all = calloc((size_t)n, sizeof(*all));
	struct span s;
	char c;

	for (long i = 0; i < n; i++) {
		all[i].number = i;
		must(pipe(all[i].fd), "pipe");
		if (pthread_create(&all[i].thread, NULL, write_in_turn, &all[i]))
			die("pthread_create");
	}
	for (long i = 0; i < n; i++) {
		span_begin(&s);
		turn = i;
		must(read(all[i].fd[0], &c, 1), "read");
		span_end(&s);
		all[i].blocked_ns = span_blocked_ns(&s);
	}
	for (long i = 0; i < n; i++)
		pthread_join(all[i].thread, NULL);
	say_u64("pid", (uint64_t)getpid());
	say_u64("objects", (uint64_t)n);
	for (long i = 0; i < n; i++)
		say_writer(&all[i]);
	return 0;
}
