/* SPDX-License-Identifier: BSD-2-Clause */
/* Statistics of records: denet's and ours, tagged or not; and files that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "stats_read.h"

static int read_text(struct stats *s, const char *text)
{
	FILE *f = *text ? fmemopen((void *)(uintptr_t)text, strlen(text), "r")
			: fopen("/dev/null", "re");
	int err;

	stats_init(s);
	err_clear();
	err = stats_read(s, f, "the file");
	fclose(f);
	return err;
}

static json_t *stats_of(const char *text)
{
	struct stats s;
	json_t *json;

	assert_int_equal(read_text(&s, text), 0);
	json = stats_json(&s);
	stats_release(&s);
	return json;
}

static void check_u64(const json_t *json, const char *key, json_int_t want)
{
	const json_t *v = json_object_get(json, key);

	if (!json_is_integer(v) || json_integer_value(v) != want)
		fail_msg("%s: %lld, not %lld", key, (long long)json_integer_value(v),
			 (long long)want);
}

static void check_real(const json_t *json, const char *key, double want)
{
	const json_t *v = json_object_get(json, key);
	double off = json_number_value(v) - want;

	if (!json_is_number(v) || off > 1e-9 || off < -1e-9)
		fail_msg("%s: %f, not %f", key, json_number_value(v), want);
}

#define METRICS(ts, cpu, rss, read, threads)                                                       \
	"\"ts_ms\":" #ts ",\"cpu_usage\":" #cpu ",\"mem_rss_kb\":" #rss ",\"mem_vms_kb\":1,"       \
	"\"disk_read_bytes\":" #read ",\"disk_write_bytes\":3,\"thread_count\":" #threads          \
	",\"uptime_secs\":1"
#define NET ",\"sys_net_rx_bytes\":30,\"sys_net_tx_bytes\":40"
#define TREE(kind, metrics, processes)                                                             \
	"{" kind "\"ts_ms\":1,\"parent\":null,\"children\":[],\"aggregated\":{" metrics NET        \
	",\"process_count\":" #processes "}}\n"
#define METADATA                                                                                   \
	"{\"kind\":\"metadata\",\"pid\":1,\"cmd\":[\"x\"],\"executable\":\"/x\",\"t0_ms\":900}\n"

/* 40 % for 200 ms, 20 % for 1,000, and 10 % for a time that nobody knows. */
#define THREE(kind)                                                                                \
	TREE(kind, METRICS(1000, 10, 500, 7, 2), 1)                                                \
	TREE(kind, METRICS(1200, 40, 900, 9, 5), 3) TREE(kind, METRICS(2200, 20, 700, 8, 1), 1)

static void check_three(const json_t *json)
{
	check_real(json, "total_time_secs", 1.2);
	check_u64(json, "sample_count", 3);
	check_u64(json, "max_processes", 3);
	check_u64(json, "max_threads", 5);
	check_u64(json, "total_disk_read_bytes", 9); /* a total that falls is none */
	check_u64(json, "total_disk_write_bytes", 3);
	check_u64(json, "total_sys_net_rx_bytes", 30);
	check_u64(json, "total_sys_net_tx_bytes", 40);
	check_u64(json, "peak_mem_rss_kb", 900);
	assert_null(json_object_get(json, "total_syscall_read_bytes"));
	assert_null(json_object_get(json, "run"));
	assert_null(json_object_get(json, "memory_characterization"));
}

static void trees_with_a_kind(void **state)
{
	json_t *json = stats_of(
		"{\"kind\":\"env\",\"host\":\"h\"}\n" METADATA THREE("\"kind\":\"tree\","));

	check_three(json);
	check_real(json, "avg_cpu_usage", (40.0 * 200 + 20.0 * 1000) / 1200);
	json_decref(json);
}

static void trees_without_a_kind(void **state)
{
	json_t *json = stats_of(
		"{\"pid\":1,\"cmd\":[\"x\"],\"executable\":\"/x\",\"t0_ms\":900}\n" THREE(""));

	check_three(json);
	check_real(json, "avg_cpu_usage", (40.0 * 200 + 20.0 * 1000) / 1200);
	json_decref(json);
}

