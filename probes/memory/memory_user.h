/* SPDX-License-Identifier: BSD-2-Clause */
/* What the memory probe's user-side files share. */
#ifndef DWELL_MEMORY_USER_H
#define DWELL_MEMORY_USER_H

#include "alloc_user.h"
#include "pmu.h"
#include "pss.h"
#include "report.h"

#define OOMS_MAX 64

struct memory_data {
	bool kmem, swap, swap_in, oom, node;
	struct pmu pmu;
	bool pmu_asked;
	uint64_t page;
	uint64_t pss_ns; /* when it was read last */
	struct pss_sum pss;
	struct memory_oom_row ooms[OOMS_MAX];
	size_t nooms;
	struct alloc *alloc; /* --alloc */
};

/* memory_absent.c: which figures are missing, and why. */
void memory_fill_absent(const struct memory_data *d, struct report *r, const struct options *o);

#endif
