/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The histogram's promise: every value lies in the bucket whose floor it reaches and whose
 * next floor it does not, buckets are at most an eighth wide, nothing falls outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hist.h"

static void log2_is_the_highest_bit(void **state)
{
	for (uint32_t bit = 0; bit < 64; bit++) {
		uint64_t low = 1ULL << bit, high = low + (low - 1);

		assert_int_equal(hist_log2(low), bit);
		assert_int_equal(hist_log2(high), bit);
	}
}

static void small_values_share_the_first_bucket(void **state)
{
	assert_int_equal(hist_bucket(0), 0);
	assert_int_equal(hist_bucket(HIST_MIN_NS - 1), 0);
	assert_int_equal(hist_bucket(HIST_MIN_NS), 1);
	assert_int_equal(hist_floor(0), 0);
	assert_int_equal(hist_floor(1), HIST_MIN_NS);
}

static void edges_of_every_bucket(void **state)
{
	for (uint32_t b = 1; b < HIST_BUCKETS; b++) {
		uint64_t floor = hist_floor(b);

		assert_true(floor > hist_floor(b - 1));
		assert_int_equal(hist_bucket(floor), b);
		assert_int_equal(hist_bucket(floor - 1), b - 1);
	}
}

static void buckets_are_an_eighth_wide_at_most(void **state)
{
	for (uint32_t b = 1; b + 1 < HIST_BUCKETS; b++)
		assert_true((hist_floor(b + 1) - hist_floor(b)) * 8 <= hist_floor(b));
}

static void the_last_bucket_takes_the_rest(void **state)
{
	assert_int_equal(hist_bucket(UINT64_MAX), HIST_BUCKETS - 1);
	assert_int_equal(hist_bucket(1ULL << 63), HIST_BUCKETS - 1);
	/* nine minutes fit: the last floor lies beyond them */
	assert_true(hist_floor(HIST_BUCKETS - 1) > 8 * 60 * 1000000000ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log2_is_the_highest_bit),
		cmocka_unit_test(small_values_share_the_first_bucket),
		cmocka_unit_test(edges_of_every_bucket),
		cmocka_unit_test(buckets_are_an_eighth_wide_at_most),
		cmocka_unit_test(the_last_bucket_takes_the_rest),
	};

	return cmocka_run_group_tests_name("hist", tests, NULL, NULL);
}
