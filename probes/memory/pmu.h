/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPU's own counters, by perf_event_open: opened on the process that forks the command,
 * inherited by the command and what it starts, switched on by its exec. What there are more
 * events of than registers takes turns (multiplexing): the kernel says for how much of the
 * time each counted, and a value is scaled by that.
 */
#ifndef DWELL_PMU_H
#define DWELL_PMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum pmu_event {
	PMU_CYCLES,
	PMU_INSTRUCTIONS,
	PMU_CACHE_REFERENCES,
	PMU_CACHE_MISSES,
	PMU_BRANCHES,
	PMU_BRANCH_MISSES,
	PMU_DTLB_MISSES,
	PMU_ITLB_MISSES,
	PMU_EVENTS
};

struct pmu_value {
	bool present;
	int error;      /* else why not, -errno */
	uint64_t count; /* scaled */
	uint64_t enabled_ns, running_ns;
};

struct pmu_counts {
	bool asked;
	struct pmu_value events[PMU_EVENTS];
};

/* What perf_event_open() is asked for. */
struct pmu_want {
	uint32_t type;
	uint64_t config;
};

extern const struct pmu_want pmu_wants[PMU_EVENTS];
extern const char *const pmu_names[PMU_EVENTS]; /* "cycles" */

struct pmu {
	int fds[PMU_EVENTS];
	int errors[PMU_EVENTS];
};

/* Opens those events that there are, on children that `pid` will fork and that exec. */
void pmu_open(struct pmu *p, pid_t pid, const struct pmu_want *wants, size_t n);
void pmu_read(const struct pmu *p, struct pmu_counts *counts);
void pmu_close(struct pmu *p);
/* A count for the whole time from one of a part of it. */
uint64_t pmu_scale(uint64_t count, uint64_t enabled_ns, uint64_t running_ns);

#endif
