/* SPDX-License-Identifier: BSD-2-Clause */
/* The table-driven writer: every type, what may be absent, and the schema of the same table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shape.h"
#include "utf8.h"

struct pair {
	const char *name;
	uint64_t n;
};

struct all {
	uint64_t u64;
	uint32_t u32;
	int64_t i64;
	int i;
	double f64;
	float f32;
	bool b, has_maybe;
	const char *str, *null;
	char chars[4];
	const char *strs[3];
	size_t nstrs;
	struct pair *pairs;
	size_t npairs;
	struct pair fixed[2];
};

static const struct shape pair_shape[] = { SHAPE_IS(U64, pair, n, UNIT_COUNT, COUNTER, "how many"),
					   {} };

static const char *pair_key(const void *row, size_t i)
{
	(void)i;
	return ((const struct pair *)row)->name;
}

struct outer {
	uint64_t before;
	struct pair pair;
	bool has_pair;
};

static bool has_pair(const void *base)
{
	return ((const struct outer *)base)->has_pair;
}

static const struct shape flat_shape[] = {
	SHAPE_IS(U64, outer, before, UNIT_COUNT, COUNTER, "first"),
	SHAPE_FLAT(outer, pair, pair_shape),
	{},
};

static const struct shape maybe_flat_shape[] = {
	{ .type = SHAPE_OBJECT,
	  .flat = true,
	  .optional = true,
	  .present = has_pair,
	  .offset = offsetof(struct outer, pair),
	  .sub = pair_shape },
	{},
};

static void is_json(json_t *value, const char *wanted)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(text, wanted);
	free(text);
	json_decref(value);
}

static void a_flat_part_stands_in_its_parent(void **state)
{
	struct outer outer = { .before = 1, .pair = { .n = 2 } };
	json_t *schema;

	is_json(shape_json(flat_shape, &outer), "{\"before\":1,\"n\":2}");
	is_json(shape_json(maybe_flat_shape, &outer), "{}");
	outer.has_pair = true;
	is_json(shape_json(maybe_flat_shape, &outer), "{\"n\":2}");
	schema = shape_schema(flat_shape);
	assert_int_equal(json_array_size(json_object_get(schema, "required")), 2);
	assert_non_null(json_object_get(json_object_get(schema, "properties"), "n"));
	json_decref(schema);
	schema = shape_schema(maybe_flat_shape);
	assert_int_equal(json_array_size(json_object_get(schema, "required")), 0);
	json_decref(schema);
}

static const char *fixed_key(const void *row, size_t i)
{
	(void)row;
	return i ? "second" : "first";
}

static bool pair_counts(const void *row)
{
	return ((const struct pair *)row)->n;
}

static bool has_maybe(const void *base)
{
	return ((const struct all *)base)->has_maybe;
}

static json_t *twice(const void *at)
{
	return json_integer(2 * *(const int *)at);
}

static json_t *even_schema(void)
{
	return json_pack("{s:s, s:i}", "type", "integer", "multipleOf", 2);
}

static const struct shape all_shape[] = { SHAPE_IS(U64, all, u64, UNIT_NS, COUNTER, "time"),
					  SHAPE_IS(U32, all, u32, UNIT_NONE, INFO, NULL),
					  SHAPE_IS(I64, all, i64, UNIT_NONE, INFO, NULL),
					  SHAPE_IS(INT, all, i, UNIT_NONE, INFO, NULL),
					  SHAPE_IS(F64, all, f64, UNIT_NONE, INFO, NULL),
					  SHAPE_IS(F32, all, f32, UNIT_NONE, INFO, NULL),
					  SHAPE_IS(BOOL, all, b, UNIT_NONE, INFO, NULL),
					  SHAPE_IS(STR, all, str, UNIT_NONE, INFO, NULL),
					  { .key = "null",
					    .type = SHAPE_STR,
					    .nullable = true,
					    .offset = offsetof(struct all, null) },
					  { .key = "none",
					    .type = SHAPE_STR,
					    .optional = true,
					    .offset = offsetof(struct all, null) },
					  SHAPE_IS(CHARS, all, chars, UNIT_NONE, INFO, NULL),
					  { .key = "strs",
					    .type = SHAPE_STRS,
					    .inline_array = true,
					    .offset = offsetof(struct all, strs),
					    .count_offset = offsetof(struct all, nstrs) },
					  SHAPE_ROWS("list", all, pairs, npairs, pair_shape, NULL),
					  SHAPE_KEYED("dict", all, pairs, npairs, pair_key,
						      pair_shape, NULL),
					  { .key = "lone",
					    .type = SHAPE_DICT,
					    .offset = offsetof(struct all, pairs),
					    .size = sizeof(struct pair),
					    .count_offset = offsetof(struct all, npairs),
					    .limit = 1,
					    .row_key = pair_key,
					    .lone = true,
					    .sub = pair_shape },
					  { .key = "fixed",
					    .type = SHAPE_DICT,
					    .inline_array = true,
					    .count = 2,
					    .offset = offsetof(struct all, fixed),
					    .size = sizeof(struct pair),
					    .row_key = fixed_key,
					    .row_present = pair_counts,
					    .sub = pair_shape },
					  { .key = "maybe",
					    .type = SHAPE_INT,
					    .optional = true,
					    .present = has_maybe,
					    .offset = offsetof(struct all, i) },
					  { .key = "void",
					    .type = SHAPE_INT,
					    .nullable = true,
					    .present = has_maybe,
					    .offset = offsetof(struct all, i) },
					  { .key = "made",
					    .type = SHAPE_CUSTOM,
					    .offset = offsetof(struct all, i),
					    .make = twice,
					    .schema = even_schema },
					  {} };

static struct pair two[] = { { "x", 1 }, { "y", 2 } };

static const struct all example = {
	.u64 = 1ULL << 62,
	.u32 = 4294967295U,
	.i64 = -5,
	.i = 7,
	.f64 = 0.25,
	.f32 = 12.3f,
	.b = true,
	.str = "text",
	.chars = "abcd",
	.strs = { "p", "q" },
	.nstrs = 2,
	.pairs = two,
	.npairs = 2,
	.fixed = { { NULL, 0 }, { NULL, 9 } },
};

static void check_text(json_t *json, const char *want)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(12));

	assert_string_equal(text, want);
	free(text);
	json_decref(json);
}

static void every_type_is_written(void **state)
{
	check_text(
		shape_json(all_shape, &example),
		"{\"u64\":4611686018427387904,\"u32\":4294967295,\"i64\":-5,\"i\":7,\"f64\":0.25,"
		"\"f32\":12.3,\"b\":true,\"str\":\"text\",\"null\":null,\"chars\":\"abcd\","
		"\"strs\":[\"p\",\"q\"],\"list\":[{\"n\":1},{\"n\":2}],"
		"\"dict\":{\"x\":{\"n\":1},\"y\":{\"n\":2}},\"lone\":{\"x\":1},"
		"\"fixed\":{\"second\":{\"n\":9}},\"void\":null,\"made\":14}");
}

static void what_is_there_is_written(void **state)
{
	struct all a = example;
	json_t *json;

	a.has_maybe = true;
	json = shape_json(all_shape, &a);
	assert_int_equal(json_integer_value(json_object_get(json, "maybe")), 7);
	assert_int_equal(json_integer_value(json_object_get(json, "void")), 7);
	json_decref(json);
}

static void numbers_that_json_lacks(void **state)
{
	struct all a = example;
	json_t *json;

	a.u64 = UINT64_MAX;
	a.f64 = NAN;
	json = shape_json(all_shape, &a);
	assert_true(json_integer_value(json_object_get(json, "u64")) == INT64_MAX);
	assert_true(json_is_null(json_object_get(json, "f64")));
	json_decref(json);
}

static void text_becomes_utf8(void **state)
{
	static const struct {
		const char *bytes, *want;
	} cases[] = {
		{ "plain", "plain" },
		{ "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80" },
		{ "a\xFFz", "a\xEF\xBF\xBDz" },
		{ "\xC3", "\xEF\xBF\xBD" },                                 /* cut off */
		{ "\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD" },                 /* overlong */
		{ "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" }, /* surrogate */
		{ "", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_t *text = shape_text(cases[i].bytes, SIZE_MAX);

		assert_string_equal(json_string_value(text), cases[i].want);
		assert_true(utf8_valid(cases[i].want, strlen(cases[i].want)));
		json_decref(text);
	}
}

