/* SPDX-License-Identifier: BSD-2-Clause */
/* The stacks in JSON; stack_traces has denet's names, and ours beside them. */
#include "stack_traces.h"
#include "stacks.h"

#define AT(member_) offsetof(struct report, stacks.member_)
#define COUNT(key_, member_, unit_, kind_, help_)                                                  \
	{                                                                                          \
		.key = key_, .type = SHAPE_U64, .unit = unit_, .kind = METRIC_##kind_,             \
		.help = help_, .offset = AT(member_)                                               \
	}

static const struct shape frame_shape[] = {
	SHAPE_IS(
		U64, stack_trace_frame, address, UNIT_NONE, INFO,
		"in its module as the module counts, without one as in the process; 0: the kernel's, "
		"whose addresses change with every boot, or none"),
	SHAPE_IS(STR, stack_trace_frame, symbol, UNIT_NONE, INFO,
		 "function, or `module+0xoffset` when no name is known"),
	SHAPE_IS(STR, stack_trace_frame, source_location, UNIT_NONE, INFO,
		 "file:line; null: not known"),
	SHAPE_IS(STR, stack_trace_frame, module, UNIT_NONE, INFO,
		 "file that holds the code; null: none, as for JIT code"),
	SHAPE_IS(STR, stack_trace_frame, kind, UNIT_NONE, INFO,
		 "user, inlined, jit, python, kernel or waker"),
	{}
};

#define EVENT(type_, key_, unit_, kind_, help_)                                                    \
	{                                                                                          \
		.key = #key_, .type = SHAPE_##type_, .unit = unit_, .kind = METRIC_##kind_,        \
		.help = help_, .offset = offsetof(struct stack_trace, event.key_)                  \
	}

static const struct shape event_shape[] = {
	EVENT(U32, pid, UNIT_NONE, INFO, "process ID; of several the first"),
	EVENT(U32, tid, UNIT_NONE, INFO, "thread ID; 0: threads that have ended, together"),
	EVENT(U32, prev_state, UNIT_NONE, INFO,
	      "1: blocked; 0: it could run. The kernel's own number is not kept: see state"),
	EVENT(U64, offcpu_time_ns, UNIT_NS, COUNTER, "time_ns, but 0 of the state on_cpu"),
	EVENT(U64, start_time_ns, UNIT_NS, INFO,
	      "when the measuring began (CLOCK_MONOTONIC): a trace stands for many waits"),
	EVENT(U64, end_time_ns, UNIT_NS, INFO, "when it ended"),
	EVENT(INT, user_stack_id, UNIT_NONE, INFO, "the trace's place in this list; -1: none"),
	EVENT(INT, kernel_stack_id, UNIT_NONE, INFO, "the same for the kernel's part"),
	{}
};

static const struct shape id_shape[] = {
	{ .key = "id", .type = SHAPE_U32, .help = "pid, then tid" }, {}
};

static const struct shape pair_shape[] = { { .key = "pair",
					     .type = SHAPE_LIST,
					     .inline_array = true,
					     .lone = true,
					     .size = sizeof(uint32_t),
					     .count = 2,
					     .sub = id_shape },
					   {} };

static bool has_user(const void *base)
{
	return ((const struct stack_trace *)base)->user.n > 0;
}

static bool has_kernel(const void *base)
{
	return ((const struct stack_trace *)base)->kernel.n > 0;
}

static bool has_waker(const void *base)
{
	return ((const struct stack_trace *)base)->waker.n > 0;
}

#define FRAMES(key_, member_, present_, help_)                                                     \
	{                                                                                          \
		.key = key_, .type = SHAPE_LIST, .sub = frame_shape, .help = help_,                \
		.offset = offsetof(struct stack_trace, member_.rows),                              \
		.count_offset = offsetof(struct stack_trace, member_.n),                           \
		.size = sizeof(struct stack_trace_frame), .nullable = true, .present = present_    \
	}

