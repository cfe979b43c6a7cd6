// SPDX-License-Identifier: BSD-2-Clause
/*
 * klock FILE ROUNDS: waits for a lock inside the kernel. One process holds FILE's inode
 * lock during a long write, another wants it; both on one CPU, so that the second cannot
 * spin for it and has to sleep. FILE should be on tmpfs: nothing else to wait for.
 */
#include "truth.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BULK ((size_t)64 << 20)

static struct waits truth;

struct shared {
	volatile bool holding, end;
};

/* Writes over and over until it is ended; each write holds the lock for milliseconds. */
static void hold(int fd, struct shared *shared)
{
	char *bulk = malloc(BULK);

	memset(bulk, 'k', BULK);
	while (!shared->end) {
		if (pwrite(fd, bulk, BULK, 0) != (ssize_t)BULK)
			die("pwrite");
		shared->holding = true; /* but for the moment between two writes */
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/dev/shm/klock.data";
	long rounds = arg_long(argc, argv, 2, 10);
	int fd = (int)must(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), path);
	struct shared *shared =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct span s;
	pid_t holder;

	pin_to_cpu(0);
	holder = (pid_t)must(fork(), "fork");
	if (!holder)
		hold(fd, shared);
	while (!shared->holding)
		sleep_ns(1000000);
	for (long i = 0; i < rounds; i++) {
		sleep_ns(5000000); /* lets the holder take it again */
		span_begin(&s);
		if (pwrite(fd, "w", 1, 0) != 1)
			die("pwrite");
		span_end(&s);
		waits_add(&truth, &s);
	}
	shared->end = true;
	waitpid(holder, NULL, 0);
	say_u64("pid", (uint64_t)getpid());
	waits_print(&truth, "");
	unlink(path);
	return 0;
}
