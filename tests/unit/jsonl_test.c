/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The records of a report made by hand against golden files, compared whole, and that the
 * schema allows each; streams that break.
 * DWELL_GOLDEN_WRITE=1 writes the golden files anew; look at the difference then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "jsonl.h"
#include "jsonl_reports.h"
#include "outfile.h"
#include "probe.h"
#include "sampler.h"
#include "scratch.h"
#include "summary_shape.h"
#include "tree_shape.h"

#define MS 1000000ULL

/* --- against golden files --- */

static const char *golden_path(const char *name)
{
	static char path[512];

	if (!access("tests/golden", R_OK))
		snprintf(path, sizeof(path), "tests/golden/%s", name);
	else
		snprintf(path, sizeof(path), "%.*s../golden/%s",
			 (int)(strrchr(__FILE__, '/') + 1 - __FILE__), __FILE__, name);
	return path;
}

/* Takes json. Indented, so that a difference shows where it is. */
static void check_golden(const char *name, json_t *json)
{
	char *text = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
	char *want = calloc(1, 1 << 20);
	FILE *f = fopen(golden_path(name), getenv("DWELL_GOLDEN_WRITE") ? "w" : "r");

	assert_non_null(f);
	if (getenv("DWELL_GOLDEN_WRITE")) {
		fprintf(f, "%s\n", text);
	} else {
		size_t len = fread(want, 1, (1 << 20) - 1, f);

		if (len)
			want[len - 1] = '\0';
		if (strcmp(want, text) != 0)
			fail_msg("differs from %s:\n%s", name, text);
	}
	fclose(f);
	free(want);
	free(text);
	json_decref(json);
}

static void summary_golden(void **state)
{
	struct report r = made_report();

	check_golden("summary.json", summary_json(&r));
}

struct written {
	size_t used;
	char text[1 << 20];
};

static int write_text(const char *text, size_t len, void *ctx)
{
	struct written *to = ctx;

	assert_true(to->used + len < sizeof(to->text));
	memcpy(to->text + to->used, text, len);
	to->used += len;
	return 0;
}

/* Written as it is made, the record is the text that a dump of it would be. */
static void a_written_summary_is_the_same(void **state)
{
	static struct written to;
	size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(12);
	struct shape_writer w = { .put = write_text, .ctx = &to, .flags = flags };
	struct report r = made_report();
	json_t *json = summary_json(&r);
	char *want = json_dumps(json, flags);

	summary_write(&r, &w);
	assert_false(w.failed);
	assert_string_equal(to.text, want);
	free(want);
	json_decref(json);
}

static int refuse(const char *text, size_t len, void *ctx)
{
	++*(int *)ctx;
	return -1;
}

static void nothing_is_written_after_a_refusal(void **state)
{
	int calls = 0;
	struct shape_writer w = { .put = refuse, .ctx = &calls, .flags = JSON_COMPACT };
	struct report r = made_report();

	summary_write(&r, &w);
	assert_true(w.failed);
	assert_int_equal(calls, 1);
}

static void tree_golden(void **state)
{
	struct report r = made_report();
	struct sample s = made_sample();

	check_golden("tree.json", tree_json(&s, &r, NULL));
}

static void sample_golden(void **state)
{
	struct sample s = made_sample();

	check_golden("sample.json", sample_json(&s));
}

/* No BPF, no root any more, nothing of a probe. */
static void bare_golden(void **state)
{
	static const char *notes[] = { "something is missing" };
	struct report r = { .wall_ns = 5 * MS,
			    .has_exit = true,
			    .exit_signal = 15,
			    .trust = { .notes = notes, .nnotes = 1 } };
	struct sample s = made_sample();

	s.has_root = false;
	s.nchildren = 0;
	assert_null(sample_json(&s));
	check_golden("tree-bare.json", tree_json(&s, &r, "BPF: not permitted"));
	check_golden("summary-bare.json", summary_json(&r));
}

static void a_tick_has_fewer_rows(void **state)
{
	struct report r = made_report();
	struct process_row many[100] = {};
	json_t *tick, *rows;

	r.ledger.processes = many;
	r.ledger.nprocesses = 100;
	tick = probes_json(&r);
	rows = json_object_get(json_object_get(tick, "ledger"), "processes");
	assert_in_range(json_array_size(rows), 1, 50);
	assert_null(json_object_get(json_array_get(rows, 0), "threads"));
	json_decref(tick);
}

/* --- the schema --- */

static void check_value(const json_t *schema, const json_t *value, const char *path);