static const struct shape trace_shape[] = {
	{ .key = "event",
	  .type = SHAPE_OBJECT,
	  .sub = event_shape,
	  .help = "who waited and for how long" },
	FRAMES("user_stack", user, has_user, "leaf first; null: none"),
	FRAMES("kernel_stack", kernel, has_kernel, "leaf first; null: none"),
	FRAMES("waker_stack", waker, has_waker,
	       "of the thread that ended the wait, leaf first; null: not asked for, or none"),
	SHAPE_IS(STR, stack_trace, process_name, UNIT_NONE, INFO, "the process's name"),
	SHAPE_IS(STR, stack_trace, thread_name, UNIT_NONE, INFO, "the thread's name"),
	SHAPE_IS(STR, stack_trace, user_stack_error, UNIT_NONE, INFO,
		 "why the stack is not whole or not there; null: it is whole"),
	SHAPE_IS(STR, stack_trace, kernel_stack_error, UNIT_NONE, INFO, "null"),
	SHAPE_IS(STR, stack_trace, state, UNIT_NONE, INFO, "of the ledger"),
	SHAPE_IS(U64, stack_trace, time_ns, UNIT_NS, COUNTER, "time of all its threads"),
	SHAPE_IS(U64, stack_trace, count, UNIT_COUNT, COUNTER,
		 "samples behind it; 0: time without a sample"),
	{ .key = "threads",
	  .type = SHAPE_LIST,
	  .lone = true,
	  .offset = offsetof(struct stack_trace, threads),
	  .count_offset = offsetof(struct stack_trace, nthreads),
	  .size = sizeof(struct stack_trace_thread),
	  .sub = pair_shape,
	  .help = "[pid, tid] of those that had it, bounded" },
	SHAPE_IS(U64, stack_trace, threads_cut, UNIT_COUNT, COUNTER, "threads beyond that bound"),
	{}
};

#define END(key_, end_, help_) COUNT(key_, ends[end_], UNIT_COUNT, COUNTER, help_)

static const struct shape ends_shape[] = {
	END("whole", STACK_WHOLE, "reached the thread's start"),
	END("deep", STACK_DEEP, "more frames than are walked"),
	END("no_mapping", STACK_NO_MAPPING, "an address in no known mapping"),
	END("no_table", STACK_NO_TABLE, "the file's unwind table was not made yet"),
	END("no_file", STACK_NO_FILE,
	    "the code's file, or its unwind information, could not be read"),
	END("no_room", STACK_NO_ROOM, "no room for the file's unwind table"),
	END("no_row", STACK_NO_ROW, "no unwind information there, nor a frame pointer"),
	END("no_rule", STACK_NO_RULE, "an unwind rule that the table cannot hold"),
	END("unread", STACK_UNREAD, "the stack's memory could not be read"),
	END("no_progress", STACK_NO_PROGRESS, "the walk came back to where it was"),
	END("no_process", STACK_NO_PROCESS, "the process's mappings are not known"),
	END("not_taken", STACK_NOT_TAKEN, "waits still, or has since before the attach"),
	END("no_user", STACK_NO_USER, "between two programs: inside of execve, or at the end"),
	{}
};

/* What both tables begin with. */
static const struct shape sampling_shape[] = {
	COUNT("quantum_ns", quantum_ns, UNIT_NS, INFO,
	      "a wait is sampled for each so much time off the CPU; 0: every wait"),
	{ .key = "frequency",
	  .type = SHAPE_U32,
	  .help = "samples a second of each CPU, on the CPU",
	  .offset = AT(frequency) },
	{ .key = "clock",
	  .type = SHAPE_STR,
	  .help = "what takes those: cycles, or cpu-clock where there is no counter of them; null: "
		  "nothing does",
	  .offset = AT(clock) },
	COUNT("samples", samples, UNIT_COUNT, COUNTER, "samples taken"),
	COUNT("truncated", truncated, UNIT_COUNT, COUNTER,
	      "of them, those whose stack is not whole"),
	{ .key = "ends",
	  .type = SHAPE_OBJECT,
	  .sub = ends_shape,
	  .help = "where the samples' stacks end" },
	COUNT("not_sampled_ns", not_sampled_ns, UNIT_NS, COUNTER,
	      "time of threads and states that no sample fell into"),
	COUNT("other_ns", other_ns, UNIT_NS, COUNTER, "time of stacks that did not fit a table"),
	{}
};

#define SAMPLING                                                                                   \
	{                                                                                          \
		.type = SHAPE_OBJECT, .flat = true, .sub = sampling_shape                          \
	}

const struct shape stacks_tick_shape[] = { SAMPLING, {} };

const struct shape stacks_shape[] = {
	SAMPLING,
	COUNT("time_ns", rows_ns, UNIT_NS, COUNTER,
	      "time of all stacks: of every thread in every state, on the CPU and off it"),
	{ .key = "stack_traces",
	  .type = SHAPE_LIST,
	  .sub = trace_shape,
	  .offset = AT(traces),
	  .count_offset = AT(ntraces),
	  .size = sizeof(struct stack_trace),
	  .help = "the stacks with the most time, bounded; --folded, --pprof and --speedscope have "
		  "all" },
	COUNT("stack_traces_cut", traces_cut, UNIT_COUNT, COUNTER, "stacks beyond that bound"),
	COUNT("stack_traces_cut_ns", traces_cut_ns, UNIT_NS, COUNTER, "their time"),
	{}
};

bool stacks_reported(const struct report *r)
{
	return r->stacks.present;
}
