/* SPDX-License-Identifier: BSD-2-Clause */
/* --alloc: user allocations in the report. */
#ifndef DWELL_ALLOC_REPORT_H
#define DWELL_ALLOC_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc.h"

enum alloc_mapped_kind {
	MAPPED_MMAP,
	MAPPED_BRK,
	MAPPED_ALLOCATOR_MMAP, /* made inside a call of the malloc family */
	MAPPED_ALLOCATOR_BRK,
	MAPPED_KINDS
};

struct alloc_mapped {
	uint64_t count, bytes, released_bytes;
	uint64_t cleared_bytes; /* by an exec */
	uint64_t live_bytes, live_peak_bytes;
};

/* Of the tree and of each process. */
struct alloc_figures {
	uint64_t calls[ALLOC_FUNCTIONS];
	uint64_t failed;
	uint64_t allocs, bytes, frees, freed_bytes;
	uint64_t unknown, unknown_bytes;
	uint64_t cleared, cleared_bytes;
	uint64_t frees_null, frees_before, reused;
	uint64_t live, live_bytes, live_peak_bytes;
	struct alloc_mapped mapped[MAPPED_KINDS];
};

struct alloc_process_row {
	uint32_t pid, proc_id;
	char comm[16];
	struct alloc_figures figures;
};

/* One who allocates: a place in a file, or a stack. */
struct alloc_caller_row {
	const char **frames; /* functions, the caller first; one without stacks */
	size_t nframes;
	uint32_t processes; /* that allocate there */
	uint32_t pid;       /* of the one with the most bytes; 0: not visible */
	const char *comm;
	uint64_t allocs, bytes, frees, freed_bytes;
	uint64_t live, live_bytes, live_peak_bytes;
	uint64_t lived_ns; /* mean of those freed */
	struct alloc_mapped mapped;
	bool has_mapped;
};

struct alloc_size_row {
	uint64_t from, to; /* both included */
	uint64_t count, bytes;
};

struct alloc_file_row {
	const char *path;
	uint32_t functions;
	uint64_t late_ns; /* from its first sight to the attachment; 0: before the command ran */
};

struct alloc_report {
	bool present;
	bool incomplete;  /* of some blocks or mappings it is not known what became of them */
	uint32_t sampled; /* one call in so many was looked at */
	struct alloc_figures tree;
	struct alloc_process_row *processes;
	size_t nprocesses;
	struct alloc_size_row *sizes; /* that occurred */
	size_t nsizes;
	struct alloc_caller_row *leaks; /* by live bytes, descending */
	size_t nleaks;
	struct alloc_caller_row *callers; /* by bytes, descending */
	size_t ncallers;
	uint64_t callers_cut; /* not among these */
	struct alloc_file_row *files;
	size_t nfiles;
};

#endif
