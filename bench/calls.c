// SPDX-License-Identifier: BSD-2-Clause
/*
 * calls: getppid in a loop on one CPU, the cheapest system call that does something.
 * Prints the nanoseconds of one.
 *
 *	calls CPU COUNT
 */
#include <err.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

static void call(long count)
{
	for (long i = 0; i < count; i++)
		syscall(SYS_getppid);
}

int main(int argc, char **argv)
{
	cpu_set_t cpu;
	struct fastest fastest = { 0 };
	long count;

	if (argc != 3)
		errx(2, "usage: calls CPU COUNT");
	count = atol(argv[2]);
	CPU_ZERO(&cpu);
	CPU_SET(atoi(argv[1]), &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		err(1, "sched_setaffinity");
	call(count / PARTS);
	for (int i = 0; i < PARTS; i++) {
		part_begin(&fastest);
		call(count / PARTS);
		part_end(&fastest);
	}
	print_each(&fastest, (double)(count / PARTS));
	return 0;
}
