// SPDX-License-Identifier: BSD-2-Clause
/*
 * forks: starts processes that end at once, one after the other, and waits for each.
 * Prints the nanoseconds of one. With `v` by vfork, which copies nothing.
 *
 *	forks COUNT [v]
 */
#include <err.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

static pid_t start_one(int share)
{
	pid_t child = share ? vfork() : fork();

	if (!child)
		_exit(0);
	return child;
}

static void fork_some(long count, int share)
{
	for (long i = 0; i < count; i++) {
		pid_t child = start_one(share);

		if (child < 0 || waitpid(child, NULL, 0) != child)
			err(1, "cannot start a process");
	}
}

int main(int argc, char **argv)
{
	struct fastest fastest = { 0 };
	long part;

	if (argc < 2)
		errx(2, "usage: forks COUNT [v]");
	part = atol(argv[1]) / PARTS;
	for (int i = 0; i < PARTS; i++) {
		part_begin(&fastest);
		fork_some(part, argc > 2);
		part_end(&fastest);
	}
	print_each(&fastest, (double)part);
	return 0;
}
