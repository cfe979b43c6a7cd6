/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * denet's records. Its names and units are kept; where its figures were wrong (children
 * that come later, totals that fall, network bytes) ours are right, and each help says so.
 */
#include "tree_shape.h"

#include <string.h>

#include "offcpu.h"
#include "summary_shape.h"

#define TOP_SYSCALLS 10

/* --- Metrics --- */

static bool has_io(const void *base)
{
	return ((const struct metrics *)base)->has_io;
}

static bool lacks_io(const void *base)
{
	return !has_io(base);
}

static bool has_core(const void *base)
{
	return ((const struct metrics *)base)->has_core;
}

static bool has_psi(const void *base)
{
	return ((const struct metrics *)base)->has_psi;
}

static json_t *unread_json(const void *at)
{
	(void)at;
	return json_pack("[s]", "io");
}

static json_t *unread_schema(void)
{
	return json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string");
}

static const struct shape psi_shape[] = {
	SHAPE_AS("some_avg10", F32, metrics, psi_some_avg10, UNIT_PERCENT, GAUGE,
		 "time in which at least one task waited for memory, of the last 10 s"),
	SHAPE_AS("full_avg10", F32, metrics, psi_full_avg10, UNIT_PERCENT, GAUGE,
		 "time in which all tasks did"),
	{}
};

#define IF_IO(member_, help_)                                                                      \
	{                                                                                          \
		.key = #member_, .type = SHAPE_U64, .unit = UNIT_BYTES, .kind = METRIC_COUNTER,    \
		.optional = true, .present = has_io, .offset = offsetof(struct metrics, member_),  \
		.help = help_                                                                      \
	}

#define METRICS                                                                                    \
	SHAPE_IS(U64, metrics, ts_ms, UNIT_MS, INFO, "time of the sample, since 1970"),            \
		SHAPE_IS(F32, metrics, cpu_usage, UNIT_PERCENT, GAUGE,                             \
			 "CPU use since the last sample; 100 is one full core"),                   \
		SHAPE_IS(U64, metrics, mem_rss_kb, UNIT_KB, GAUGE, "resident memory"),             \
		SHAPE_IS(U64, metrics, mem_vms_kb, UNIT_KB, GAUGE, "virtual memory"),              \
		SHAPE_IS(U64, metrics, disk_read_bytes, UNIT_BYTES, COUNTER,                       \
			 "read from storage; 0 with io in unread"),                                \
		SHAPE_IS(U64, metrics, disk_write_bytes, UNIT_BYTES, COUNTER,                      \
			 "written to storage; 0 with io in unread"),                               \
		IF_IO(syscall_read_bytes, "read by system calls, from anything"),                  \
		IF_IO(syscall_write_bytes, "written by system calls, to anything"),                \
		SHAPE_IS(U64, metrics, page_faults_cached, UNIT_COUNT, COUNTER,                    \
			 "page faults without I/O"),                                               \
		SHAPE_IS(U64, metrics, page_faults_disk, UNIT_COUNT, COUNTER,                      \
			 "page faults with I/O"),                                                  \
		SHAPE_IS(                                                                          \
			U64, metrics, sys_net_rx_bytes, UNIT_BYTES, COUNTER,                       \
			"received by all interfaces but lo of the process's network namespace "    \
			"since the start, for all processes that use it; not this process's own"), \
		SHAPE_IS(U64, metrics, sys_net_tx_bytes, UNIT_BYTES, COUNTER, "sent, likewise"),   \
		SHAPE_IS(U64, metrics, thread_count, UNIT_COUNT, GAUGE, "threads"),                \
		SHAPE_IS(U64, metrics, uptime_secs, UNIT_SECONDS, GAUGE, "age"),                   \
		{ .key = "psi_mem",                                                                \
		  .type = SHAPE_OBJECT,                                                            \
		  .optional = true,                                                                \
		  .present = has_psi,                                                              \
		  .sub = psi_shape,                                                                \
		  .help = "memory pressure of its cgroup (v2, not the root)" },                    \
	{                                                                                          \
		.key = "unread", .type = SHAPE_CUSTOM, .optional = true, .present = lacks_io,      \
		.make = unread_json, .schema = unread_schema,                                      \
		.help = "what the kernel did not let us read: io (/proc/PID/io)"                   \
	}

