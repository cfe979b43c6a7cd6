/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of the ledger: accounts of the tree, processes, threads and commands; objects, wakers. */
#include "states.h"
#include "summary_shape.h"

/* Rows written at each tick; the summary has all that the report holds. */
#define TICK_ROWS 16

const struct shape wait_shape[] = {
	SHAPE_IS(U64, wait_stat, ns, UNIT_NS, COUNTER, "time spent in it"),
	SHAPE_IS(U64, wait_stat, count, UNIT_COUNT, COUNTER, "times it was entered"),
	SHAPE_IS(U64, wait_stat, max_ns, UNIT_NS, GAUGE, "longest stay"),
	SHAPE_IS(U64, wait_stat, min_ns, UNIT_NS, GAUGE, "shortest stay"),
	SHAPE_IS(U64, wait_stat, p50_ns, UNIT_NS, GAUGE,
		 "median stay, within 7 %; 0 without a histogram"),
	SHAPE_IS(U64, wait_stat, p95_ns, UNIT_NS, GAUGE, "95 % of the stays were not longer"),
	SHAPE_IS(U64, wait_stat, p99_ns, UNIT_NS, GAUGE, "99 % of the stays were not longer"),
	{}
};

static const char *state_key(const void *row, size_t i)
{
	(void)row;
	return ledger_state_names[i];
}

static bool state_entered(const void *row)
{
	const struct wait_stat *w = row;

	return w->ns || w->count;
}

#define STATES(struct_, account_, present_)                                                        \
	{                                                                                          \
		.key = "states", .type = SHAPE_DICT,                                               \
		.help = "time by state; the states and residual_ns add up to lifetime_ns. "        \
			"A state that never was may be left out",                                  \
		.offset = offsetof(struct struct_, account_.states),                               \
		.size = sizeof(struct wait_stat), .count = LEDGER_STATES, .inline_array = true,    \
		.row_key = state_key, .row_present = present_, .sub = wait_shape                   \
	}

#define ACCOUNT(struct_, account_)                                                                 \
	SHAPE_AS("lifetime_ns", U64, struct_, account_.lifetime_ns, UNIT_NS, COUNTER,              \
		 "life of its threads together: from birth or attach to exit or now"),             \
		SHAPE_AS("residual_ns", I64, struct_, account_.residual_ns, UNIT_NS, GAUGE,        \
			 "lifetime that no state accounts for"),                                   \
		SHAPE_AS("user_ns", U64, struct_, account_.user_ns, UNIT_NS, COUNTER,              \
			 "of on_cpu: in user mode, split as the kernel's utime and stime; of "     \
			 "less than 100 ms on_cpu the ticks they are counted in say nothing"),     \
		SHAPE_AS("system_ns", U64, struct_, account_.system_ns, UNIT_NS, COUNTER,          \
			 "of on_cpu: in the kernel"),                                              \
		SHAPE_AS("voluntary", U64, struct_, account_.voluntary, UNIT_COUNT, COUNTER,       \
			 "switches away that blocked"),                                            \
		SHAPE_AS("involuntary", U64, struct_, account_.involuntary, UNIT_COUNT, COUNTER,   \
			 "switches away that did not block")

static const struct shape thread_shape[] = {
	SHAPE_IS(U32, thread_row, tid, UNIT_NONE, INFO, "thread ID"),
	SHAPE_IS(CHARS, thread_row, comm, UNIT_NONE, INFO, "name of the thread"),
	SHAPE_IS(BOOL, thread_row, alive, UNIT_NONE, INFO, "whether it still lives"),
	SHAPE_IS(U64, thread_row, start_ns, UNIT_NS, INFO, "birth, CLOCK_MONOTONIC"),
	ACCOUNT(thread_row, account),
	STATES(thread_row, account, state_entered),
	{}
};

static bool exited_by_code(const void *base)
{
	const struct process_row *p = base;

	return p->has_exit && !p->exit_signal;
}

static bool killed(const void *base)
{
	const struct process_row *p = base;

	return p->has_exit && p->exit_signal;
}

static bool ended(const void *base)
{
	return !((const struct process_row *)base)->alive;
}

