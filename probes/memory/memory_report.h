/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory probe's part of the report. */
#ifndef DWELL_MEMORY_REPORT_H
#define DWELL_MEMORY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "absent.h"
#include "alloc_report.h"
#include "memory.h"
#include "pmu.h"
#include "pss.h"

struct memory_wait {
	uint64_t count, ns, max_ns, bytes;
};

/* Figures that the tree and each process have. */
struct memory_figures {
	uint64_t minor_faults, major_faults;
	uint64_t rss_bytes, rss_peak_bytes;
	uint64_t swap_bytes, swap_out_bytes;
	bool has_swap_in, has_oom, has_node, has_kmem;
	uint64_t swap_in_bytes;
	uint64_t oom_kills;
	struct memory_wait stalls[STALL_KINDS];
	uint64_t slab_allocs, slab_bytes;
	uint64_t page_allocs, page_alloc_bytes, page_frees, page_free_bytes, page_failures;
};

struct memory_process {
	uint32_t pid, proc_id;
	char comm[COMM_LEN];
	struct memory_figures figures;
	bool has_pss; /* it lives, and was read for this report */
	struct pss pss;
};

struct memory_site_row {   /* --kmem */
	const char *name;  /* "alloc_pipe_info+0x5a", "0xffff…", "other" */
	const char *cache; /* of kmem_cache_alloc; NULL: kmalloc */
	uint64_t count, requested_bytes, bytes, frees, freed_bytes, live_bytes;
};

struct memory_order_row {
	uint32_t order;
	uint64_t allocs, frees;
};

struct memory_oom_row {
	uint32_t pid, by_pid; /* by_pid 0: not visible to dwell */
	char comm[COMM_LEN], by_comm[COMM_LEN];
	uint64_t at_ns; /* since the start of the measurement */
	uint64_t rss_bytes;
};

struct memory_report {
	bool present;
	struct memory_figures tree;
	uint64_t swap_peak_bytes;
	uint64_t rss_slack_bytes; /* what an address space may lag behind */
	struct memory_process *processes;
	size_t nprocesses;
	struct memory_oom_row *ooms;
	size_t nooms;
	struct pss_sum pss; /* processes 0: nothing was read */
	struct pmu_counts pmu;
	bool has_kmem;
	uint32_t kmem_sampled;         /* one in so many was looked at */
	struct memory_site_row *sites; /* by bytes, descending */
	size_t nsites;
	struct memory_order_row *orders; /* that occurred */
	size_t norders;
	struct alloc_report alloc;
	struct absent_list absent;
};

#endif
