// SPDX-License-Identifier: BSD-2-Clause
// demo: something of everything for `make run`: a CPU, a disk, a pipe, a lock, a child.
#include "truth.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Two threads that want one lock for 5 ms at a time. */
static void *contend(void *arg)
{
	for (int i = 0; i < 10; i++) {
		pthread_mutex_lock(&lock);
		sleep_ns(5000000);
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

static void use_lock(void)
{
	pthread_t thread;

	must(-pthread_create(&thread, NULL, contend, NULL), "pthread_create");
	contend(NULL);
	pthread_join(thread, NULL);
}

static void use_disk(void)
{
	char path[] = "./dwell-demo.XXXXXX", block[65536] = { 1 };
	int fd = must(mkstemp(path), path);

	unlink(path);
	for (int i = 0; i < 16; i++) {
		must(write(fd, block, sizeof(block)), "write");
		must(fsync(fd), "fsync");
	}
	close(fd);
}

/* The child computes and tells through a pipe; the parent waits for both. */
static void use_child(void)
{
	unsigned long sum = 0;
	int fds[2];
	pid_t pid;

	must(pipe(fds), "pipe");
	pid = must(fork(), "fork");
	if (!pid) {
		for (volatile unsigned long i = 0; i < 60000000; i++)
			sum += i;
		must(write(fds[1], &sum, sizeof(sum)), "write");
		_exit(0);
	}
	must(read(fds[0], &sum, sizeof(sum)), "read");
	must(waitpid(pid, NULL, 0), "waitpid");
}

int main(void)
{
	use_child();
	use_disk();
	use_lock();
	return 0;
}