/* Base: the process_row itself (offset 0 of the parent table). */
static const struct shape exit_shape[] = {
	{ .key = "code",
	  .type = SHAPE_INT,
	  .offset = offsetof(struct process_row, exit_code),
	  .nullable = true,
	  .present = exited_by_code,
	  .help = "exit code; null when it lives or a signal ended it" },
	{ .key = "signal",
	  .type = SHAPE_INT,
	  .offset = offsetof(struct process_row, exit_signal),
	  .nullable = true,
	  .present = killed,
	  .help = "number of the signal that ended it, or null" },
	{}
};

#define PROCESS_ROWS                                                                               \
	SHAPE_IS(U32, process_row, pid, UNIT_NONE, INFO, "process ID; 0: not visible to dwell"),   \
		SHAPE_IS(U32, process_row, ppid, UNIT_NONE, INFO,                                  \
			 "parent's process ID at its birth"),                                      \
		SHAPE_IS(U32, process_row, proc_id, UNIT_NONE, INFO,                               \
			 "number of the process in this report; not used again, as a PID may be"), \
		SHAPE_IS(CHARS, process_row, comm, UNIT_NONE, INFO, "its command's name"),         \
		SHAPE_IS(BOOL, process_row, alive, UNIT_NONE, INFO, "whether it still lives"),     \
		{ .key = "exit",                                                                   \
		  .type = SHAPE_OBJECT,                                                            \
		  .sub = exit_shape,                                                               \
		  .help = "how it ended" },                                                        \
		SHAPE_IS(U64, process_row, start_ns, UNIT_NS, INFO, "birth, CLOCK_MONOTONIC"),     \
		{ .key = "end_ns",                                                                 \
		  .type = SHAPE_U64,                                                               \
		  .unit = UNIT_NS,                                                                 \
		  .optional = true,                                                                \
		  .present = ended,                                                                \
		  .offset = offsetof(struct process_row, end_ns),                                  \
		  .help = "end, CLOCK_MONOTONIC" },                                                \
		SHAPE_IS(U32, process_row, threads_born, UNIT_COUNT, COUNTER, "threads it had"),   \
		SHAPE_IS(U32, process_row, threads_live, UNIT_COUNT, GAUGE,                        \
			 "threads that still live"),                                               \
		ACCOUNT(process_row, account), STATES(process_row, account, state_entered)

static const struct shape process_shape[] = {
	PROCESS_ROWS,
	SHAPE_ROWS("threads", process_row, threads, nthreads, thread_shape, "its threads, bounded"),
	SHAPE_IS(U32, process_row, threads_cut, UNIT_COUNT, GAUGE,
		 "threads that are in the sums but have no row"),
	{}
};

static const struct shape process_tick_shape[] = { PROCESS_ROWS, {} };

static const struct shape command_shape[] = {
	SHAPE_IS(CHARS, command_row, comm, UNIT_NONE, INFO, "name of the command"),
	SHAPE_IS(U64, command_row, processes, UNIT_COUNT, COUNTER, "processes of that name"),
	SHAPE_IS(U64, command_row, threads, UNIT_COUNT, COUNTER, "threads of that name"),
	ACCOUNT(command_row, account),
	STATES(command_row, account, state_entered),
	{}
};

/* Both rows have an enum ledger_state; its name is all that is told. */
static json_t *state_json(const void *at)
{
	return json_string(ledger_state_names[*(const enum ledger_state *)at]);
}

static json_t *state_schema(void)
{
	json_t *names = json_array();

	for (size_t i = 0; i < LEDGER_STATES; i++)
		json_array_append_new(names, json_string(ledger_state_names[i]));
	return json_pack("{s:s, s:o}", "type", "string", "enum", names);
}

#define STATE(struct_)                                                                             \
	{                                                                                          \
		.key = "state", .type = SHAPE_CUSTOM, .offset = offsetof(struct struct_, state),   \
		.make = state_json, .schema = state_schema, .help = "the state it was blocked in"  \
	}

static const struct shape object_shape[] = {
	SHAPE_IS(U32, object_row, pid, UNIT_NONE, INFO, "the process that waited; 0: of several"),
	SHAPE_IS(CHARS, object_row, comm, UNIT_NONE, INFO, "its command's name"),
	STATE(object_row),
	SHAPE_IS(STR, object_row, kind, UNIT_NONE, INFO, "file, socket, pipe, futex, …"),
	SHAPE_IS(STR, object_row, name, UNIT_NONE, INFO, "path, addresses, inode or address"),
	SHAPE_IS(U64, object_row, ns, UNIT_NS, COUNTER, "time waited for it"),
	SHAPE_IS(U64, object_row, count, UNIT_COUNT, COUNTER, "waits"),
	SHAPE_IS(U64, object_row, max_ns, UNIT_NS, GAUGE, "longest wait"),
	{}
};

