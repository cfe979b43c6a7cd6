/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of the memory probe: every figure with its exact meaning. */
#include "memory_shape.h"

#include "report.h"

#define FIGURE(present_, type_, member_, unit_, kind_, help_)                                      \
	{                                                                                          \
		.key = #member_, .type = SHAPE_##type_, .unit = unit_, .kind = METRIC_##kind_,     \
		.help = help_, .offset = offsetof(struct memory_figures, member_),                 \
		.optional = true, .present = present_                                              \
	}

static bool has_swap_in(const void *base)
{
	return ((const struct memory_figures *)base)->has_swap_in;
}

static bool has_oom(const void *base)
{
	return ((const struct memory_figures *)base)->has_oom;
}

static bool has_node(const void *base)
{
	return ((const struct memory_figures *)base)->has_node;
}

static bool has_kmem(const void *base)
{
	return ((const struct memory_figures *)base)->has_kmem;
}

static const struct shape wait_table[] = {
	SHAPE_IS(U64, memory_wait, count, UNIT_COUNT, COUNTER, "times"),
	SHAPE_IS(U64, memory_wait, ns, UNIT_NS, COUNTER, "time it took, waits in it included"),
	SHAPE_IS(U64, memory_wait, max_ns, UNIT_NS, GAUGE, "the longest"),
	SHAPE_IS(U64, memory_wait, bytes, UNIT_BYTES, COUNTER, "memory that it freed"),
	{},
};

static const struct shape reclaim_table[] = {
	{ .key = "direct",
	  .type = SHAPE_OBJECT,
	  .offset = offsetof(struct memory_figures, stalls[STALL_DIRECT]),
	  .sub = wait_table,
	  .help = "the machine was short of memory" },
	{ .key = "cgroup",
	  .type = SHAPE_OBJECT,
	  .offset = offsetof(struct memory_figures, stalls[STALL_CGROUP]),
	  .sub = wait_table,
	  .help = "its memory cgroup was at its limit" },
	{ .key = "node",
	  .type = SHAPE_OBJECT,
	  .optional = true,
	  .present = has_node,
	  .offset = offsetof(struct memory_figures, stalls[STALL_NODE]),
	  .sub = wait_table,
	  .help = "its NUMA node was short of memory (vm.zone_reclaim_mode)" },
	{},
};

static const struct shape figures_table[] = {
	SHAPE_IS(U64, memory_figures, minor_faults, UNIT_COUNT, COUNTER,
		 "page faults served from memory, as the kernel counts them"),
	SHAPE_IS(U64, memory_figures, major_faults, UNIT_COUNT, COUNTER,
		 "page faults that had to read from storage or swap, as the kernel counts them"),
	SHAPE_IS(U64, memory_figures, rss_bytes, UNIT_BYTES, GAUGE,
		 "resident memory now: file, anonymous and shared pages mapped in. A page that "
		 "several processes map counts in each; processes that share an address space "
		 "(vfork) count once"),
	SHAPE_IS(
		U64, memory_figures, rss_peak_bytes, UNIT_BYTES, GAUGE,
		"most resident memory at one moment: of a process, of one address space of it; of "
		"the tree, the sum over all that lived at that moment, processes of milliseconds "
		"included. Followed at every change of the kernel's counters; see rss_slack_bytes"),
	SHAPE_IS(U64, memory_figures, swap_bytes, UNIT_BYTES, GAUGE, "memory that is in swap now"),
	SHAPE_IS(U64, memory_figures, swap_out_bytes, UNIT_BYTES, COUNTER,
		 "its memory that was moved to swap, whoever made the kernel do so"),
	FIGURE(has_swap_in, U64, swap_in_bytes, UNIT_BYTES, COUNTER,
	       "read back from swap by its threads, read-ahead and zswap included"),
	FIGURE(has_oom, U64, oom_kills, UNIT_COUNT, COUNTER,
	       "processes that the kernel killed for want of memory, of the machine or of a cgroup"),
	{ .key = "reclaim",
	  .type = SHAPE_OBJECT,
	  .sub = reclaim_table,
	  .help = "stalls: a thread had to free memory before it was given some" },
	FIGURE(has_kmem, U64, slab_allocs, UNIT_COUNT, COUNTER,
	       "--kmem: kmalloc and kmem_cache_alloc made for it, in its own context"),
	FIGURE(has_kmem, U64, slab_bytes, UNIT_BYTES, COUNTER,
	       "--kmem: bytes of these, what the allocator adds included"),
	FIGURE(has_kmem, U64, page_allocs, UNIT_COUNT, COUNTER,
	       "--kmem: blocks of pages taken from the page allocator, one by one (not in bulk)"),
	FIGURE(has_kmem, U64, page_alloc_bytes, UNIT_BYTES, COUNTER, "--kmem: bytes of these"),
	FIGURE(has_kmem, U64, page_frees, UNIT_COUNT, COUNTER,
	       "--kmem: blocks of pages that its threads gave back, whoever had taken them"),
	FIGURE(has_kmem, U64, page_free_bytes, UNIT_BYTES, COUNTER, "--kmem: bytes of these"),
	FIGURE(has_kmem, U64, page_failures, UNIT_COUNT, COUNTER,
	       "--kmem: page allocations that were refused"),
	{},
};

