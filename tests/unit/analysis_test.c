/* SPDX-License-Identifier: BSD-2-Clause */
/* The analysis: each rule of analysis.h on both sides of its threshold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "analysis.h"
#include "names.h"

#define S 1000000000ULL
#define MS 1000000ULL

static struct report *report;

static int setup(void **state)
{
	report = report_new();
	report->wall_ns = S;
	report->syscalls.tree.nclasses = SYSCALL_CLASSES;
	report->syscalls.tree.classes =
		report_alloc(report, SYSCALL_CLASSES * sizeof(struct class_count));
	return 0;
}

static int teardown(void **state)
{
	report_free(report);
	return 0;
}

/* The rest of `total` goes to system calls that no rule looks at. */
static const char *mix(uint64_t total, uint64_t io, uint64_t memory, uint64_t network)
{
	struct syscall_table *t = &report->syscalls.tree;

	t->total = total;
	t->classes[CLASS_FILE_IO].count = io;
	t->classes[CLASS_MEMORY].count = memory;
	t->classes[CLASS_NETWORK].count = network;
	t->classes[CLASS_SYSTEM].count = total - io - memory - network;
	analysis_make(report);
	return report->syscalls.analysis.behavior;
}

static void ledger(enum ledger_state state, uint64_t ns)
{
	report->ledger.present = true;
	report->ledger.tree.states[state].ns = ns;
	report->ledger.tree.lifetime_ns += ns;
}

static bool indicated(const char *name)
{
	const struct analysis *a = &report->syscalls.analysis;

	for (size_t i = 0; i < a->nindicators; i++) {
		if (!strcmp(a->indicators[i], name))
			return true;
	}
	return false;
}

static void no_verdict_on_too_little(void **state)
{
	assert_string_equal(mix(0, 0, 0, 0), "unknown");
	assert_string_equal(report->syscalls.analysis.workload_type, "insufficient_data");
	report->wall_ns = 99 * MS;
	assert_string_equal(mix(10000, 9000, 0, 0), "unknown");
	assert_string_equal(report->syscalls.analysis.workload_type, "insufficient_data");
	assert_int_equal(report->syscalls.analysis.nindicators, 0);
	report->wall_ns = 100 * MS;
	assert_string_equal(mix(10000, 9000, 0, 0), "io_bound");
}

static void classes_by_the_mix(void **state)
{
	assert_string_equal(mix(1000, 601, 0, 0), "io_bound");
	assert_string_equal(mix(1000, 600, 0, 0), "unknown");
	assert_string_equal(mix(100, 90, 0, 0), "unknown"); /* not above 100/s */
	assert_string_equal(mix(1000, 0, 0, 401), "network_bound");
	assert_string_equal(mix(1000, 0, 0, 400), "unknown");
	assert_string_equal(mix(1000, 0, 301, 0), "memory_bound");
	assert_string_equal(mix(1000, 201, 101, 0), "mixed");
	assert_string_equal(mix(1000, 201, 100, 0), "unknown");
	assert_string_equal(mix(1000, 200, 101, 0), "unknown");
	assert_string_equal(report->syscalls.analysis.decided_by, "syscalls");
}

static void few_calls_on_a_busy_cpu(void **state)
{
	assert_string_equal(mix(10, 1, 1, 1), "unknown"); /* the CPU use is not known */
	ledger(STATE_ON_CPU, 501 * MS);
	ledger(STATE_SLEEP, 499 * MS);
	assert_string_equal(mix(49, 1, 1, 1), "cpu_bound");
	ledger(STATE_ON_CPU, 500 * MS);
	assert_string_equal(mix(49, 1, 1, 1), "unknown");
}

static void intensities_and_rate(void **state)
{
	const struct analysis *a = &report->syscalls.analysis;

	report->wall_ns = 2 * S;
	mix(1000, 250, 500, 125);
	assert_float_equal(a->syscall_rate_per_sec, 500, 1e-9);
	assert_float_equal(a->io_intensity, 0.25, 1e-9);
	assert_float_equal(a->memory_intensity, 0.5, 1e-9);
	assert_float_equal(a->network_intensity, 0.125, 1e-9);
	assert_string_equal(a->workload_type, "memory_intensive");
	assert_float_equal(a->bottleneck_likelihood, 0.75, 1e-9);
	assert_true(a->nhints > 0);
}

