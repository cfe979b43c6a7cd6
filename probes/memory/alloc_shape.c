/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of --alloc: every figure with its exact meaning. */
#include "memory_shape.h"
#include "report.h"

static const char *const function_names[ALLOC_FUNCTIONS] = {
	[ALLOC_MALLOC] = "malloc",
	[ALLOC_CALLOC] = "calloc",
	[ALLOC_REALLOC] = "realloc",
	[ALLOC_REALLOCARRAY] = "reallocarray",
	[ALLOC_ALIGNED_ALLOC] = "aligned_alloc",
	[ALLOC_POSIX_MEMALIGN] = "posix_memalign",
	[ALLOC_MEMALIGN] = "memalign",
	[ALLOC_VALLOC] = "valloc",
	[ALLOC_PVALLOC] = "pvalloc",
	[ALLOC_NEW] = "operator_new",
};

static const char *function_key(const void *row, size_t i)
{
	return function_names[i];
}

static bool was_called(const void *row)
{
	return *(const uint64_t *)row;
}

static const struct shape call_table[] = {
	{ .key = "calls",
	  .type = SHAPE_U64,
	  .unit = UNIT_COUNT,
	  .kind = METRIC_COUNTER,
	  .help = "calls, also those that failed" },
	{},
};

/* ---- mappings ---- */

static const struct shape mapped_table[] = {
	SHAPE_IS(
		U64, alloc_mapped, count, UNIT_COUNT, COUNTER,
		"times; mremap counts as a mapping of the whole new size, the old one as released"),
	SHAPE_IS(U64, alloc_mapped, bytes, UNIT_BYTES, COUNTER, "bytes, whole pages"),
	SHAPE_IS(U64, alloc_mapped, released_bytes, UNIT_BYTES, COUNTER,
		 "of these, unmapped or given back"),
	SHAPE_IS(U64, alloc_mapped, cleared_bytes, UNIT_BYTES, COUNTER,
		 "of these, there when an exec put an end to them"),
	SHAPE_IS(U64, alloc_mapped, live_bytes, UNIT_BYTES, GAUGE,
		 "still there now; of a process that has ended, at its end"),
	SHAPE_IS(U64, alloc_mapped, live_peak_bytes, UNIT_BYTES, GAUGE, "most at one moment"),
	{},
};

static const char *mapped_key(const void *row, size_t i)
{
	static const char *const names[MAPPED_KINDS] = {
		[MAPPED_MMAP] = "mmap",
		[MAPPED_BRK] = "brk",
		[MAPPED_ALLOCATOR_MMAP] = "allocator_mmap",
		[MAPPED_ALLOCATOR_BRK] = "allocator_brk",
	};

	return names[i];
}

static bool was_mapped(const void *row)
{
	return ((const struct alloc_mapped *)row)->count;
}

/* ---- figures ---- */