static bool process_has_pss(const void *base)
{
	return ((const struct memory_process *)base)->has_pss;
}

#define PROCESS_PSS(key_, member_, help_)                                                          \
	{                                                                                          \
		.key = key_, .type = SHAPE_U64, .unit = UNIT_BYTES, .kind = METRIC_GAUGE,          \
		.optional = true, .present = process_has_pss,                                      \
		.offset = offsetof(struct memory_process, pss.member_), .help = help_              \
	}

static const struct shape process_table[] = {
	SHAPE_IS(U32, memory_process, pid, UNIT_NONE, INFO, "process ID; 0: not visible to dwell"),
	SHAPE_IS(U32, memory_process, proc_id, UNIT_NONE, INFO,
		 "number of the process in this report"),
	SHAPE_IS(CHARS, memory_process, comm, UNIT_NONE, INFO, "its command's name"),
	SHAPE_FLAT(memory_process, figures, figures_table),
	PROCESS_PSS(
		"pss_bytes", pss,
		"proportional set size; absent when it has ended or was not read (pss.left_out)"),
	PROCESS_PSS("pss_swap_bytes", swap_pss, "the same of what is in swap"),
	{},
};

static const struct shape oom_table[] = {
	SHAPE_IS(U32, memory_oom_row, pid, UNIT_NONE, INFO, "the victim's process ID"),
	SHAPE_IS(CHARS, memory_oom_row, comm, UNIT_NONE, INFO, "the victim's name"),
	SHAPE_IS(U64, memory_oom_row, rss_bytes, UNIT_BYTES, GAUGE, "resident memory it had"),
	SHAPE_IS(U64, memory_oom_row, at_ns, UNIT_NS, GAUGE, "when, since the start"),
	SHAPE_IS(U32, memory_oom_row, by_pid, UNIT_NONE, INFO,
		 "process that wanted memory; 0: not visible to dwell"),
	SHAPE_IS(CHARS, memory_oom_row, by_comm, UNIT_NONE, INFO, "name of the thread that did"),
	{},
};

static const struct shape pss_table[] = {
	SHAPE_AS("bytes", U64, pss_sum, bytes, UNIT_BYTES, GAUGE,
		 "proportional set size: a page that n processes map counts 1/n for each"),
	SHAPE_AS("swap_bytes", U64, pss_sum, swap_bytes, UNIT_BYTES, GAUGE,
		 "the same of what is in swap"),
	SHAPE_AS("processes", U32, pss_sum, processes, UNIT_COUNT, GAUGE,
		 "living processes that were read, at most once a second"),
	SHAPE_AS("left_out", U32, pss_sum, left_out, UNIT_COUNT, GAUGE,
		 "not read: over 1 GiB resident, or the 2 ms for all were over"),
	{},
};

/* ---- --pmu ---- */

static bool pmu_asked(const void *base)
{
	return ((const struct report *)base)->memory.pmu.asked;
}

static const struct pmu_value *value_of(const void *base, enum pmu_event event)
{
	return &((const struct pmu_counts *)base)->events[event];
}

