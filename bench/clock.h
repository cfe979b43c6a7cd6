/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the measured programs share: the clock, and the one line that they print. A loop is
 * measured in PARTS; the fastest counts, as other load on the machine touches it least.
 */
#ifndef DWELL_BENCH_CLOCK_H
#define DWELL_BENCH_CLOCK_H

#include <stdio.h>
#include <time.h>

static inline double clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#define PARTS 200 /* about a millisecond each: some fall between other load */

struct fastest {
	double ns, from;
};

static inline void part_begin(struct fastest *f)
{
	f->from = clock_ns();
}

static inline void part_end(struct fastest *f)
{
	double ns = clock_ns() - f->from;

	if (!f->ns || ns < f->ns)
		f->ns = ns;
}

static inline void print_each(const struct fastest *f, double events)
{
	printf("%.2f\n", f->ns / events);
}

#endif
