/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters by perf_event_open; see pmu.h. */
#include "pmu.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MISSES(cache)                                                                              \
	((cache) | PERF_COUNT_HW_CACHE_OP_READ << 8 | PERF_COUNT_HW_CACHE_RESULT_MISS << 16)

const struct pmu_want pmu_wants[PMU_EVENTS] = {
	[PMU_CYCLES] = { PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
	[PMU_INSTRUCTIONS] = { PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS },
	[PMU_CACHE_REFERENCES] = { PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES },
	[PMU_CACHE_MISSES] = { PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES },
	[PMU_BRANCHES] = { PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS },
	[PMU_BRANCH_MISSES] = { PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES },
	[PMU_DTLB_MISSES] = { PERF_TYPE_HW_CACHE, MISSES(PERF_COUNT_HW_CACHE_DTLB) },
	[PMU_ITLB_MISSES] = { PERF_TYPE_HW_CACHE, MISSES(PERF_COUNT_HW_CACHE_ITLB) },
};

const char *const pmu_names[PMU_EVENTS] = {
	[PMU_CYCLES] = "cycles",
	[PMU_INSTRUCTIONS] = "instructions",
	[PMU_CACHE_REFERENCES] = "cache_references",
	[PMU_CACHE_MISSES] = "cache_misses",
	[PMU_BRANCHES] = "branches",
	[PMU_BRANCH_MISSES] = "branch_misses",
	[PMU_DTLB_MISSES] = "dtlb_misses",
	[PMU_ITLB_MISSES] = "itlb_misses",
};

static int open_event(const struct pmu_want *want, pid_t pid)
{
	struct perf_event_attr attr = {
		.type = want->type,
		.size = sizeof(attr),
		.config = want->config,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
		.disabled = 1,
		.inherit = 1,
		.enable_on_exec = 1,
	};
	long fd = syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

void pmu_open(struct pmu *p, pid_t pid, const struct pmu_want *wants, size_t n)
{
	for (size_t i = 0; i < PMU_EVENTS; i++) {
		int fd = i < n ? open_event(&wants[i], pid) : -ENOENT;

		p->errors[i] = fd < 0 ? fd : 0;
		p->fds[i] = fd < 0 ? -1 : fd;
	}
}

uint64_t pmu_scale(uint64_t count, uint64_t enabled_ns, uint64_t running_ns)
{
	if (!running_ns || running_ns >= enabled_ns)
		return count;
	return (uint64_t)((double)count * (double)enabled_ns / (double)running_ns + 0.5);
}

void pmu_read(const struct pmu *p, struct pmu_counts *counts)
{
	for (size_t i = 0; i < PMU_EVENTS; i++) {
		struct pmu_value *v = &counts->events[i];
		uint64_t got[3]; /* count, enabled, running: as read_format asks */
		ssize_t n = p->fds[i] < 0 ? -1 : read(p->fds[i], got, sizeof(got));

		*v = (struct pmu_value){ .error = p->errors[i] };
		if (p->fds[i] >= 0 && n != sizeof(got))
			v->error = n < 0 ? -errno : -EIO;
		if (n != sizeof(got))
			continue;
		v->enabled_ns = got[1];
		v->running_ns = got[2];
		/* it never had a register: nothing is known, not even that it is none */
		v->present = got[2] || !got[1];
		v->error = v->present ? 0 : -EBUSY;
		v->count = pmu_scale(got[0], got[1], got[2]);
	}
}

void pmu_close(struct pmu *p)
{
	for (size_t i = 0; i < PMU_EVENTS; i++) {
		if (p->fds[i] >= 0)
			close(p->fds[i]);
		p->fds[i] = -1;
	}
}
