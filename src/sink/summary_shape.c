/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON of the summary record: what is known of the run, then each probe's part by its own
 * table, then how far to trust it.
 */
#include "summary_shape.h"

#include <string.h>

#include "probe.h"

/* --- trust --- */

static json_t *error_json(const void *at)
{
	int error = *(const int *)at;
	const char *name = strerrorname_np(-error);

	if (!error)
		return json_null();
	return name ? json_string(name) : json_sprintf("%d", -error);
}

static json_t *error_schema(void)
{
	return json_pack("{s:[s,s]}", "type", "string", "null");
}

static const struct shape attempt_shape[] = { SHAPE_IS(STR, source_attempt, name, UNIT_NONE, INFO,
						       "the source"),
					      { .key = "error",
						.type = SHAPE_CUSTOM,
						.offset = offsetof(struct source_attempt, error),
						.make = error_json,
						.schema = error_schema,
						.help = "errno by name; null: it attached" },
					      { .key = "what",
						.type = SHAPE_STR,
						.nullable = true,
						.offset = offsetof(struct source_attempt, what),
						.help = "what failed" },
					      {} };

static const struct shape source_shape[] = { { .key = "chosen",
					       .type = SHAPE_STR,
					       .nullable = true,
					       .offset = offsetof(struct source_row, chosen),
					       .help = "the source in use; null: none" },
					     SHAPE_ROWS("attempts", source_row, attempts, nattempts,
							attempt_shape,
							"all that were tried, in order"),
					     {} };

static const struct shape lost_shape[] = {
	SHAPE_IS(U64, named_count, count, UNIT_COUNT, COUNTER, "how many"), {}
};

static const struct shape reconcile_shape[] = {
	SHAPE_IS(STR, reconcile_row, unit, UNIT_NONE, INFO, "of ours, kernel, difference, worst"),
	SHAPE_IS(U64, reconcile_row, ours, UNIT_NONE, COUNTER, "the ledger's figure"),
	SHAPE_IS(U64, reconcile_row, kernel, UNIT_NONE, COUNTER, "the kernel's own"),
	SHAPE_IS(I64, reconcile_row, difference, UNIT_NONE, GAUGE, "ours - kernel"),
	SHAPE_IS(
		I64, reconcile_row, explained, UNIT_NONE, GAUGE,
		"of the difference: for reasons that were measured; the rest is held to the bound"),
	SHAPE_IS(F64, reconcile_row, percent, UNIT_PERCENT, GAUGE, "difference, of the kernel's"),
	SHAPE_IS(U64, reconcile_row, checked, UNIT_COUNT, COUNTER, "threads compared"),
	SHAPE_IS(U64, reconcile_row, broken, UNIT_COUNT, COUNTER, "threads out of bound"),
	SHAPE_IS(I64, reconcile_row, worst, UNIT_NONE, GAUGE, "largest difference of a thread"),
	SHAPE_IS(BOOL, reconcile_row, ok, UNIT_NONE, INFO, "whether the bound holds"),
	SHAPE_IS(STR, reconcile_row, bound, UNIT_NONE, INFO, "the bound"),
	{}
};

static bool bpf_timed(const void *base)
{
	return ((const struct trust *)base)->self_bpf_ns;
}

static const struct shape self_shape[] = {
	SHAPE_AS("cpu_ns", U64, trust, self_cpu_ns, UNIT_NS, COUNTER, "CPU time of dwell itself"),
	SHAPE_AS("rss_peak_bytes", U64, trust, self_rss_peak_bytes, UNIT_BYTES, GAUGE,
		 "its peak memory"),
	SHAPE_AS("map_bytes", U64, trust, self_map_bytes, UNIT_BYTES, GAUGE,
		 "memory of its BPF maps"),
	SHAPE_AS("start_ns", U64, trust, self_start_ns, UNIT_NS, GAUGE,
		 "from the start of dwell to that of the command"),
	SHAPE_AS("stop_ns", U64, trust, self_stop_ns, UNIT_NS, GAUGE,
		 "from the end of the command to the report"),
	{ .key = "bpf_ns",
	  .type = SHAPE_U64,
	  .unit = UNIT_NS,
	  .kind = METRIC_COUNTER,
	  .optional = true,
	  .present = bpf_timed,
	  .offset = offsetof(struct trust, self_bpf_ns),
	  .help = "run time of its BPF programs, when kernel.bpf_stats_enabled is set" },
	{}
};

static bool has_self(const void *base)
{
	return ((const struct trust *)base)->self_rss_peak_bytes;
}

static const char *source_key(const void *row, size_t i)
{
	(void)i;
	return ((const struct source_row *)row)->probe;
}

static const char *lost_key(const void *row, size_t i)
{
	(void)i;
	return ((const struct named_count *)row)->name;
}

static const char *reconcile_key(const void *row, size_t i)
{
	(void)i;
	return ((const struct reconcile_row *)row)->name;
}

