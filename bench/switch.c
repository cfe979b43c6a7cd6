// SPDX-License-Identifier: BSD-2-Clause
/*
 * switch: two processes on one CPU hand a byte back and forth through two pipes, so each
 * hand-over is one context switch. Prints the nanoseconds of one. DEPTH more frames than need
 * be lie on their stacks.
 *
 *	switch CPU DEPTH ROUNDS
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

static void play(long part)
{
	struct fastest fastest = { 0 };
	int there[2], back[2];
	pid_t child;

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
}

/* What follows each call keeps it from becoming a jump, which would leave no frame. */
static __attribute__((noinline)) void play_below(long depth, long part)
{
	if (depth > 0)
		play_below(depth - 1, part);
	else
		play(part);
	__asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv)
{
	cpu_set_t cpu;

	if (argc != 4)
		errx(2, "usage: switch CPU DEPTH ROUNDS");
	CPU_ZERO(&cpu);
	CPU_SET(atoi(argv[1]), &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		err(1, "sched_setaffinity");
	play_below(atol(argv[2]), atol(argv[3]) / PARTS);
	return 0;
}