static const json_t *property(const json_t *schema, const char *key)
{
	const json_t *p = json_object_get(json_object_get(schema, "properties"), key);

	assert_non_null(p);
	return p;
}

static bool required(const json_t *schema, const char *key)
{
	const json_t *name;
	size_t i;

	json_array_foreach(json_object_get(schema, "required"), i,
			   name) if (!strcmp(json_string_value(name), key)) return true;
	return false;
}

static void the_schema_says_the_same(void **state)
{
	json_t *schema = shape_schema(all_shape), *part;

	assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
	assert_true(required(schema, "u64") && required(schema, "null") &&
		    required(schema, "void"));
	assert_false(required(schema, "none") || required(schema, "maybe"));
	part = json_deep_copy(property(schema, "u64"));
	check_text(part,
		   "{\"type\":\"integer\",\"minimum\":0,\"description\":\"time (ns, counter)\"}");
	check_text(json_deep_copy(property(schema, "null")), "{\"type\":[\"string\",\"null\"]}");
	check_text(json_deep_copy(property(schema, "made")),
		   "{\"type\":\"integer\",\"multipleOf\":2}");
	check_text(json_deep_copy(property(schema, "strs")),
		   "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}");
	check_text(
		json_deep_copy(property(schema, "lone")),
		"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\",\"minimum\":0,"
		"\"description\":\"how many (count, counter)\"}}");
	assert_non_null(json_object_get(property(schema, "fixed"), "propertyNames"));
	assert_null(json_object_get(property(schema, "fixed"), "required"));
	json_decref(schema);
}

static void a_record_begins_with_its_kind(void **state)
{
	check_text(shape_record("k", json_pack("{s:i}", "n", 1)), "{\"kind\":\"k\",\"n\":1}");
	check_text(shape_record_schema("k", shape_schema(pair_shape)),
		   "{\"type\":\"object\",\"properties\":{\"kind\":{\"const\":\"k\",\"description\":"
		   "\"which record this is\"},\"n\":{\"type\":\"integer\",\"minimum\":0,"
		   "\"description\":\"how many (count, counter)\"}},\"required\":[\"kind\",\"n\"],"
		   "\"additionalProperties\":false}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flat_part_stands_in_its_parent),
		cmocka_unit_test(every_type_is_written),
		cmocka_unit_test(what_is_there_is_written),
		cmocka_unit_test(numbers_that_json_lacks),
		cmocka_unit_test(text_becomes_utf8),
		cmocka_unit_test(the_schema_says_the_same),
		cmocka_unit_test(a_record_begins_with_its_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