static void indicators_above_their_thresholds(void **state)
{
	mix(1000, 500, 100, 200);
	assert_false(indicated("high_file_io"));
	assert_false(indicated("very_high_syscall_rate"));
	assert_false(indicated("frequent_memory_management"));
	assert_false(indicated("high_network_activity"));
	assert_true(indicated("io_memory_contention"));
	mix(1001, 501, 101, 201);
	assert_true(indicated("high_file_io"));
	assert_true(indicated("very_high_syscall_rate"));
	assert_true(indicated("frequent_memory_management"));
	assert_true(indicated("high_network_activity"));
	mix(400, 300, 51, 0);
	assert_false(indicated("io_memory_contention"));
	ledger(STATE_ON_CPU, 801 * MS);
	mix(99, 0, 0, 0);
	assert_true(indicated("cpu_intensive"));
	mix(100, 0, 0, 0);
	assert_false(indicated("cpu_intensive"));
}

static void the_ledger_decides_where_they_differ(void **state)
{
	const struct analysis *a = &report->syscalls.analysis;

	ledger(STATE_ON_CPU, 970 * MS);
	ledger(STATE_DISK, 30 * MS);
	assert_string_equal(mix(100000, 90000, 0, 0), "cpu_bound");
	assert_string_equal(a->decided_by, "ledger");
	assert_string_equal(a->workload_type, "cpu_intensive");
	assert_non_null(strstr(a->rule, "97 %"));
	assert_non_null(strstr(a->rule, "io_bound: file_io is 90 %"));
}

static void waits_for_disk_and_socket_name_their_class(void **state)
{
	ledger(STATE_DISK, 400 * MS);
	ledger(STATE_PAGE_FAULT, 300 * MS);
	ledger(STATE_ON_CPU, 300 * MS);
	assert_string_equal(mix(10, 0, 0, 0), "io_bound");
	ledger(STATE_DISK, 0);
	ledger(STATE_PAGE_FAULT, 0);
	ledger(STATE_SOCKET, 700 * MS);
	assert_string_equal(mix(10, 0, 0, 0), "network_bound");
	assert_string_equal(report->syscalls.analysis.decided_by, "ledger");
}

static void a_waiting_parent_does_not_hide_its_child(void **state)
{
	ledger(STATE_ON_CPU, 900 * MS);
	ledger(STATE_CHILD, 5 * S);
	assert_string_equal(mix(5000, 4000, 0, 0), "cpu_bound");
}

static void an_idle_program_is_left_to_its_mix(void **state)
{
	ledger(STATE_ON_CPU, 100 * MS);
	ledger(STATE_SLEEP, 900 * MS);
	assert_string_equal(mix(1000, 0, 0, 500), "network_bound");
	assert_string_equal(report->syscalls.analysis.decided_by, "syscalls");
}

static void when_both_agree_both_are_said(void **state)
{
	ledger(STATE_DISK, 900 * MS);
	ledger(STATE_ON_CPU, 100 * MS);
	assert_string_equal(mix(1000, 900, 0, 0), "io_bound");
	assert_string_equal(report->syscalls.analysis.decided_by, "syscalls");
	assert_non_null(strstr(report->syscalls.analysis.rule, "the ledger agrees"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_verdict_on_too_little),
		TEST(classes_by_the_mix),
		TEST(few_calls_on_a_busy_cpu),
		TEST(intensities_and_rate),
		TEST(indicators_above_their_thresholds),
		TEST(the_ledger_decides_where_they_differ),
		TEST(waits_for_disk_and_socket_name_their_class),
		TEST(a_waiting_parent_does_not_hide_its_child),
		TEST(an_idle_program_is_left_to_its_mix),
		TEST(when_both_agree_both_are_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