static const struct shape metrics_shape[] = { METRICS,
					      { .key = "cpu_core",
						.type = SHAPE_U32,
						.nullable = true,
						.present = has_core,
						.offset = offsetof(struct metrics, cpu_core),
						.help = "CPU its main thread ran on last" },
					      {} };

static const struct shape process_shape[] = {
	SHAPE_IS(INT, sampled_process, pid, UNIT_NONE, INFO, "process ID"),
	SHAPE_IS(INT, sampled_process, ppid, UNIT_NONE, INFO, "parent's process ID"),
	SHAPE_AS("command", CHARS, sampled_process, comm, UNIT_NONE, INFO, "name of the process"),
	SHAPE_SUB("metrics", sampled_process, metrics, metrics_shape, "what it uses"),
	{}
};

/* --- aggregated.ebpf --- */

struct ebpf {
	const char *error;
	const struct report *report;
	struct offcpu offcpu;
};

struct aggregated {
	struct metrics metrics; /* first: METRICS has its offsets */
	struct ebpf ebpf;
};

static const char *class_key(const void *row, size_t i)
{
	(void)i;
	return ((const struct class_count *)row)->name;
}

static const struct shape class_shape[] = {
	SHAPE_IS(U64, class_count, count, UNIT_COUNT, COUNTER, "calls"), {}
};

static const struct shape call_shape[] = {
	SHAPE_IS(STR, call_row, name, UNIT_NONE, INFO, "name of the system call"),
	SHAPE_IS(U64, call_row, count, UNIT_COUNT, COUNTER, "calls"),
	{}
};

static bool has_analysis(const void *base)
{
	return ((const struct report *)base)->syscalls.analysis.behavior;
}

#define SYSCALLS(member_) offsetof(struct report, syscalls.member_)

static const struct shape syscalls_shape_of_denet[] = {
	SHAPE_AS("total", U64, report, syscalls.tree.total, UNIT_COUNT, COUNTER, "system calls"),
	{ .key = "by_category",
	  .type = SHAPE_DICT,
	  .offset = SYSCALLS(tree.classes),
	  .size = sizeof(struct class_count),
	  .count_offset = SYSCALLS(tree.nclasses),
	  .row_key = class_key,
	  .lone = true,
	  .sub = class_shape,
	  .help = "calls by class" },
	{ .key = "top_syscalls",
	  .type = SHAPE_LIST,
	  .offset = SYSCALLS(tree.calls),
	  .size = sizeof(struct call_row),
	  .count_offset = SYSCALLS(tree.ncalls),
	  .limit = TOP_SYSCALLS,
	  .sub = call_shape,
	  .help = "the most frequent, at most ten" },
	{ .key = "analysis",
	  .type = SHAPE_OBJECT,
	  .optional = true,
	  .present = has_analysis,
	  .offset = SYSCALLS(analysis),
	  .sub = analysis_shape,
	  .help = "what kind of program it is" },
	{}
};

static const struct report *report_of(const void *base)
{
	return ((const struct ebpf *)base)->report;
}

static bool has_syscalls(const void *base)
{
	return report_of(base) && report_of(base)->syscalls.present;
}

static bool has_offcpu(const void *base)
{
	return report_of(base) && report_of(base)->ledger.present;
}

static json_t *syscalls_json(const void *at)
{
	return shape_json(syscalls_shape_of_denet, report_of(at));
}

static const struct shape ebpf_shape[] = { { .key = "error",
					     .type = SHAPE_STR,
					     .optional = true,
					     .offset = offsetof(struct ebpf, error),
					     .help = "why there is nothing from BPF" },
					   { .key = "syscalls",
					     .type = SHAPE_CUSTOM,
					     .optional = true,
					     .present = has_syscalls,
					     .make = syscalls_json,
					     .sub = syscalls_shape_of_denet,
					     .help = "system calls" },
					   { .key = "offcpu",
					     .type = SHAPE_OBJECT,
					     .optional = true,
					     .present = has_offcpu,
					     .offset = offsetof(struct ebpf, offcpu),
					     .sub = offcpu_shape,
					     .help = "time off the CPU" },
					   {} };