static void check_object(const json_t *schema, const json_t *value, const char *path)
{
	const json_t *properties = json_object_get(schema, "properties"), *name, *member;
	const json_t *others = json_object_get(schema, "additionalProperties");
	const char *key;
	char below[512];
	size_t i;

	json_array_foreach(json_object_get(schema, "required"), i,
			   name) if (!json_object_get(value, json_string_value(name)))
		fail_msg("%s lacks %s", path, json_string_value(name));
	json_object_foreach((json_t *)(uintptr_t)value, key, member)
	{
		const json_t *s = json_object_get(properties, key);

		snprintf(below, sizeof(below), "%s.%s", path, key);
		if (!s && !json_is_object(others))
			fail_msg("%s is not in the schema", below);
		check_value(s ? s : others, member, below);
	}
}

static bool type_is(const char *type, const json_t *value)
{
	if (!strcmp(type, "object"))
		return json_is_object(value);
	if (!strcmp(type, "array"))
		return json_is_array(value);
	if (!strcmp(type, "string"))
		return json_is_string(value);
	if (!strcmp(type, "integer"))
		return json_is_integer(value);
	if (!strcmp(type, "number"))
		return json_is_number(value);
	if (!strcmp(type, "boolean"))
		return json_is_boolean(value);
	return !strcmp(type, "null") && json_is_null(value);
}

/* The part of JSON Schema that shapes make. */
static void check_value(const json_t *schema, const json_t *value, const char *path)
{
	const json_t *type = json_object_get(schema, "type"), *item,
		     *is = json_object_get(schema, "const");
	bool ok = json_is_string(type) && type_is(json_string_value(type), value);
	char below[512];
	size_t i;

	json_array_foreach(type, i, item) ok |= type_is(json_string_value(item), value);
	if (!(is ? json_equal(is, value) : ok))
		fail_msg("%s is of the wrong type", path);
	if (json_is_object(value))
		check_object(schema, value, path);
	json_array_foreach(value, i, item)
	{
		snprintf(below, sizeof(below), "%s[%zu]", path, i);
		check_value(json_object_get(schema, "items"), item, below);
	}
}

static void check_record(json_t *schema, json_t *record)
{
	check_value(schema, record, json_string_value(json_object_get(record, "kind")));
	json_decref(schema);
	json_decref(record);
}

static void every_record_is_as_the_schema_says(void **state)
{
	struct report r = made_report(), bare = { .bpf = false };
	struct sample s = made_sample();

	check_record(summary_schema(), summary_json(&r));
	check_record(summary_schema(), summary_json(&bare));
	check_record(tree_schema(), tree_json(&s, &r, NULL));
	check_record(tree_schema(), tree_json(&s, &bare, NULL));
	check_record(sample_schema(), sample_json(&s));
}

/* --- the stream --- */

static void records_in_order(void **state)
{
	struct report r = made_report();
	const char *path = in_dir("records");
	char prog[] = "prog", arg[] = "arg", *argv[] = { prog, arg, NULL };
	static char text[1 << 20];
	struct jsonl *j;
	json_t *stats;
	char *line;

	assert_int_equal(jsonl_open(&j, &(struct jsonl_config){ .path = path,
								.fd = -1,
								.stats_path = in_dir("stats") }),
			 0);
	jsonl_env(j);
	jsonl_metadata(j, getpid(), argv);
	jsonl_tree(j, &r, &(struct proc_member){ .pid = getpid() }, 1, NULL);
	jsonl_tree(j, &r, &(struct proc_member){ .pid = getpid() }, 1, NULL);
	jsonl_summary(j, &r);
	assert_false(jsonl_failed(j));
	assert_int_equal(jsonl_close(j, true), 0);
	assert_true(read_path(path, text, sizeof(text)) > 0);
	line = text;
	for (const char *const *kind =
		     (const char *const[]){ "env", "metadata", "tree", "tree", "summary", NULL };
	     *kind; kind++) {
		char want[64], *end = strchr(line, '\n');

		snprintf(want, sizeof(want), "{\"kind\":\"%s\",", *kind);
		assert_memory_equal(line, want, strlen(want));
		assert_non_null(end);
		line = end + 1;
	}
	assert_int_equal(*line, '\0');
	assert_non_null(strstr(text, "\"cmd\":[\"prog\",\"arg\"],\"executable\":\"prog\""));
	stats = json_load_file(in_dir("stats"), 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(stats, "sample_count")), 2);
	json_decref(stats);
	unlink(path);
	unlink(in_dir("stats"));
}

