/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A shape is one table that says what a JSON object holds: key, type, unit, kind, help,
 * and where the value stands in a C struct. The writer, the JSON Schema and docs are
 * all made from it, so they cannot disagree. A table ends with {}.
 *
 * Integers are JSON integers; what exceeds INT64_MAX is written as INT64_MAX. Text need
 * not be UTF-8: bytes that are not become U+FFFD.
 */
#ifndef DWELL_SHAPE_H
#define DWELL_SHAPE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum shape_type {
	SHAPE_END,
	SHAPE_U64,
	SHAPE_U32,
	SHAPE_I64,
	SHAPE_INT,
	SHAPE_F64,
	SHAPE_F32,
	SHAPE_BOOL,
	SHAPE_STR,    /* const char * at offset; NULL: null, or left out when optional */
	SHAPE_CHARS,  /* char[] at offset, NUL-ended or not, `size` bytes */
	SHAPE_STRS,   /* const char *[]: the rows of a list, each a string */
	SHAPE_OBJECT, /* struct at offset, described by sub */
	SHAPE_LIST,   /* rows of `size` bytes each, described by sub: an array of objects */
	SHAPE_DICT,   /* the same rows as an object: row_key() is the key of each */
	SHAPE_CUSTOM, /* value made by `make`, its schema by `sub` or `schema` */
};

enum metric_unit {
	UNIT_NONE,
	UNIT_NS,
	UNIT_BYTES,
	UNIT_KB,
	UNIT_COUNT,
	UNIT_RATIO,
	UNIT_PERCENT,
	UNIT_SECONDS,
	UNIT_MS,
};

enum metric_kind { METRIC_INFO, METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/*
 * Rows (STRS, LIST, DICT) are found by a pointer at `offset`, or stand at `offset`
 * itself (inline_array). Their number is `count`, or when that is 0 the size_t at
 * count_offset.
 */
struct shape {
	const char *key;
	enum shape_type type;
	enum metric_unit unit;
	enum metric_kind kind;
	const char *help;
	size_t offset;
	size_t size; /* of one row, or of the char array */
	size_t count_offset;
	size_t count;
	size_t limit; /* LIST, DICT: at most so many rows, the first; 0: all */
	const struct shape *sub;
	bool optional; /* the key may be absent */
	bool nullable; /* OBJECT, LIST, DICT: null when `present` says no */
	bool inline_array;
	bool flat; /* OBJECT: the members of sub stand in the parent itself; it has no key */
	bool lone; /* LIST, DICT: a row is the first member of sub, without braces */
	/* optional, nullable: whether the value is there at all */
	bool (*present)(const void *base);
	/* SHAPE_DICT: the key of row i. With `count`, base-less: the schema lists the keys (row
	 * NULL) */
	const char *(*row_key)(const void *row, size_t i);
	/* LIST, DICT: whether to write this row; NULL: every row */
	bool (*row_present)(const void *row);
	/* SHAPE_CUSTOM: the value (new reference; NULL: absent), and its schema (new reference) */
	json_t *(*make)(const void *base);
	json_t *(*schema)(void);
};

/* Rows of a table whose key is the member's name: SHAPE_IS(U64, account, user_ns, UNIT_NS, COUNTER,
 * "…"). */
#define SHAPE_IS(type_, struct_, member_, unit_, kind_, help_)                                     \
	{                                                                                          \
		.key = #member_, .type = SHAPE_##type_, .unit = unit_, .kind = METRIC_##kind_,     \
		.help = help_, .offset = offsetof(struct struct_, member_),                        \
		.size = sizeof(((struct struct_ *)0)->member_)                                     \
	}
/* The same under another key. */
#define SHAPE_AS(key_, type_, struct_, member_, unit_, kind_, help_)                               \
	{                                                                                          \
		.key = key_, .type = SHAPE_##type_, .unit = unit_, .kind = METRIC_##kind_,         \
		.help = help_, .offset = offsetof(struct struct_, member_),                        \
		.size = sizeof(((struct struct_ *)0)->member_)                                     \
	}
/* The struct at member_ by the table sub_. */
#define SHAPE_SUB(key_, struct_, member_, sub_, help_)                                             \
	{                                                                                          \
		.key = key_, .type = SHAPE_OBJECT, .help = help_,                                  \
		.offset = offsetof(struct struct_, member_), .sub = sub_                           \
	}
/* The same, its members written into the parent. */
#define SHAPE_FLAT(struct_, member_, sub_)                                                         \
	{                                                                                          \
		.type = SHAPE_OBJECT, .flat = true, .offset = offsetof(struct struct_, member_),   \
		.sub = sub_                                                                        \
	}
/* The rows that the pointer member_ points to, count_ of them, as an array. */
#define SHAPE_ROWS(key_, struct_, member_, count_, sub_, help_)                                    \
	{                                                                                          \
		.key = key_, .type = SHAPE_LIST, .help = help_,                                    \
		.offset = offsetof(struct struct_, member_),                                       \
		.size = sizeof(*((struct struct_ *)0)->member_),                                   \
		.count_offset = offsetof(struct struct_, count_), .sub = sub_                      \
	}
/* The same rows as an object keyed by row_key_(row). */
#define SHAPE_KEYED(key_, struct_, member_, count_, row_key_, sub_, help_)                         \
	{                                                                                          \
		.key = key_, .type = SHAPE_DICT, .help = help_,                                    \
		.offset = offsetof(struct struct_, member_),                                       \
		.size = sizeof(*((struct struct_ *)0)->member_),                                   \
		.count_offset = offsetof(struct struct_, count_), .row_key = row_key_, .sub = sub_ \
	}

/* New reference: the object that `table` makes of the struct at `base`. NULL: no memory. */
json_t *shape_json(const struct shape *table, const void *base);
/* New reference: the value of one member of it that is not flat. NULL: it is absent. */
json_t *shape_member(const struct shape *s, const void *base);
/* The rows of a STRS, LIST or DICT member, and how many. */
const void *shape_rows(const struct shape *s, const void *base, size_t *n);
/* New reference: JSON Schema of that object (type, properties, required, additionalProperties
 * false). */
json_t *shape_schema(const struct shape *table);
/*
 * A record is an object with a `kind` and then what an object or schema has; takes `rest`.
 * New references.
 */
json_t *shape_record(const char *kind, json_t *rest);
json_t *shape_record_schema(const char *kind, json_t *rest);
/* New reference: a JSON string of at most len bytes, ended by a NUL if one comes first. */
json_t *shape_text(const char *text, size_t len);
/* "ns", "bytes", …; "" for UNIT_NONE. */
const char *metric_unit_name(enum metric_unit unit);
/* "counter", "gauge", …; "" for METRIC_INFO. */
const char *metric_kind_name(enum metric_kind kind);

#endif
