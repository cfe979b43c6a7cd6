/* SPDX-License-Identifier: BSD-2-Clause */
/* The ledger's comparison with the kernel fails when it should. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "book.h"

#define MS 1000000ULL

enum { LIFETIME, ON_CPU, SWITCHES, BIRTHS };

static struct report *reconciled(const struct checks *c, uint64_t told, uint64_t unsteady)
{
	uint64_t counters[COUNTER_MAX] = { [COUNTER_THREADS_BORN] = 3 };
	struct session s = { .counters = counters };
	struct report *r = report_new();

	reconcile_fill(c, told, unsteady, &s, r);
	return r;
}

static bool holds(const struct checks *c, int row)
{
	struct report *r = reconciled(c, 3, 0);
	bool ok = r->trust.reconcile[row].ok;

	assert_int_equal(r->trust.reconcile_ok, ok);
	report_free(r);
	return ok;
}

/* Three threads that the kernel charged with 870 ms. */
static struct checks on_cpu(uint64_t ours_ms, int64_t explained_ms)
{
	return (struct checks){
		.on_cpu = {
			.ours = ours_ms * MS,
			.kernel = 870 * MS,
			.explained = explained_ms * (int64_t)MS,
			.checked = 3,
			.low = 100 * MS,
		},
	};
}

static void a_late_clock_and_stolen_time_explain_so_much(void **state)
{
	struct checks c = on_cpu(870, 0);

	assert_true(holds(&c, ON_CPU));
	c = on_cpu(670, -200);
	assert_true(holds(&c, ON_CPU));
	c = on_cpu(1870, 1000);
	c.on_cpu.high = 900 * MS;
	assert_true(holds(&c, ON_CPU));
}

/* What waits for a CPU counted as running: every other check is right by construction. */
static void and_no_more(void **state)
{
	struct checks c = on_cpu(2486, 1616);

	assert_false(holds(&c, ON_CPU));
	c = on_cpu(300, -570);
	assert_false(holds(&c, ON_CPU));
	c = on_cpu(870, 0);
	c.on_cpu.broken = 1;
	assert_false(holds(&c, ON_CPU));
}

static void a_lifetime_may_lack_a_thousandth(void **state)
{
	struct checks c = { .lifetime = { .ours = 999 * MS, .kernel = 1000 * MS, .checked = 3 } };

	assert_true(holds(&c, LIFETIME));
	c.lifetime.ours = 998 * MS;
	assert_false(holds(&c, LIFETIME));
}

static void births_are_exact_but_for_those_of_the_moment(void **state)
{
	struct checks c = { 0 };
	struct report *r = reconciled(&c, 2, 0);

	assert_false(r->trust.reconcile[BIRTHS].ok);
	report_free(r);
	r = reconciled(&c, 2, 1);
	assert_true(r->trust.reconcile[BIRTHS].ok);
	report_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_late_clock_and_stolen_time_explain_so_much),
		cmocka_unit_test(and_no_more),
		cmocka_unit_test(a_lifetime_may_lack_a_thousandth),
		cmocka_unit_test(births_are_exact_but_for_those_of_the_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
