// SPDX-License-Identifier: BSD-2-Clause
/*
 * switch: two processes on one CPU hand a byte back and forth through two pipes, so each
 * hand-over is one context switch. Prints the nanoseconds of one.
 *
 *	switch CPU ROUNDS
 */
#include <err.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

static void hand_over(int in, int out, long rounds, int first)
{
	char byte = 0;

	for (long i = 0; i < rounds; i++) {
		if (first && write(out, &byte, 1) != 1)
			err(1, "write");
		if (read(in, &byte, 1) != 1)
			err(1, "read");
		if (!first && write(out, &byte, 1) != 1)
			err(1, "write");
	}
}

int main(int argc, char **argv)
{
	int there[2], back[2];
	struct fastest fastest = { 0 };
	long rounds, part;
	cpu_set_t cpu;
	pid_t child;

	if (argc != 3)
		errx(2, "usage: switch CPU ROUNDS");
	rounds = atol(argv[2]);
	part = rounds / PARTS;
	CPU_ZERO(&cpu);
	CPU_SET(atoi(argv[1]), &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		err(1, "sched_setaffinity");
	if (pipe(there) || pipe(back))
		err(1, "pipe");
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (!child) {
		hand_over(there[0], back[1], part * (PARTS + 1), 0);
		_exit(0);
	}
	hand_over(back[0], there[1], part, 1);
	for (int i = 0; i < PARTS; i++) {
		part_begin(&fastest);
		hand_over(back[0], there[1], part, 1);
		part_end(&fastest);
	}
	print_each(&fastest, 2 * (double)part);
	waitpid(child, NULL, 0);
	return 0;
}