#define PMU(name_, event_, help_)                                                                  \
	{                                                                                          \
		.key = name_, .type = SHAPE_U64, .unit = UNIT_COUNT, .kind = METRIC_COUNTER,       \
		.help = help_, .offset = offsetof(struct pmu_counts, events[event_].count),        \
		.optional = true, .present = has_##event_                                          \
	}
#define HAS(event_)                                                                                \
	static bool has_##event_(const void *base)                                                 \
	{                                                                                          \
		return value_of(base, event_)->present;                                            \
	}

HAS(PMU_CYCLES)
HAS(PMU_INSTRUCTIONS)
HAS(PMU_CACHE_REFERENCES)
HAS(PMU_CACHE_MISSES)
HAS(PMU_BRANCHES)
HAS(PMU_BRANCH_MISSES)
HAS(PMU_DTLB_MISSES)
HAS(PMU_ITLB_MISSES)

static bool has_ipc(const void *base)
{
	return has_PMU_CYCLES(base) && has_PMU_INSTRUCTIONS(base) &&
	       value_of(base, PMU_CYCLES)->count;
}

static json_t *make_ipc(const void *base)
{
	if (!has_ipc(base))
		return NULL;
	return json_real((double)value_of(base, PMU_INSTRUCTIONS)->count /
			 (double)value_of(base, PMU_CYCLES)->count);
}

static json_t *ratio_schema(void)
{
	return json_pack("{s:s, s:i}", "type", "number", "minimum", 0);
}

/* Of the time that the target ran, the least part that one of the events was counted. */
static json_t *make_counted(const void *base)
{
	double least = 1;

	for (int i = 0; i < PMU_EVENTS; i++) {
		const struct pmu_value *v = value_of(base, i);

		if (v->present && v->enabled_ns && v->running_ns < v->enabled_ns &&
		    (double)v->running_ns / (double)v->enabled_ns < least)
			least = (double)v->running_ns / (double)v->enabled_ns;
	}
	return json_real(least);
}

static const struct shape pmu_table[] = {
	PMU("cycles", PMU_CYCLES, "CPU cycles"),
	PMU("instructions", PMU_INSTRUCTIONS, "instructions retired"),
	{ .key = "ipc",
	  .type = SHAPE_CUSTOM,
	  .unit = UNIT_RATIO,
	  .kind = METRIC_GAUGE,
	  .optional = true,
	  .present = has_ipc,
	  .make = make_ipc,
	  .schema = ratio_schema,
	  .help = "instructions per cycle" },
	PMU("cache_references", PMU_CACHE_REFERENCES, "accesses to the last level of cache"),
	PMU("cache_misses", PMU_CACHE_MISSES, "of these, misses"),
	PMU("branches", PMU_BRANCHES, "branch instructions"),
	PMU("branch_misses", PMU_BRANCH_MISSES, "of these, mispredicted"),
	PMU("dtlb_misses", PMU_DTLB_MISSES, "loads that missed the data TLB"),
	PMU("itlb_misses", PMU_ITLB_MISSES, "fetches that missed the instruction TLB"),
	{ .key = "counted",
	  .type = SHAPE_CUSTOM,
	  .unit = UNIT_RATIO,
	  .kind = METRIC_GAUGE,
	  .make = make_counted,
	  .schema = ratio_schema,
	  .help = "least part of the time that an event was really counted: below 1 they took turns "
		  "for want of registers, and the counts are scaled" },
	{},
};

/* ---- --kmem ---- */

static bool kmem_on(const void *base)
{
	return ((const struct report *)base)->memory.has_kmem;
}

static bool alloc_on(const void *base)
{
	return ((const struct report *)base)->memory.alloc.present;
}

static bool has_pss(const void *base)
{
	return ((const struct report *)base)->memory.pss.processes;
}