static const struct shape figures_table[] = {
	{ .key = "functions",
	  .type = SHAPE_DICT,
	  .offset = offsetof(struct alloc_figures, calls),
	  .size = sizeof(uint64_t),
	  .count = ALLOC_FUNCTIONS,
	  .inline_array = true,
	  .lone = true,
	  .row_key = function_key,
	  .row_present = was_called,
	  .sub = call_table,
	  .help = "calls of each function from outside the allocator, also those that failed. "
		  "Where two names stand for one function (memalign and aligned_alloc of the GNU C "
		  "library) they count as the one that is listed first in the docs of --alloc; "
		  "operator new counts as malloc, which it calls, but for allocators that have their "
		  "own" },
	SHAPE_IS(U64, alloc_figures, failed, UNIT_COUNT, COUNTER, "calls that gave no memory"),
	SHAPE_AS("allocations", U64, alloc_figures, allocs, UNIT_COUNT, COUNTER,
		 "blocks made; a realloc makes one and frees one"),
	SHAPE_IS(U64, alloc_figures, bytes, UNIT_BYTES, COUNTER,
		 "bytes of these, as asked for: without what the allocator adds"),
	SHAPE_IS(U64, alloc_figures, frees, UNIT_COUNT, COUNTER,
		 "of these blocks, freed, by whichever thread"),
	SHAPE_IS(U64, alloc_figures, freed_bytes, UNIT_BYTES, COUNTER, "bytes of those"),
	SHAPE_AS("cleared", U64, alloc_figures, cleared, UNIT_COUNT, COUNTER,
		 "of these blocks, there when an exec put an end to them"),
	SHAPE_IS(U64, alloc_figures, cleared_bytes, UNIT_BYTES, COUNTER, "bytes of those"),
	SHAPE_AS(
		"unknown", U64, alloc_figures, unknown, UNIT_COUNT, COUNTER,
		"of these blocks, without room in the table memory_blocks: whether they were freed "
		"is not known, and live figures lack them"),
	SHAPE_IS(U64, alloc_figures, unknown_bytes, UNIT_BYTES, COUNTER, "bytes of those"),
	SHAPE_AS(
		"live", U64, alloc_figures, live, UNIT_COUNT, GAUGE,
		"of these blocks, not freed: of a process that has ended when it did so, of others "
		"when measuring stopped. That is what leaked, with what the program could still "
		"reach and left to the end of the process. A block that a fork copies is its parent's "
		"alone"),
	SHAPE_IS(U64, alloc_figures, live_bytes, UNIT_BYTES, GAUGE, "bytes of those"),
	SHAPE_IS(U64, alloc_figures, live_peak_bytes, UNIT_BYTES, GAUGE,
		 "most bytes live at one moment; of the tree, of all processes that lived then"),
	SHAPE_IS(U64, alloc_figures, frees_null, UNIT_COUNT, COUNTER, "calls of free(NULL)"),
	SHAPE_IS(
		U64, alloc_figures, frees_before, UNIT_COUNT, COUNTER,
		"frees of blocks that were made before the attach, before the fork, or unseen; not "
		"counted with --sample-interval"),
	SHAPE_IS(U64, alloc_figures, reused, UNIT_COUNT, COUNTER,
		 "blocks given out again although no free was seen: counted as freed then"),
	{ .key = "mappings",
	  .type = SHAPE_DICT,
	  .offset = offsetof(struct alloc_figures, mapped),
	  .size = sizeof(struct alloc_mapped),
	  .count = MAPPED_KINDS,
	  .inline_array = true,
	  .row_key = mapped_key,
	  .row_present = was_mapped,
	  .sub = mapped_table,
	  .help = "anonymous memory from the kernel: by mmap, by the program break (brk); of these "
		  "apart what the malloc family took for itself (allocator_...), in which its blocks "
		  "lie: do not add the two. Kinds that were not used are left out" },
	{},
};

static const struct shape process_table[] = {
	SHAPE_IS(U32, alloc_process_row, pid, UNIT_NONE, INFO,
		 "process ID; 0: not visible to dwell"),
	SHAPE_IS(U32, alloc_process_row, proc_id, UNIT_NONE, INFO,
		 "number of the process in this report"),
	SHAPE_IS(CHARS, alloc_process_row, comm, UNIT_NONE, INFO, "its command's name"),
	SHAPE_FLAT(alloc_process_row, figures, figures_table),
	{},
};

/* ---- callers ---- */

static bool caller_mapped(const void *base)
{
	return ((const struct alloc_caller_row *)base)->has_mapped;
}

