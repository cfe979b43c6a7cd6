/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks_brief N: N processes, one after the other, that each live for one sleep of 5 ms in
 * brief_c and are gone at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stacks.h"

volatile long stacks_sink;

NOINLINE static void brief_c(void)
{
	struct timespec t = { 0, 5000000 };

	nanosleep(&t, NULL);
	stacks_sink++;
}

NOINLINE static void brief_b(void)
{
	brief_c();
	stacks_sink++;
}

NOINLINE static void brief_a(void)
{
	brief_b();
	stacks_sink++;
}

/* A program of its own: exec makes the mappings anew. */
static void start(const char *self)
{
	pid_t pid = fork();

	if (!pid) {
		execl(self, "stacks_brief", (char *)NULL);
		_exit(127);
	}
	printf("{\"chain\":[\"brief_c\",\"brief_b\",\"brief_a\",\"main\"],\"pid\":%d,\"tid\":%d}\n",
	       pid, pid);
	fflush(stdout);
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? strtol(argv[1], NULL, 10) : 0;

	if (argc == 1)
		brief_a();
	for (long i = 0; i < n; i++)
		start("/proc/self/exe");
	return 0;
}
