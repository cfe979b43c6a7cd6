/* SPDX-License-Identifier: BSD-2-Clause */
/* Times of one sort, summed: of a state, a system call, a request. */
#ifndef DWELL_WAIT_STAT_H
#define DWELL_WAIT_STAT_H

#include <stdint.h>

struct wait_stat {
	uint64_t ns, count, max_ns;
	uint64_t min_ns;                 /* shortest; 0 when count is 0 or nobody measured it */
	uint64_t p50_ns, p95_ns, p99_ns; /* 0 when count is 0 or the histogram was refused */
};

/* A bucket of a histogram that is not empty. */
struct hist_row {
	uint64_t floor_ns, ceil_ns, count;
};

#endif