static const struct shape caller_table[] = {
	{ .key = "frames",
	  .type = SHAPE_STRS,
	  .offset = offsetof(struct alloc_caller_row, frames),
	  .count_offset = offsetof(struct alloc_caller_row, nframes),
	  .help = "functions, the one that called the allocator first; an address when it is in no "
		  "file; `other`: those for which there was no room" },
	SHAPE_IS(U32, alloc_caller_row, processes, UNIT_COUNT, COUNTER,
		 "processes (and programs, after an exec) that allocated there"),
	SHAPE_IS(U32, alloc_caller_row, pid, UNIT_NONE, INFO,
		 "the one that allocated most bytes; 0: not known"),
	{ .key = "comm",
	  .type = SHAPE_STR,
	  .optional = true,
	  .offset = offsetof(struct alloc_caller_row, comm),
	  .help = "its command's name" },
	SHAPE_AS("allocations", U64, alloc_caller_row, allocs, UNIT_COUNT, COUNTER, "blocks made"),
	SHAPE_IS(U64, alloc_caller_row, bytes, UNIT_BYTES, COUNTER, "bytes of these"),
	SHAPE_IS(U64, alloc_caller_row, frees, UNIT_COUNT, COUNTER, "of these, freed"),
	SHAPE_IS(U64, alloc_caller_row, freed_bytes, UNIT_BYTES, COUNTER, "bytes of those"),
	SHAPE_AS("live", U64, alloc_caller_row, live, UNIT_COUNT, GAUGE,
		 "of these, not freed until the process's end, or now"),
	SHAPE_IS(U64, alloc_caller_row, live_bytes, UNIT_BYTES, GAUGE, "bytes of those"),
	SHAPE_IS(U64, alloc_caller_row, live_peak_bytes, UNIT_BYTES, GAUGE,
		 "most bytes live at one moment, of several processes added up"),
	SHAPE_AS("lifetime_ns", U64, alloc_caller_row, lived_ns, UNIT_NS, GAUGE,
		 "mean time from the allocation to the free of those freed"),
	{ .key = "mapped",
	  .type = SHAPE_OBJECT,
	  .optional = true,
	  .present = caller_mapped,
	  .offset = offsetof(struct alloc_caller_row, mapped),
	  .sub = mapped_table,
	  .help = "memory that was mapped from there, also by the allocator on its behalf" },
	{},
};

static const struct shape size_table[] = {
	SHAPE_IS(U64, alloc_size_row, from, UNIT_BYTES, INFO, "smallest size of the class"),
	SHAPE_IS(U64, alloc_size_row, to, UNIT_BYTES, INFO, "largest"),
	SHAPE_IS(U64, alloc_size_row, count, UNIT_COUNT, COUNTER, "blocks made"),
	SHAPE_IS(U64, alloc_size_row, bytes, UNIT_BYTES, COUNTER, "bytes of these"),
	{},
};

static const struct shape file_table[] = {
	SHAPE_IS(STR, alloc_file_row, path, UNIT_NONE, INFO, "the file"),
	SHAPE_IS(U32, alloc_file_row, functions, UNIT_COUNT, INFO,
		 "functions of it that are hooked"),
	SHAPE_IS(U64, alloc_file_row, late_ns, UNIT_NS, GAUGE,
		 "from when the file was first mapped by a target until it was hooked: what was "
		 "allocated by it in that time is missing; 0: it was hooked before"),
	{},
};

static const struct shape rest_table[] = {
	SHAPE_IS(
		BOOL, alloc_report, incomplete, UNIT_NONE, INFO,
		"of some blocks or mappings it is not known what became of them, for want of room: "
		"live figures lack them"),
	SHAPE_AS(
		"sample_interval", U32, alloc_report, sampled, UNIT_COUNT, INFO,
		"one allocation in so many was looked at and counted so many times; 0, 1: every one"),
	SHAPE_ROWS("sizes", alloc_report, sizes, nsizes, size_table,
		   "blocks by the size asked for"),
	SHAPE_ROWS("leaks", alloc_report, leaks, nleaks, caller_table,
		   "the 50 callers with most bytes live at the end"),
	SHAPE_ROWS("callers", alloc_report, callers, ncallers, caller_table,
		   "the 50 callers that allocated, and mapped, most bytes"),
	SHAPE_IS(U64, alloc_report, callers_cut, UNIT_COUNT, COUNTER, "callers beyond these"),
	SHAPE_ROWS("files", alloc_report, files, nfiles, file_table,
		   "files whose allocation functions are hooked"),
	SHAPE_ROWS("processes", alloc_report, processes, nprocesses, process_table,
		   "by process, as the ledger's; only those that allocated or mapped"),
	{},
};

const struct shape alloc_tick_shape[] = {
	SHAPE_FLAT(alloc_report, tree, figures_table),
	{},
};

const struct shape alloc_shape[] = {
	SHAPE_FLAT(alloc_report, tree, figures_table),
	{ .type = SHAPE_OBJECT, .flat = true, .sub = rest_table },
	{},
};