static const struct shape site_table[] = {
	SHAPE_IS(
		STR, memory_site_row, name, UNIT_NONE, INFO,
		"function and offset in the kernel; an address when the kernel hides names; `other`: "
		"places for which there was no room"),
	{ .key = "cache",
	  .type = SHAPE_STR,
	  .optional = true,
	  .offset = offsetof(struct memory_site_row, cache),
	  .help = "name of the slab cache; absent: kmalloc" },
	SHAPE_IS(U64, memory_site_row, count, UNIT_COUNT, COUNTER, "allocations"),
	SHAPE_IS(U64, memory_site_row, requested_bytes, UNIT_BYTES, COUNTER, "asked for"),
	SHAPE_IS(U64, memory_site_row, bytes, UNIT_BYTES, COUNTER, "given"),
	SHAPE_IS(U64, memory_site_row, frees, UNIT_COUNT, COUNTER,
		 "of these allocations, known to be freed, by whomever; those freed in bulk (as "
		 "by RCU) only when their place is used again"),
	SHAPE_IS(U64, memory_site_row, freed_bytes, UNIT_BYTES, COUNTER, "bytes of those"),
	SHAPE_IS(U64, memory_site_row, live_bytes, UNIT_BYTES, GAUGE, "given and not freed yet"),
	{},
};

static const struct shape order_table[] = {
	SHAPE_IS(U32, memory_order_row, order, UNIT_NONE, INFO, "a block has 2^order pages"),
	SHAPE_IS(U64, memory_order_row, allocs, UNIT_COUNT, COUNTER, "blocks taken"),
	SHAPE_IS(U64, memory_order_row, frees, UNIT_COUNT, COUNTER, "blocks given back"),
	{},
};

static const struct shape kmem_table[] = {
	SHAPE_AS("sample_interval", U32, memory_report, kmem_sampled, UNIT_COUNT, INFO,
		 "one event in so many was looked at and counted so many times; 0, 1: every one"),
	SHAPE_ROWS("sites", memory_report, sites, nsites, site_table,
		   "objects by the place that allocates, most bytes first"),
	SHAPE_ROWS("orders", memory_report, orders, norders, order_table,
		   "blocks of the page allocator by size"),
	{},
};

/* ---- all ---- */

/* clang-format off */
#define MEMORY_TABLE								\
	SHAPE_FLAT(report, memory.tree, figures_table),				\
	SHAPE_AS("swap_peak_bytes", U64, report, memory.swap_peak_bytes,	\
		 UNIT_BYTES, GAUGE, "most memory in swap at one moment"),	\
	{ .key = "pss", .type = SHAPE_OBJECT, .optional = true,			\
	  .present = has_pss, .sub = pss_table,					\
	  .offset = offsetof(struct report, memory.pss),			\
	  .help = "of the processes that live; absent when none does" },	\
	{ .key = "pmu", .type = SHAPE_OBJECT, .optional = true,			\
	  .present = pmu_asked, .sub = pmu_table,				\
	  .offset = offsetof(struct report, memory.pmu),			\
	  .help = "--pmu: counters of the CPU, of the command and its descendants" }
/* clang-format on */

#define ALLOC(table_, help_)                                                                       \
	{                                                                                          \
		.key = "alloc", .type = SHAPE_OBJECT, .optional = true, .present = alloc_on,       \
		.offset = offsetof(struct report, memory.alloc), .sub = table_, .help = help_      \
	}

const struct shape memory_tick_shape[] = {
	MEMORY_TABLE,
	ALLOC(alloc_tick_shape, "--alloc: what the program allocates"),
	{},
};

const struct shape memory_shape[] = {
	MEMORY_TABLE,
	SHAPE_AS(
		"rss_slack_bytes", U64, report, memory.rss_slack_bytes, UNIT_BYTES, INFO,
		"resident figures may lag by so much for each address space: fewer than 8 pages "
		"of a kind are not followed one by one; before Linux 6.2 the kernel itself holds back "
		"up to 64 faults of each thread, until it unmaps memory or ends"),
	SHAPE_ROWS("ooms", report, memory.ooms, memory.nooms, oom_table,
		   "the first 64 OOM kills, in order"),
	{ .key = "kmem",
	  .type = SHAPE_OBJECT,
	  .optional = true,
	  .present = kmem_on,
	  .offset = offsetof(struct report, memory),
	  .sub = kmem_table,
	  .help = "--kmem: what the kernel allocated for the target" },
	ALLOC(alloc_shape,
	      "--alloc: what the program allocates itself by malloc and its kin, by caller, and "
	      "what it maps"),
	SHAPE_ROWS("processes", report, memory.processes, memory.nprocesses, process_table,
		   "by process, as the ledger's"),
	SHAPE_ABSENT(memory.absent),
	{},
};
