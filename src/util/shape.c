/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walks a shape table over a struct and makes JSON of it, or, with no struct, the JSON
 * Schema of what it would make. Tables are trusted: they are constants of this program.
 */
#include "shape.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

const char *metric_unit_name(enum metric_unit unit)
{
	static const char *const names[] = {
		[UNIT_NONE] = "",     [UNIT_NS] = "ns",           [UNIT_BYTES] = "bytes",
		[UNIT_KB] = "KB",     [UNIT_COUNT] = "count",     [UNIT_RATIO] = "ratio",
		[UNIT_PERCENT] = "%", [UNIT_SECONDS] = "seconds", [UNIT_MS] = "ms",
	};

	return names[unit];
}

const char *metric_kind_name(enum metric_kind kind)
{
	static const char *const names[] = {
		[METRIC_INFO] = "",
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};

	return names[kind];
}

json_t *shape_text(const char *text, size_t len)
{
	char *clean, *to;
	json_t *string;

	len = strnlen(text, len);
	if (utf8_valid(text, len))
		return json_stringn_nocheck(text, len);
	to = clean = malloc(3 * len + 1); /* U+FFFD has three bytes */
	if (!clean)
		return NULL;
	while (len) {
		size_t good = utf8_length(text, len);

		if (good) {
			memcpy(to, text, good);
			to += good;
		} else {
			memcpy(to, "\xEF\xBF\xBD", 3);
			to += 3;
			good = 1;
		}
		text += good;
		len -= good;
	}
	string = json_stringn_nocheck(clean, (size_t)(to - clean));
	free(clean);
	return string;
}

static json_t *u64_json(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

/* JSON has no NaN; a float is written with the digits it has, not those of its double. */
static json_t *real_json(double v, bool single)
{
	char digits[32];

	if (!isfinite(v))
		return json_null();
	if (!single)
		return json_real(v);
	snprintf(digits, sizeof(digits), "%.7g", v);
	return json_real(strtod(digits, NULL));
}

static size_t row_count(const struct shape *s, const char *base)
{
	size_t n;

	if (s->count)
		return s->count;
	memcpy(&n, base + s->count_offset, sizeof(n));
	return s->limit && n > s->limit ? s->limit : n;
}

const void *shape_rows(const struct shape *s, const void *of, size_t *n)
{
	const char *base = of, *rows;

	*n = row_count(s, base);
	if (s->inline_array)
		return base + s->offset;
	memcpy(&rows, base + s->offset, sizeof(rows));
	return rows;
}

static json_t *row_json(const struct shape *s, const char *row)
{
	return s->lone ? shape_member(s->sub, row) : shape_json(s->sub, row);
}

static json_t *strings_json(const struct shape *s, const char *base)
{
	size_t n;
	const char *const *rows = shape_rows(s, base, &n);
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, shape_text(rows[i], SIZE_MAX));
	return array;
}

static json_t *list_json(const struct shape *s, const char *base)
{
	size_t n;
	const char *row = shape_rows(s, base, &n);
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++, row += s->size)
		if (!s->row_present || s->row_present(row))
			json_array_append_new(array, row_json(s, row));
	return array;
}

/* Two rows of one key: the later wins, as everywhere in JSON. */
static json_t *dict_json(const struct shape *s, const char *base)
{
	size_t n;
	const char *row = shape_rows(s, base, &n);
	json_t *object = json_object();

	for (size_t i = 0; i < n; i++, row += s->size)
		if (!s->row_present || s->row_present(row))
			json_object_set_new(object, s->row_key(row, i), row_json(s, row));
	return object;
}

/* Numbers and flags; memcpy because a table may point into packed or shared records. */
static json_t *scalar_json(const struct shape *s, const char *at)
{
	union {
		uint64_t u64;
		uint32_t u32;
		int64_t i64;
		int i;
		double f64;
		float f32;
		bool b;
	} v;

	switch (s->type) {
	case SHAPE_U64:
		memcpy(&v.u64, at, sizeof(v.u64));
		return u64_json(v.u64);
	case SHAPE_U32:
		memcpy(&v.u32, at, sizeof(v.u32));
		return u64_json(v.u32);
	case SHAPE_I64:
		memcpy(&v.i64, at, sizeof(v.i64));
		return json_integer(v.i64);
	case SHAPE_INT:
		memcpy(&v.i, at, sizeof(v.i));
		return json_integer(v.i);
	case SHAPE_F64:
		memcpy(&v.f64, at, sizeof(v.f64));
		return real_json(v.f64, false);
	case SHAPE_F32:
		memcpy(&v.f32, at, sizeof(v.f32));
		return real_json((double)v.f32, true);
	case SHAPE_BOOL:
		memcpy(&v.b, at, sizeof(v.b));
		return json_boolean(v.b);
	default:
		return NULL;
	}
}