static bool accounted(const void *base)
{
	return ((const struct trust *)base)->nreconcile;
}

const struct shape trust_shape[] = {
	{ .key = "accounted_percent",
	  .type = SHAPE_F64,
	  .unit = UNIT_PERCENT,
	  .kind = METRIC_GAUGE,
	  .optional = true,
	  .present = accounted,
	  .offset = offsetof(struct trust, accounted_percent),
	  .help = "share of the tree's lifetime that the states account for" },
	SHAPE_KEYED("sources", trust, sources, nsources, source_key, source_shape,
		    "how each probe is attached"),
	{ .key = "lost",
	  .type = SHAPE_DICT,
	  .offset = offsetof(struct trust, lost),
	  .size = sizeof(struct named_count),
	  .count_offset = offsetof(struct trust, nlost),
	  .row_key = lost_key,
	  .lone = true,
	  .sub = lost_shape,
	  .help = "what was lost, by kind; every kind there is, zero or not" },
	{ .key = "folded",
	  .type = SHAPE_DICT,
	  .offset = offsetof(struct trust, folded),
	  .size = sizeof(struct named_count),
	  .count_offset = offsetof(struct trust, nfolded),
	  .row_key = lost_key,
	  .lone = true,
	  .sub = lost_shape,
	  .help = "what has no row of its own but stands in totals or in rows named other, "
		  "by kind" },
	SHAPE_IS(U64, trust, lost_total, UNIT_COUNT, COUNTER, "sum of lost"),
	SHAPE_KEYED("reconcile", trust, reconcile, nreconcile, reconcile_key, reconcile_shape,
		    "the ledger against what the kernel counted on its own"),
	{ .key = "reconcile_ok",
	  .type = SHAPE_BOOL,
	  .optional = true,
	  .present = accounted,
	  .offset = offsetof(struct trust, reconcile_ok),
	  .help = "whether every bound holds" },
	{ .key = "notes",
	  .type = SHAPE_STRS,
	  .offset = offsetof(struct trust, notes),
	  .count_offset = offsetof(struct trust, nnotes),
	  .help = "what is missing, and why" },
	{ .key = "self",
	  .type = SHAPE_OBJECT,
	  .optional = true,
	  .present = has_self,
	  .sub = self_shape,
	  .help = "what dwell itself cost" },
	{}
};

/* --- the run --- */

static bool exited_by_code(const void *base)
{
	const struct report *r = base;

	return r->has_exit && !r->exit_signal;
}

static bool killed(const void *base)
{
	const struct report *r = base;

	return r->has_exit && r->exit_signal;
}

static const struct shape exit_shape[] = { { .key = "code",
					     .type = SHAPE_INT,
					     .offset = offsetof(struct report, exit_code),
					     .nullable = true,
					     .present = exited_by_code,
					     .help = "the command's exit code, or null" },
					   { .key = "signal",
					     .type = SHAPE_INT,
					     .offset = offsetof(struct report, exit_signal),
					     .nullable = true,
					     .present = killed,
					     .help = "the signal that ended it, or null" },
					   {} };

static const struct shape usage_shape[] = {
	SHAPE_IS(U64, usage, user_ns, UNIT_NS, COUNTER, "CPU time in user mode"),
	SHAPE_IS(U64, usage, system_ns, UNIT_NS, COUNTER, "CPU time in the kernel"),
	SHAPE_IS(U64, usage, max_rss_kb, UNIT_KB, GAUGE, "largest resident set of one process"),
	SHAPE_IS(U64, usage, minor_faults, UNIT_COUNT, COUNTER, "page faults without I/O"),
	SHAPE_IS(U64, usage, major_faults, UNIT_COUNT, COUNTER, "page faults with I/O"),
	SHAPE_IS(U64, usage, voluntary, UNIT_COUNT, COUNTER, "switches away that blocked"),
	SHAPE_IS(U64, usage, involuntary, UNIT_COUNT, COUNTER, "switches away that did not block"),
	SHAPE_IS(U64, usage, blocks_in, UNIT_COUNT, COUNTER,
		 "blocks of 512 bytes read from storage"),
	SHAPE_IS(U64, usage, blocks_out, UNIT_COUNT, COUNTER,
		 "blocks of 512 bytes written to storage"),
	{}
};

static json_t *version_json(const void *at)
{
	(void)at;
	return json_integer(SCHEMA_VERSION);
}

static json_t *version_schema(void)
{
	return json_pack("{s:i}", "const", SCHEMA_VERSION);
}

static bool has_usage(const void *base)
{
	return ((const struct report *)base)->usage.present;
}

static bool with_bpf(const void *base)
{
	return ((const struct report *)base)->bpf;
}

/* What only BPF counts: a walk of /proc misses what lives between two samples. */
#define COUNTED(key_, member_, kind_, help_)                                                       \
	{                                                                                          \
		.key = key_, .type = SHAPE_U64, .unit = UNIT_COUNT, .kind = METRIC_##kind_,        \
		.optional = true, .present = with_bpf, .offset = offsetof(struct report, member_), \
		.help = help_ ", when bpf is true"                                                 \
	}