static void aggregated_lines(void **state)
{
	json_t *json = stats_of("{\"kind\":\"aggregated\"," METRICS(1000, 10, 5, 7, 2) NET
				",\"process_count\":4}\n{" METRICS(2000, 30, 6, 8, 2) NET
				",\"process_count\":2}\n");

	check_u64(json, "sample_count", 2);
	check_u64(json, "max_processes", 4);
	check_real(json, "avg_cpu_usage", 30);
	json_decref(json);
}

static void samples_with_the_old_network_names(void **state)
{
	json_t *json = stats_of("{\"kind\":\"sample\"," METRICS(
		1000, 50, 5, 7,
		2) ",\"net_rx_bytes\":11,\"net_tx_bytes\":12,\"syscall_read_bytes\":5,"
		   "\"page_faults_disk\":2,\"cpu_core\":null}\n");

	check_u64(json, "max_processes", 1);
	check_u64(json, "total_sys_net_rx_bytes", 11);
	check_u64(json, "total_sys_net_tx_bytes", 12);
	check_u64(json, "total_syscall_read_bytes", 5);
	check_u64(json, "peak_page_faults_disk", 2);
	check_real(json, "avg_cpu_usage", 50);
	check_real(json, "total_time_secs", 0);
	json_decref(json);
}

static void memory_is_characterized(void **state)
{
	json_t *json =
		stats_of("{\"kind\":\"sample\"," METRICS(1, 50, 5, 7, 2) NET
			 ",\"perf\":{\"cycles\":1000,\"instructions\":400,\"cache_refs\":100,"
			 "\"cache_misses\":25,\"stalled_backend\":600},"
			 "\"psi_mem\":{\"some_avg10\":0.0,\"full_avg10\":0.0}}\n"
			 "{\"kind\":\"sample\"," METRICS(2, 50, 5, 7, 2) NET
			 ",\"perf\":{\"cycles\":1000,\"instructions\":400,\"cache_refs\":100,"
			 "\"cache_misses\":25,\"stalled_backend\":600},"
			 "\"psi_mem\":{\"some_avg10\":1.5,\"full_avg10\":0.0}}\n");
	const json_t *m = json_object_get(json, "memory_characterization");

	check_real(m, "mean_ipc", 0.4);
	check_real(m, "llc_miss_rate", 0.25);
	check_real(m, "backend_stall_ratio", 0.6);
	check_real(m, "psi_some_fraction", 0.5);
	assert_string_equal(json_string_value(json_object_get(m, "verdict")), "memory-bound");
	json_decref(json);
}

static void calls_are_averaged(void **state)
{
	json_t *json = stats_of(
		"{\"kind\":\"aggregated\"," METRICS(1, 1, 1, 1, 1) NET
		",\"process_count\":1,\"ebpf\":{\"syscalls\":{\"total\":9,\"analysis\":{"
		"\"syscall_rate_per_sec\":100,\"io_intensity\":0.5,\"memory_intensity\":0.25,"
		"\"cpu_intensity\":0.125,\"network_intensity\":0}}}}\n");
	const json_t *calls = json_object_get(json, "syscalls");

	check_real(calls, "avg_syscall_rate_per_sec", 100);
	check_real(calls, "avg_io_syscall_fraction", 0.5);
	check_real(calls, "avg_network_syscall_fraction", 0);
	json_decref(json);
}

#define SUMMARY                                                                                    \
	"{\"kind\":\"summary\",\"schema_version\":1,\"wall_ns\":1500000000,"                       \
	"\"exit\":{\"code\":3,\"signal\":null},\"processes\":9,\"threads\":10,"                    \
	"\"ledger\":{\"lifetime_ns\":5,\"residual_ns\":0,\"objects\":[],"                          \
	"\"states\":{\"on_cpu\":{\"ns\":5,\"count\":1}}},"                                         \
	"\"trust\":{\"lost_total\":0,\"reconcile_ok\":true,\"notes\":[]}}\n"