json_t *shape_member(const struct shape *s, const void *of)
{
	const char *base = of, *text;

	if (s->present && !s->present(base))
		return s->nullable ? json_null() : NULL;
	switch (s->type) {
	case SHAPE_STR:
		memcpy(&text, base + s->offset, sizeof(text));
		if (!text)
			return s->optional ? NULL : json_null();
		return shape_text(text, SIZE_MAX);
	case SHAPE_CHARS:
		return shape_text(base + s->offset, s->size);
	case SHAPE_STRS:
		return strings_json(s, base);
	case SHAPE_OBJECT:
		return shape_json(s->sub, base + s->offset);
	case SHAPE_LIST:
		return list_json(s, base);
	case SHAPE_DICT:
		return dict_json(s, base);
	case SHAPE_CUSTOM:
		return s->make(base + s->offset);
	default:
		return scalar_json(s, base + s->offset);
	}
}

static void add_members(json_t *object, const struct shape *table, const char *base)
{
	for (const struct shape *s = table; s->type != SHAPE_END; s++) {
		json_t *value;

		if (s->flat && (!s->present || s->present(base)))
			add_members(object, s->sub, base + s->offset);
		value = s->flat ? NULL : shape_member(s, base);
		if (value)
			json_object_set_new(object, s->key, value);
	}
}

json_t *shape_json(const struct shape *table, const void *base)
{
	json_t *object = json_object();

	add_members(object, table, base);
	return object;
}

/* --- the schema --- */

static json_t *member_schema(const struct shape *s);

static json_t *row_schema(const struct shape *s)
{
	return s->lone ? member_schema(s->sub) : shape_schema(s->sub);
}

/* The values of an object of rows are all alike; a fixed number of rows has known keys. */
static json_t *dict_schema(const struct shape *s)
{
	json_t *schema =
		json_pack("{s:s, s:o}", "type", "object", "additionalProperties", row_schema(s));
	json_t *keys;

	if (!s->count)
		return schema;
	keys = json_array();
	for (size_t i = 0; i < s->count; i++)
		json_array_append_new(keys, json_string(s->row_key(NULL, i)));
	json_object_set_new(schema, "propertyNames", json_pack("{s:O}", "enum", keys));
	if (!s->row_present)
		json_object_set(schema, "required", keys);
	json_decref(keys);
	return schema;
}

static json_t *type_schema(const struct shape *s)
{
	switch (s->type) {
	case SHAPE_U64:
	case SHAPE_U32:
		return json_pack("{s:s, s:i}", "type", "integer", "minimum", 0);
	case SHAPE_I64:
	case SHAPE_INT:
		return json_pack("{s:s}", "type", "integer");
	case SHAPE_F64:
	case SHAPE_F32:
		return json_pack("{s:s}", "type", "number");
	case SHAPE_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case SHAPE_STRS:
		return json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string");
	case SHAPE_OBJECT:
		return shape_schema(s->sub);
	case SHAPE_LIST:
		return json_pack("{s:s, s:o}", "type", "array", "items", row_schema(s));
	case SHAPE_DICT:
		return dict_schema(s);
	case SHAPE_CUSTOM:
		return s->schema ? s->schema() : shape_schema(s->sub);
	default:
		return json_pack("{s:s}", "type", "string");
	}
}

/* "HELP (UNIT, KIND)" */
static void describe(json_t *schema, const struct shape *s)
{
	const char *unit = metric_unit_name(s->unit), *kind = metric_kind_name(s->kind);
	const char *comma = *unit && *kind ? ", " : "";
	json_t *text;

	if (!s->help)
		return;
	text = *unit || *kind ? json_sprintf("%s (%s%s%s)", s->help, unit, comma, kind)
			      : json_string(s->help);
	json_object_set_new(schema, "description", text);
}

static json_t *member_schema(const struct shape *s)
{
	json_t *schema = type_schema(s);

	if (s->nullable) {
		json_t *type = json_object_get(schema, "type");

		json_object_set_new(schema, "type", json_pack("[O, s]", type, "null"));
	}
	describe(schema, s);
	return schema;
}

/* optional: of a part that may be absent as a whole. */
static void add_schemas(json_t *properties, json_t *required, const struct shape *table,
			bool optional)
{
	for (const struct shape *s = table; s->type != SHAPE_END; s++) {
		if (s->flat) {
			add_schemas(properties, required, s->sub, optional || s->optional);
			continue;
		}
		json_object_set_new(properties, s->key, member_schema(s));
		if (!s->optional && !optional)
			json_array_append_new(required, json_string(s->key));
	}
}

json_t *shape_schema(const struct shape *table)
{
	json_t *properties = json_object(), *required = json_array();

	add_schemas(properties, required, table, false);
	return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties,
			 "required", required, "additionalProperties", 0);
}

json_t *shape_record(const char *kind, json_t *rest)
{
	json_t *record = json_pack("{s:s}", "kind", kind);

	json_object_update(record, rest);
	json_decref(rest);
	return record;
}

json_t *shape_record_schema(const char *kind, json_t *rest)
{
	json_t *properties = json_pack("{s:{s:s, s:s}}", "kind", "const", kind, "description",
				       "which record this is");
	json_t *required = json_pack("[s]", "kind");

	json_object_update(properties, json_object_get(rest, "properties"));
	json_array_extend(required, json_object_get(rest, "required"));
	json_object_set_new(rest, "properties", properties);
	json_object_set_new(rest, "required", required);
	return rest;
}