static void a_broken_stream_is_remembered(void **state)
{
	struct report r = made_report();
	struct jsonl *j;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_int_equal(jsonl_open(&j, &(struct jsonl_config){ .fd = full }), 0);
	jsonl_metadata(j, getpid(), NULL);
	assert_true(jsonl_failed(j));
	jsonl_tree(j, &r, NULL, 0, NULL);
	jsonl_summary(j, &r);
	assert_int_equal(jsonl_close(j, true), -ENOSPC);
	close(full);
}

static long allocations_left;

static void *scarce(size_t size)
{
	return allocations_left-- > 0 ? malloc(size) : NULL;
}

/* One summary when so many allocations succeed; what became of the file's lines. */
static size_t records_without_memory(struct report *r, long allocations, char *text, size_t size)
{
	const char *path = in_dir("scarce");
	char prog[] = "prog", *argv[] = { prog, NULL };
	struct jsonl *j;
	size_t n;

	assert_int_equal(jsonl_open(&j, &(struct jsonl_config){ .path = path, .fd = -1 }), 0);
	jsonl_metadata(j, getpid(), argv);
	assert_false(jsonl_failed(j));
	allocations_left = allocations;
	json_set_alloc_funcs(scarce, free);
	jsonl_summary(j, r);
	json_set_alloc_funcs(malloc, free);
	assert_true(jsonl_failed(j));
	jsonl_tree(j, r, NULL, 0, NULL); /* is not written any more */
	jsonl_summary(j, r);
	assert_int_equal(jsonl_close(j, true), 0);
	n = read_path(path, text, size);
	unlink(path);
	return n;
}

static void a_record_without_memory_ends_the_records(void **state)
{
	static char text[1 << 22];
	struct report r = made_report();
	char *comm = calloc(1, 1 << 17), *end;
	size_t n = records_without_memory(&r, 0, text, sizeof(text));

	/* of a short one nothing is there */
	end = strchr(text, '\n');
	assert_non_null(end);
	assert_int_equal(end + 1 - text, n);
	/* of a long one a part, and the end of its line */
	memset(comm, 'x', (1 << 17) - 1);
	r.target = comm;
	for (long some = 10; n == (size_t)(end + 1 - text) && some < 100000; some += 10)
		n = records_without_memory(&r, some, text, sizeof(text));
	assert_true(n > 1 << 16);
	end = strchr(text, '\n');
	assert_int_equal(end[1], '{');
	end = strchr(end + 1, '\n');
	assert_int_equal(end + 1 - text, n);
	free(comm);
}

static void statistics_without_memory_make_no_file(void **state)
{
	const char *path = in_dir("stats");
	struct jsonl *j;

	assert_int_equal(jsonl_open(&j, &(struct jsonl_config){ .fd = -1, .stats_path = path }), 0);
	allocations_left = 0;
	json_set_alloc_funcs(scarce, free);
	assert_int_equal(jsonl_close(j, true), -ENOMEM);
	json_set_alloc_funcs(malloc, free);
	assert_int_equal(access(path, F_OK), -1);
}

static void the_interval_grows(void **state)
{
	assert_int_equal(adaptive_interval_ms(100, 1000, 0), 100);
	assert_int_equal(adaptive_interval_ms(100, 1000, 1000), 100);
	assert_int_equal(adaptive_interval_ms(100, 1000, 5500), 550);
	assert_int_equal(adaptive_interval_ms(100, 1000, 10000), 1000);
	assert_int_equal(adaptive_interval_ms(100, 1000, 1ULL << 50), 1000);
	assert_int_equal(adaptive_interval_ms(500, 100, 20000), 500);
	assert_int_equal(adaptive_interval_ms(1, 4000000000U, 5500), 2000000000);
	for (unsigned t = 0, before = 0; t < 12000; t += 7) {
		assert_true(adaptive_interval_ms(100, 1000, t) >= before);
		before = adaptive_interval_ms(100, 1000, t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(summary_golden),
		cmocka_unit_test(a_written_summary_is_the_same),
		cmocka_unit_test(nothing_is_written_after_a_refusal),
		cmocka_unit_test(tree_golden),
		cmocka_unit_test(sample_golden),
		cmocka_unit_test(bare_golden),
		cmocka_unit_test(a_tick_has_fewer_rows),
		cmocka_unit_test(every_record_is_as_the_schema_says),
		cmocka_unit_test(records_in_order),
		cmocka_unit_test(a_broken_stream_is_remembered),
		cmocka_unit_test(a_record_without_memory_ends_the_records),
		cmocka_unit_test(statistics_without_memory_make_no_file),
		cmocka_unit_test(the_interval_grows),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
