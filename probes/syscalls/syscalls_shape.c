/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of the syscalls probe; see syscalls_shape.h. */
#include "syscalls_shape.h"

#include "names.h"
#include "report.h"
#include "summary_shape.h"

static const char *errno_key(const void *row, size_t i)
{
	static char buf[CALL_LABEL_LEN];

	return errno_label(((const struct errno_count *)row)->err, buf);
}

static const char *call_key(const void *row, size_t i)
{
	return ((const struct call_row *)row)->name;
}

static const char *class_key(const void *row, size_t i)
{
	return row ? ((const struct class_count *)row)->name : syscall_class_name(i);
}

static bool is_timed(const void *base)
{
	return ((const struct call_row *)base)->has_latency;
}

static bool has_histogram(const void *base)
{
	return ((const struct call_row *)base)->nhist;
}

static const struct shape error_shape[] = {
	SHAPE_IS(U64, errno_count, count, UNIT_COUNT, COUNTER, "calls that failed with it"),
	{},
};

static const struct shape call_shape[] = {
	SHAPE_IS(U64, call_row, count, UNIT_COUNT, COUNTER, "calls that returned"),
	SHAPE_AS("class", STR, call_row, class_name, UNIT_NONE, INFO, "its class, one of classes"),
	{ .key = "errors",
	  .type = SHAPE_DICT,
	  .offset = offsetof(struct call_row, errors),
	  .size = sizeof(struct errno_count),
	  .count_offset = offsetof(struct call_row, nerrors),
	  .row_key = errno_key,
	  .lone = true,
	  .sub = error_shape,
	  .help = "calls that failed, by errno; `other`: not known which" },
	{ .key = "time",
	  .type = SHAPE_OBJECT,
	  .optional = true,
	  .present = is_timed,
	  .offset = offsetof(struct call_row, time),
	  .sub = wait_shape,
	  .help = "with --syscall-latency: from the call to its return" },
	{ .key = "histogram",
	  .type = SHAPE_LIST,
	  .optional = true,
	  .present = has_histogram,
	  .offset = offsetof(struct call_row, hist),
	  .size = sizeof(struct hist_row),
	  .count_offset = offsetof(struct call_row, nhist),
	  .sub = bucket_shape,
	  .help = "with --syscall-latency: calls by time, the buckets that are not empty" },
	{},
};

static const struct shape opcode_shape[] = {
	SHAPE_IS(U64, call_row, count, UNIT_COUNT, COUNTER, "operations"),
	{},
};

static const struct shape class_shape[] = {
	SHAPE_IS(U64, class_count, count, UNIT_COUNT, COUNTER, "calls"),
	{},
};

static const struct shape process_shape[] = {
	SHAPE_IS(U32, process_row, pid, UNIT_NONE, INFO, "process ID; 0: not visible to dwell"),
	SHAPE_IS(U32, process_row, proc_id, UNIT_NONE, INFO,
		 "number of the process in this report"),
	SHAPE_IS(CHARS, process_row, comm, UNIT_NONE, INFO, "its command's name"),
	SHAPE_AS("total", U64, process_row, syscalls.total, UNIT_COUNT, COUNTER, "system calls"),
	{ .key = "calls",
	  .type = SHAPE_DICT,
	  .offset = offsetof(struct process_row, syscalls.calls),
	  .size = sizeof(struct call_row),
	  .count_offset = offsetof(struct process_row, syscalls.ncalls),
	  .row_key = call_key,
	  .sub = call_shape,
	  .help = "by name" },
	{},
};

static bool made_calls(const void *row)
{
	return ((const struct process_row *)row)->syscalls.total;
}

static bool has_uring(const void *base)
{
	return ((const struct report *)base)->syscalls.has_uring;
}

static const struct shape uring_shape[] = {
	SHAPE_AS("total", U64, report, syscalls.io_uring_ops, UNIT_COUNT, COUNTER,
		 "operations submitted"),
	{ .key = "operations",
	  .type = SHAPE_DICT,
	  .offset = offsetof(struct report, syscalls.uring),
	  .size = sizeof(struct call_row),
	  .count_offset = offsetof(struct report, syscalls.nuring),
	  .row_key = call_key,
	  .lone = true,
	  .sub = opcode_shape,
	  .help = "by name" },
	{},
};

#define TREE(member_) offsetof(struct report, syscalls.tree.member_)

/* clang-format off */
#define SYSCALLS_TABLE								\
	SHAPE_AS("total", U64, report, syscalls.tree.total, UNIT_COUNT, COUNTER,	\
		 "system calls"),						\
	{ .key = "calls", .type = SHAPE_DICT, .offset = TREE(calls),		\
	  .size = sizeof(struct call_row), .count_offset = TREE(ncalls),	\
	  .row_key = call_key, .sub = call_shape, .help = "by name" },		\
	{ .key = "classes", .type = SHAPE_DICT, .offset = TREE(classes),	\
	  .size = sizeof(struct class_count), .count_offset = TREE(nclasses),	\
	  .row_key = class_key, .lone = true, .sub = class_shape,		\
	  .help = "calls by what they do" },					\
	{ .key = "analysis", .type = SHAPE_OBJECT, .sub = analysis_shape,	\
	  .offset = offsetof(struct report, syscalls.analysis),			\
	  .help = "what kind of program it is" },				\
	{ .key = "io_uring", .type = SHAPE_OBJECT, .optional = true,		\
	  .present = has_uring, .sub = uring_shape,				\
	  .help = "operations, booked on who submitted them; absent: not counted" }
/* clang-format on */

const struct shape syscalls_tick_shape[] = { SYSCALLS_TABLE, {} };

const struct shape syscalls_shape[] = {
	SYSCALLS_TABLE,
	{ .key = "processes",
	  .type = SHAPE_LIST,
	  .size = sizeof(struct process_row),
	  .offset = offsetof(struct report, ledger.processes),
	  .count_offset = offsetof(struct report, ledger.nprocesses),
	  .row_present = made_calls,
	  .sub = process_shape,
	  .help = "by process, as the ledger's" },
	SHAPE_AS("processes_cut", U64, report, syscalls.processes_cut, UNIT_COUNT, GAUGE,
		 "processes that are in the sums but without a table of their own"),
	{},
};
