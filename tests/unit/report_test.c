/* SPDX-License-Identifier: BSD-2-Clause */
/* The report's memory: zeroed, aligned, apart, of any size, and gone with the report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "packed.h"
#include "report.h"

static int make(void **state)
{
	*state = report_new();
	return 0;
}

static int drop(void **state)
{
	report_free(*state); /* LeakSanitizer finds what stays */
	return 0;
}

static void a_new_report_is_empty(void **state)
{
	const struct report *r = *state, zero = {};

	assert_memory_equal(r, &zero, sizeof(zero));
}

static void memory_is_zeroed_aligned_and_apart(void **state)
{
	enum { PIECES = 3000 };
	unsigned char *pieces[PIECES];
	size_t size;

	for (size_t i = 0; i < PIECES; i++) {
		size = i % 97;
		pieces[i] = report_alloc(*state, size);
		assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		for (size_t j = 0; j < size; j++)
			assert_int_equal(pieces[i][j], 0);
		memset(pieces[i], (int)(i % 251) + 1, size);
	}
	for (size_t i = 0; i < PIECES; i++)
		for (size_t j = 0; j < i % 97; j++)
			assert_int_equal(pieces[i][j], i % 251 + 1);
}

static void large_requests_fit_between_small_ones(void **state)
{
	unsigned char *before = report_alloc(*state, 16), *large, *after;

	large = report_alloc(*state, 5 << 20);
	after = report_alloc(*state, 16);
	assert_int_equal(large[0], 0);
	assert_int_equal(large[(5 << 20) - 1], 0);
	memset(large, 0xff, 5 << 20);
	assert_ptr_equal(after, before + 16); /* the small block's room is still used */
	assert_int_equal(after[0], 0);
	assert_int_equal(before[15], 0);
}

static void a_large_request_may_come_first(void **state)
{
	memset(report_alloc(*state, 1 << 20), 0xff, 1 << 20);
	memset(report_alloc(*state, 64), 0xff, 64);
}

static void printf_gives_the_whole_text(void **state)
{
	char *s = report_printf(*state, "%s is %d", "x", 42);
	char *wide = report_printf(*state, "%200000d", 7);

	assert_string_equal(s, "x is 42");
	assert_int_equal(strlen(wide), 200000);
	assert_int_equal(wide[199999], '7');
	assert_string_equal(report_printf(*state, "%s", ""), "");
}

static void freeing_nothing_is_allowed(void **state)
{
	report_free(NULL);
}

static void packed_words_come_back(void **state)
{
	uint64_t words[600] = {
		[0] = 1, [7] = UINT64_MAX, [255] = 5, [256] = 1ULL << 63, [599] = 2
	};
	uint64_t got[600], none[4] = { 1, 1, 1, 1 };
	struct packed *p = packed_new(words, 600);

	assert_non_null(p);
	packed_read(p, 0, 600, got);
	assert_memory_equal(got, words, sizeof(words));
	packed_read(p, 255, 2, got);
	assert_memory_equal(got, words + 255, 2 * sizeof(*words));
	packed_read(NULL, 3, 4, none);
	for (int i = 0; i < 4; i++)
		assert_int_equal(none[i], 0);
	free(p);
}

#define WITH_REPORT(test) cmocka_unit_test_setup_teardown(test, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_REPORT(a_new_report_is_empty),
		WITH_REPORT(memory_is_zeroed_aligned_and_apart),
		WITH_REPORT(large_requests_fit_between_small_ones),
		WITH_REPORT(a_large_request_may_come_first),
		WITH_REPORT(printf_gives_the_whole_text),
		cmocka_unit_test(freeing_nothing_is_allowed),
		cmocka_unit_test(packed_words_come_back),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
