/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proportional set size: memory in which a page that n processes share counts 1/n for each,
 * so that it adds up. Only the kernel can tell, by a walk through the page tables of a
 * living process (/proc/PID/smaps_rollup); so it is bounded in size, number and time.
 */
#ifndef DWELL_PSS_H
#define DWELL_PSS_H

#include <stdint.h>
#include <sys/types.h>

struct pss {
	uint64_t rss, pss, swap_pss; /* bytes */
};

struct pss_sum {
	uint64_t bytes, swap_bytes;
	uint32_t processes, left_out;
};

/* 0 or -errno; -EINVAL when the text is none of the kernel's. */
int pss_parse(const char *text, struct pss *pss);
/* Of one process. -ESRCH, -ENOENT: it is gone. */
int pss_read(pid_t pid, struct pss *pss);

#define PSS_WALK_MAX (1ULL << 30) /* bytes resident: more would hold the process up */
#define PSS_TIME_NS 2000000ULL    /* for all of one reading */
#define PSS_EVERY_NS 1000000000ULL

#endif
