/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of the stacks probe: how much was sampled, and how whole it is. */
#include "report.h"
#include "shape.h"
#include "stack_traces.h"
#include "stacks.h"
#include "stacks_user.h"

#define COUNT(key_, member_, help_)                                                                \
	{                                                                                          \
		.key = key_, .type = SHAPE_U64, .unit = UNIT_COUNT, .kind = METRIC_COUNTER,        \
		.help = help_, .offset = offsetof(struct report, stacks.member_)                   \
	}
#define TIME(key_, member_, help_)                                                                 \
	{                                                                                          \
		.key = key_, .type = SHAPE_U64, .unit = UNIT_NS, .kind = METRIC_COUNTER,           \
		.help = help_, .offset = offsetof(struct report, stacks.member_)                   \
	}

static const struct shape ends_shape[] = {
	COUNT("whole", ends[STACK_WHOLE], "reach the thread's start"),
	COUNT("deep", ends[STACK_DEEP], "have more than 127 frames"),
	COUNT("no_mapping", ends[STACK_NO_MAPPING], "meet an address in no known mapping"),
	COUNT("no_table", ends[STACK_NO_TABLE], "meet a file whose unwind table was not ready"),
	COUNT("no_row", ends[STACK_NO_ROW], "meet code without unwind information"),
	COUNT("no_rule", ends[STACK_NO_RULE], "meet an unwind rule that is not supported"),
	COUNT("unread", ends[STACK_UNREAD], "lie in memory that could not be read"),
	COUNT("no_progress", ends[STACK_NO_PROGRESS], "meet a caller that cannot be"),
	COUNT("no_process", ends[STACK_NO_PROCESS], "are of a process with unknown mappings"),
	COUNT("no_user", ends[STACK_NO_USER],
	      "have no user's part: inside execve, or as the thread ends"),
	{}
};

#define COMMON                                                                                     \
	TIME("quantum_ns", quantum_ns,                                                             \
	     "a wait is sampled when its thread has waited so long since its last sample; 0: "     \
	     "each wait"),                                                                         \
		{ .key = "frequency",                                                              \
		  .type = SHAPE_U32,                                                               \
		  .unit = UNIT_NONE,                                                               \
		  .kind = METRIC_INFO,                                                             \
		  .help = "samples a second on each CPU",                                          \
		  .offset = offsetof(struct report, stacks.frequency) },                           \
		{ .key = "clock",                                                                  \
		  .type = SHAPE_STR,                                                               \
		  .kind = METRIC_INFO,                                                             \
		  .help = "what samples the CPUs: cycles, or cpu-clock where there is no counter " \
			  "of them",                                                               \
		  .offset = offsetof(struct report, stacks.clock) },                               \
		COUNT("samples", samples, "stacks taken"),                                         \
		COUNT("truncated", truncated, "samples whose user's stack is not whole")

const struct shape stacks_tick_shape[] = { COMMON, {} };

const struct shape stacks_shape[] = {
	COMMON,
	{ .key = "ends",
	  .type = SHAPE_OBJECT,
	  .help = "samples by how their user's stack ends",
	  .offset = 0,
	  .sub = ends_shape },
	TIME("not_sampled_ns", not_sampled_ns, "time of threads' states in which no sample fell"),
	TIME("other_ns", other_ns, "time in rows called [other stacks]: there were too many"),
	{ .type = SHAPE_OBJECT, .flat = true, .sub = stack_traces_shape },
	{}
};
