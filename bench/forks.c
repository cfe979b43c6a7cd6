// SPDX-License-Identifier: BSD-2-Clause
/*
 * forks: short processes, one after the other. Prints the nanoseconds of one.
 *
 *	forks COUNT
 */
#include <err.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

static void make(long count)
{
	for (long i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

int main(int argc, char **argv)
{
	struct fastest fastest = { 0 };
	long count;

	if (argc != 2)
		errx(2, "usage: forks COUNT");
	count = atol(argv[1]);
	for (int i = 0; i < PARTS; i++) {
		part_begin(&fastest);
		make(count / PARTS);
		part_end(&fastest);
	}
	print_each(&fastest, (double)(count / PARTS));
	return 0;
}
