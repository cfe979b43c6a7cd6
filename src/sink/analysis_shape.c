/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of the behaviour analysis: denet's names, and beside them which evidence decided. */
#include "summary_shape.h"

static const struct shape profile_shape[] = {
	SHAPE_IS(STR, analysis, workload_type, UNIT_NONE, INFO, "the workload in a word"),
	SHAPE_IS(F64, analysis, bottleneck_likelihood, UNIT_RATIO, GAUGE,
		 "how likely its kind of bottleneck is, 0 to 1"),
	{ .key = "optimization_hints",
	  .type = SHAPE_STRS,
	  .inline_array = true,
	  .offset = offsetof(struct analysis, hints),
	  .count_offset = offsetof(struct analysis, nhints),
	  .help = "what to look at first" },
	{}
};

const struct shape analysis_shape[] = {
	SHAPE_AS("behavior_classification", STR, analysis, behavior, UNIT_NONE, INFO,
		 "io_bound, cpu_bound, memory_bound, network_bound, mixed or unknown"),
	SHAPE_IS(F64, analysis, syscall_rate_per_sec, UNIT_COUNT, GAUGE, "system calls a second"),
	SHAPE_IS(F64, analysis, io_intensity, UNIT_RATIO, GAUGE, "share of file I/O calls, 0 to 1"),
	SHAPE_IS(F64, analysis, memory_intensity, UNIT_RATIO, GAUGE,
		 "share of memory calls, 0 to 1"),
	SHAPE_IS(F64, analysis, cpu_intensity, UNIT_RATIO, GAUGE,
		 "share of process calls, 0 to 1: denet's stand-in for CPU use"),
	SHAPE_IS(F64, analysis, network_intensity, UNIT_RATIO, GAUGE,
		 "share of network calls, 0 to 1"),
	{ .key = "bottleneck_indicators",
	  .type = SHAPE_STRS,
	  .inline_array = true,
	  .offset = offsetof(struct analysis, indicators),
	  .count_offset = offsetof(struct analysis, nindicators),
	  .help = "rules that hold" },
	{ .key = "performance_profile",
	  .type = SHAPE_OBJECT,
	  .sub = profile_shape,
	  .help = "kind of workload" },
	{ .key = "decided_by",
	  .type = SHAPE_STR,
	  .optional = true,
	  .offset = offsetof(struct analysis, decided_by),
	  .help = "which evidence named the behaviour: ledger or syscalls" },
	{ .key = "rule",
	  .type = SHAPE_STR,
	  .optional = true,
	  .offset = offsetof(struct analysis, rule),
	  .help = "the rule that fired, with its figures" },
	{ .key = "verdict",
	  .type = SHAPE_STR,
	  .optional = true,
	  .offset = offsetof(struct analysis, verdict),
	  .help = "the ledger's verdict in plain words, with its figures" },
	{}
};