static void the_summary_knows_better(void **state)
{
	json_t *json = stats_of(METADATA THREE("\"kind\":\"tree\",") SUMMARY);
	const json_t *run = json_object_get(json, "run");

	check_real(json, "total_time_secs", 1.5);
	check_u64(run, "processes", 9);
	check_u64(json_object_get(run, "exit"), "code", 3);
	check_u64(json_object_get(json, "ledger"), "lifetime_ns", 5);
	assert_null(json_object_get(json_object_get(json, "ledger"), "objects"));
	check_u64(json_object_get(json, "trust"), "lost_total", 0);
	json_decref(json);
}

static void what_it_writes_is_what_the_schema_says(void **state)
{
	json_t *json = stats_of(THREE("\"kind\":\"tree\",")), *schema = stats_schema();
	const json_t *properties = json_object_get(schema, "properties"), *name, *value;
	const char *key;
	size_t i;

	json_object_foreach(json, key, value) assert_non_null(json_object_get(properties, key));
	json_array_foreach(json_object_get(schema, "required"), i, name)
		assert_non_null(json_object_get(json, json_string_value(name)));
	json_decref(json);
	json_decref(schema);
}

static void a_cut_file_gives_what_is_whole(void **state)
{
	const char *cut[] = { THREE("\"kind\":\"tree\",") "{\"kind\":\"tree\",\"ts_",
			      THREE("\"kind\":\"tree\",") "{\"kind\"\n" };

	log_level = LOG_ERROR;
	for (size_t i = 0; i < 2; i++) {
		json_t *json = stats_of(cut[i]);

		check_three(json);
		json_decref(json);
	}
}

static void fields_of_the_wrong_type_are_absent(void **state)
{
	json_t *json = stats_of(
		"{\"kind\":\"sample\",\"ts_ms\":5,\"cpu_usage\":\"much\",\"mem_rss_kb\":-1,"
		"\"disk_read_bytes\":[],\"thread_count\":null,\"psi_mem\":7,\"perf\":[1],"
		"\"ebpf\":{\"syscalls\":3},\"sys_net_rx_bytes\":1e300}\n");

	check_u64(json, "sample_count", 1);
	check_u64(json, "peak_mem_rss_kb", 0);
	check_u64(json, "total_disk_read_bytes", 0);
	check_u64(json, "total_sys_net_rx_bytes", 0);
	json_decref(json);
}

static void files_that_are_no_reports(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "is empty" },
		{ "\n \n", "is not a report" },
		{ "hello\n", "line 1 is not JSON" },
		{ "{}\n", "is not a report" },
		{ "[1, 2]\n", "is not a report" },
		{ "3\n", "is not JSON" },
		{ "{\"kind\":\"tree\"\n", "line 1 is not JSON" },
		{ METADATA, "no samples" },
		{ THREE("\"kind\":\"tree\",") "junk\n" THREE("\"kind\":\"tree\","),
		  "line 4 is not JSON" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct stats s;
		int err = read_text(&s, cases[i].text);

		if (err >= 0 || !strstr(err_text(), cases[i].why) ||
		    !strstr(err_text(), "the file"))
			fail_msg("case %zu: %d, %s", i, err, err_text());
		stats_release(&s);
	}
}

static void a_long_line(void **state)
{
	size_t len = 3 << 20;
	char *text = malloc(len + 512);
	json_t *json;
	int head = snprintf(text, 256,
			    "{\"kind\":\"sample\"," METRICS(1000, 50, 5, 7, 2) NET ",\"x\":\"");

	memset(text + head, 'x', len);
	snprintf(text + head + len, 8, "\"}\n");
	json = stats_of(text);
	check_u64(json, "sample_count", 1);
	json_decref(json);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trees_with_a_kind),
		cmocka_unit_test(trees_without_a_kind),
		cmocka_unit_test(aggregated_lines),
		cmocka_unit_test(samples_with_the_old_network_names),
		cmocka_unit_test(memory_is_characterized),
		cmocka_unit_test(calls_are_averaged),
		cmocka_unit_test(the_summary_knows_better),
		cmocka_unit_test(what_it_writes_is_what_the_schema_says),
		cmocka_unit_test(a_cut_file_gives_what_is_whole),
		cmocka_unit_test(fields_of_the_wrong_type_are_absent),
		cmocka_unit_test(files_that_are_no_reports),
		cmocka_unit_test(a_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