static bool by_thread(const void *base)
{
	return ((const struct waker_row *)base)->waker_tid;
}

static const struct shape waker_shape[] = {
	SHAPE_IS(U32, waker_row, pid, UNIT_NONE, INFO, "process of the sleeper"),
	SHAPE_IS(U32, waker_row, tid, UNIT_NONE, INFO, "the sleeper"),
	SHAPE_IS(CHARS, waker_row, comm, UNIT_NONE, INFO, "name of the sleeper"),
	STATE(waker_row),
	SHAPE_IS(STR, waker_row, waker, UNIT_NONE, INFO, "who woke it: thread, timer or interrupt"),
	{ .key = "waker_tid",
	  .type = SHAPE_U32,
	  .nullable = true,
	  .present = by_thread,
	  .offset = offsetof(struct waker_row, waker_tid),
	  .help = "the waking thread, or null" },
	{ .key = "waker_comm",
	  .type = SHAPE_CHARS,
	  .nullable = true,
	  .present = by_thread,
	  .offset = offsetof(struct waker_row, waker_comm),
	  .size = COMM_LEN,
	  .help = "its name, or null" },
	SHAPE_IS(U64, waker_row, count, UNIT_COUNT, COUNTER, "wakeups"),
	SHAPE_IS(U64, waker_row, ns, UNIT_NS, COUNTER, "time blocked that they ended"),
	{}
};

const struct shape bucket_shape[] = {
	SHAPE_IS(U64, hist_row, floor_ns, UNIT_NS, INFO, "lowest value of the bucket"),
	SHAPE_IS(U64, hist_row, ceil_ns, UNIT_NS, INFO, "lowest value above it"),
	SHAPE_IS(U64, hist_row, count, UNIT_COUNT, HISTOGRAM, "waits"),
	{}
};

#define LEDGER(type_, key_, member_, sub_, limit_, help_)                                          \
	{                                                                                          \
		.key = key_, .type = SHAPE_##type_,                                                \
		.offset = offsetof(struct report, ledger.member_),                                 \
		.count_offset = offsetof(struct report, ledger.n##member_), .limit = (limit_),     \
		.size = sizeof(*((struct report *)0)->ledger.member_), .sub = (sub_),              \
		.help = (help_)                                                                    \
	}

static bool has_stolen(const void *base)
{
	return ((const struct report *)base)->ledger.has_stolen;
}

#define STOLEN                                                                                     \
	{                                                                                          \
		.key = "stolen_ns", .type = SHAPE_U64, .unit = UNIT_NS, .kind = METRIC_COUNTER,    \
		.help = "of on_cpu: the CPU was an interrupt's, or the host's of this virtual "    \
			"machine; absent where the kernel does not tell",                          \
		.offset = offsetof(struct report, ledger.stolen_ns), .optional = true,             \
		.present = has_stolen                                                              \
	}

#define LEDGER_TABLE(process_, limit_)                                                             \
	ACCOUNT(report, ledger.tree), STOLEN, STATES(report, ledger.tree, NULL),                   \
		LEDGER(LIST, "processes", processes, process_, limit_, "processes by lifetime"),   \
		SHAPE_AS("processes_cut", U64, report, ledger.processes_cut, UNIT_COUNT, GAUGE,    \
			 "processes that are in the sums but that the report has no row for"),     \
		LEDGER(LIST, "commands", commands, command_shape, limit_,                          \
		       "accounts by name of the command"),                                         \
		LEDGER(LIST, "objects", objects, object_shape, limit_,                             \
		       "what was waited for, by time"),                                            \
		LEDGER(LIST, "wakers", wakers, waker_shape, limit_,                                \
		       "who woke whom, by the time blocked"),                                      \
		LEDGER(LIST, "runqueue", runqueue, bucket_shape, 0,                                \
		       "waits for a CPU by length: the buckets that are not empty"),               \
	{                                                                                          \
	}

const struct shape ledger_shape[] = { LEDGER_TABLE(process_shape, 0) };
const struct shape ledger_tick_shape[] = { LEDGER_TABLE(process_tick_shape, TICK_ROWS) };

bool ledger_reported(const struct report *r)
{
	return r->ledger.present;
}