static const struct shape aggregated_shape[] = {
	METRICS,
	SHAPE_IS(U64, metrics, process_count, UNIT_COUNT, GAUGE, "live processes"),
	SHAPE_SUB("ebpf", aggregated, ebpf, ebpf_shape, "cumulative figures from BPF"),
	{}
};

/* --- records --- */

struct tree {
	const struct sample *sample;
	const struct report *report;
	const char *bpf_error;
};

static json_t *ts_json(const void *at)
{
	return json_integer((json_int_t)((const struct tree *)at)->sample->ts_ms);
}

static json_t *ts_schema(void)
{
	return json_pack("{s:s, s:i}", "type", "integer", "minimum", 0);
}

static json_t *parent_json(const void *at)
{
	const struct sample *s = ((const struct tree *)at)->sample;

	return s->has_root ? shape_json(metrics_shape, &s->root.metrics) : json_null();
}

static json_t *children_json(const void *at)
{
	const struct sample *s = ((const struct tree *)at)->sample;
	json_t *children = json_array();

	for (size_t i = 0; i < s->nchildren; i++)
		json_array_append_new(children, shape_json(process_shape, &s->children[i]));
	return children;
}

static json_t *children_schema(void)
{
	return json_pack("{s:s, s:o}", "type", "array", "items", shape_schema(process_shape));
}

static json_t *aggregated_json(const void *at)
{
	const struct tree *t = at;
	struct aggregated a = { .metrics = t->sample->all };
	json_t *json;

	if (t->report->bpf)
		a.ebpf.report = t->report;
	else
		a.ebpf.error = t->bpf_error && *t->bpf_error ? t->bpf_error : "BPF is not in use";
	if (has_offcpu(&a.ebpf))
		offcpu_make(&a.ebpf.offcpu, t->report);
	json = shape_json(aggregated_shape, &a);
	offcpu_release(&a.ebpf.offcpu);
	return json;
}

static json_t *tree_probes_json(const void *at)
{
	return probes_json(((const struct tree *)at)->report);
}

static const struct shape tree_shape[] = {
	{ .key = "ts_ms",
	  .type = SHAPE_CUSTOM,
	  .unit = UNIT_MS,
	  .make = ts_json,
	  .schema = ts_schema,
	  .help = "time of the record, since 1970" },
	{ .key = "parent",
	  .type = SHAPE_CUSTOM,
	  .nullable = true,
	  .make = parent_json,
	  .sub = metrics_shape,
	  .help = "the process that was started or attached to; null: it ended" },
	{ .key = "children",
	  .type = SHAPE_CUSTOM,
	  .make = children_json,
	  .schema = children_schema,
	  .help = "every other live process of the tree" },
	{ .key = "aggregated",
	  .type = SHAPE_CUSTOM,
	  .make = aggregated_json,
	  .sub = aggregated_shape,
	  .help = "all together; counters include the processes that ended" },
	{ .key = "probes",
	  .type = SHAPE_CUSTOM,
	  .make = tree_probes_json,
	  .schema = probes_schema,
	  .help = "what each probe has so far, the longest rows only" },
	{}
};

json_t *tree_json(const struct sample *s, const struct report *r, const char *bpf_error)
{
	struct tree t = { s, r, bpf_error };

	return shape_record("tree", shape_json(tree_shape, &t));
}

json_t *tree_schema(void)
{
	return shape_record_schema("tree", shape_schema(tree_shape));
}

json_t *sample_json(const struct sample *s)
{
	if (!s->has_root)
		return NULL;
	return shape_record("sample", shape_json(metrics_shape, &s->root.metrics));
}

json_t *sample_schema(void)
{
	return shape_record_schema("sample", shape_schema(metrics_shape));
}
