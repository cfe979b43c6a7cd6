// SPDX-License-Identifier: BSD-2-Clause
/*
 * spin: arithmetic on one CPU and nothing else, so that what interrupts it shows. Prints the
 * nanoseconds of a thousand turns.
 *
 *	spin CPU TURNS
 */
#include <err.h>
#include <sched.h>
#include <stdlib.h>

#include "clock.h"

static void turn(long n)
{
	static volatile unsigned long x = 1;

	for (long i = 0; i < n; i++)
		x = x * 3 + (unsigned long)i;
}

int main(int argc, char **argv)
{
	struct fastest fastest = { 0 };
	cpu_set_t cpu;
	long part;

	if (argc != 3)
		errx(2, "usage: spin CPU TURNS");
	CPU_ZERO(&cpu);
	CPU_SET(atoi(argv[1]), &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		err(1, "sched_setaffinity");
	part = atol(argv[2]) / PARTS;
	for (int i = 0; i < PARTS; i++) {
		part_begin(&fastest);
		turn(part);
		part_end(&fastest);
	}
	print_each(&fastest, (double)part / 1000);
	return 0;
}
