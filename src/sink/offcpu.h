/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * denet's view of time off the CPU, derived from the ledger: every state but on_cpu. An
 * event is one stay in one state, so a block and the wait for a CPU after it are two.
 */
#ifndef DWELL_OFFCPU_H
#define DWELL_OFFCPU_H

#include "report.h"
#include "shape.h"

#define OFFCPU_THREADS 256 /* threads told, those with the most time */
#define OFFCPU_TOP 10

struct offcpu_thread {
	char key[32]; /* "PID:TID" */
	uint32_t pid, tid;
	uint64_t total_time_ns, count, avg_time_ns, max_time_ns, min_time_ns;
	double time_ms, percentage;
};

struct offcpu {
	uint64_t total_time_ns, total_events, avg_time_ns, max_time_ns, min_time_ns;
	struct offcpu_thread *threads;
	size_t nthreads, ntop;
	const char *bottleneck_type;
	double io_wait_percentage, lock_contention_percentage, sleep_percentage;
	const char *hints[4];
	size_t nhints;
	char lines[4][128]; /* of bottlenecks */
	const char *bottlenecks[4];
	size_t nbottlenecks;
};

extern const struct shape offcpu_shape[]; /* struct offcpu */

/* Reads r->ledger, which must be present. */
void offcpu_make(struct offcpu *o, const struct report *r);
void offcpu_release(struct offcpu *o);

#endif