static const struct shape run_shape[] = {
	{ .key = "schema_version",
	  .type = SHAPE_CUSTOM,
	  .make = version_json,
	  .schema = version_schema,
	  .help = "changes when a reader of this record has to" },
	{ .key = "target",
	  .type = SHAPE_STR,
	  .optional = true,
	  .offset = offsetof(struct report, target),
	  .help = "what was measured" },
	SHAPE_IS(BOOL, report, bpf, UNIT_NONE, INFO, "false: from /proc and wait4 alone"),
	SHAPE_IS(U64, report, wall_ns, UNIT_NS, COUNTER, "from the start to the end"),
	{ .key = "exit",
	  .type = SHAPE_OBJECT,
	  .sub = exit_shape,
	  .help = "how the command ended; both null: it did not, or is not ours" },
	COUNTED("processes", processes_born, COUNTER, "processes there were"),
	COUNTED("threads", threads_born, COUNTER, "threads there were"),
	COUNTED("processes_live", processes_live, GAUGE, "processes that still live"),
	COUNTED("threads_live", threads_live, GAUGE, "threads that still live"),
	COUNTED("execs", execs, COUNTER, "programs executed"),
	{ .key = "usage",
	  .type = SHAPE_OBJECT,
	  .optional = true,
	  .present = has_usage,
	  .offset = offsetof(struct report, usage),
	  .sub = usage_shape,
	  .help = "what wait4 says of the command and the children it waited for" },
	{ .key = "verdict",
	  .type = SHAPE_STR,
	  .optional = true,
	  .offset = offsetof(struct report, syscalls.analysis.verdict),
	  .help = "where the time went, in plain words" },
	{}
};

static const struct shape tail_shape[] = {
	SHAPE_SUB("trust", report, trust, trust_shape, "how far to trust the figures"), {}
};

static bool reported(const struct probe_class *class, const struct report *r)
{
	return class->shape && (!class->reported || class->reported(r));
}

json_t *summary_json(const struct report *r)
{
	json_t *record = shape_json(run_shape, r), *tail = shape_json(tail_shape, r);

	for (const struct probe_class *const *c = probe_classes; *c; c++)
		if (reported(*c, r))
			json_object_set_new(record, (*c)->name, shape_json((*c)->shape, r));
	json_object_update(record, tail);
	json_decref(tail);
	return shape_record("summary", record);
}

void summary_write(const struct report *r, struct shape_writer *w)
{
	shape_write_begin(w, NULL);
	shape_write_value(w, "kind", json_string("summary"));
	shape_write_members(w, run_shape, r);
	for (const struct probe_class *const *c = probe_classes; *c; c++) {
		if (!reported(*c, r))
			continue;
		shape_write_begin(w, (*c)->name);
		shape_write_members(w, (*c)->shape, r);
		shape_write_end(w);
	}
	shape_write_members(w, tail_shape, r);
	shape_write_end(w);
}

static void schema_add(json_t *schema, const char *key, json_t *member, bool required)
{
	json_object_set_new(json_object_get(schema, "properties"), key, member);
	if (required)
		json_array_append_new(json_object_get(schema, "required"), json_string(key));
}

static json_t *probe_schema(const struct probe_class *class, const struct shape *shape)
{
	json_t *schema = shape_schema(shape);

	json_object_set_new(schema, "description", json_string(class->summary));
	return schema;
}

json_t *summary_schema(void)
{
	json_t *schema = shape_schema(run_shape), *tail = shape_schema(tail_shape);

	for (const struct probe_class *const *c = probe_classes; *c; c++)
		if ((*c)->shape)
			schema_add(schema, (*c)->name, probe_schema(*c, (*c)->shape), false);
	schema_add(schema, "trust",
		   json_incref(json_object_get(json_object_get(tail, "properties"), "trust")),
		   true);
	json_decref(tail);
	return shape_record_schema("summary", schema);
}

json_t *probes_json(const struct report *r)
{
	json_t *probes = json_object();

	for (const struct probe_class *const *c = probe_classes; *c; c++)
		if (reported(*c, r))
			json_object_set_new(
				probes, (*c)->name,
				shape_json((*c)->tick_shape ? (*c)->tick_shape : (*c)->shape, r));
	return probes;
}

json_t *probes_schema(void)
{
	json_t *schema = json_pack("{s:s, s:{}, s:[], s:b}", "type", "object", "properties",
				   "required", "additionalProperties", 0);

	for (const struct probe_class *const *c = probe_classes; *c; c++)
		if ((*c)->shape)
			schema_add(
				schema, (*c)->name,
				probe_schema(*c, (*c)->tick_shape ? (*c)->tick_shape : (*c)->shape),
				false);
	return schema;
}
