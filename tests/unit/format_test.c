/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers and names for people: the edges between units, and what a terminal must not see. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "format.h"

#define US 1000ULL
#define MS 1000000ULL
#define S 1000000000ULL

static void durations(void **state)
{
	/* clang-format off */
	static const struct { uint64_t ns; const char *text; } rows[] = {
		{ 0, "0" }, { 1, "1 ns" }, { 999, "999 ns" }, { 1000, "1.00 us" },
		{ 9994, "9.99 us" }, { 9996, "10.0 us" }, { 99960, "100 us" },
		{ 999499, "999 us" }, { 999500, "1.00 ms" }, { 12340 * US, "12.3 ms" },
		{ 999499999, "999 ms" }, { 999500000, "1.00 s" }, { 59949 * MS, "59.9 s" },
		{ 59951 * MS, "1m00s" }, { 125 * S, "2m05s" }, { 3599 * S, "59m59s" },
		{ 3600 * S, "1h00m" }, { 86399 * S, "23h59m" }, { 273600 * S, "3d04h" },
	};
	/* clang-format on */
	char buf[FORMAT_LEN];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(format_duration(buf, rows[i].ns, false), rows[i].text);
	assert_string_equal(format_duration(buf, 1500, true), "1.50 µs");
	assert_string_equal(format_duration(buf, UINT64_MAX, false), "213503d23h");
}

static void counts(void **state)
{
	/* clang-format off */
	static const struct { uint64_t n; const char *text; } rows[] = {
		{ 0, "0" }, { 999, "999" }, { 1000, "1,000" }, { 12034, "12,034" },
		{ 99999, "99,999" }, { 100000, "100 k" }, { 999499, "999 k" }, { 999500, "1.00 M" },
		{ 1234567890, "1.23 G" }, { UINT64_MAX, "18.4 E" },
	};
	/* clang-format on */
	char buf[FORMAT_LEN];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(format_count(buf, rows[i].n), rows[i].text);
}

static void bytes(void **state)
{
	char buf[FORMAT_LEN];

	assert_string_equal(format_bytes(buf, 0), "0 B");
	assert_string_equal(format_bytes(buf, 999), "999 B");
	assert_string_equal(format_bytes(buf, 1023), "1.00 KiB");
	assert_string_equal(format_bytes(buf, 12700000), "12.1 MiB");
	assert_string_equal(format_bytes(buf, UINT64_MAX), "16.0 EiB");
}

static void shares(void **state)
{
	char buf[FORMAT_LEN];

	assert_string_equal(format_share(buf, 0, 0), "-");
	assert_string_equal(format_share(buf, 0, 5), "0.0 %");
	assert_string_equal(format_share(buf, 1, 100000), "<0.1 %");
	assert_string_equal(format_share(buf, 1, 3), "33.3 %");
	assert_string_equal(format_share(buf, 7, 7), "100 %");
	/* not all is never said to be all */
	assert_string_equal(format_share(buf, 99999, 100000), ">99.9 %");
}

static void cleans(void **state)
{
	char buf[64];

	assert_string_equal(format_clean(buf, sizeof(buf), "a\033[2Jb\n\t\x7f", true),
			    "a\\x1b[2Jb\\x0a\\x09\\x7f");
	assert_string_equal(format_clean(buf, sizeof(buf), "größe 漢", true), "größe 漢");
	assert_string_equal(format_clean(buf, sizeof(buf), "ö", false), "\\xc3\\xb6");
	/* C1 control, bidirectional override, byte order mark: each acts without being seen */
	assert_string_equal(format_clean(buf, sizeof(buf), "\xc2\x9b", true), "\\xc2\\x9b");
	assert_string_equal(format_clean(buf, sizeof(buf), "\xe2\x80\xae", true),
			    "\\xe2\\x80\\xae");
	assert_string_equal(format_clean(buf, sizeof(buf), "\xef\xbb\xbf", true),
			    "\\xef\\xbb\\xbf");
	/* overlong, surrogate, cut short, too large */
	assert_string_equal(format_clean(buf, sizeof(buf), "\xc0\xaf", true), "\\xc0\\xaf");
	assert_string_equal(format_clean(buf, sizeof(buf), "\xed\xa0\x80", true),
			    "\\xed\\xa0\\x80");
	assert_string_equal(format_clean(buf, sizeof(buf), "\xe6\xbc", true), "\\xe6\\xbc");
	assert_string_equal(format_clean(buf, sizeof(buf), "\xf5\x80\x80\x80", true),
			    "\\xf5\\x80\\x80\\x80");
	/* never half a character, never half an escape */
	assert_string_equal(format_clean(buf, 5, "ab漢", true), "ab");
	assert_string_equal(format_clean(buf, 5, "a\033", true), "a");
}

static void cuts(void **state)
{
	static const struct {
		const char *text;
		int columns;
		enum format_cut cut;
		bool utf8;
		const char *want;
	} rows[] = {
		{ "abcdef", 6, CUT_END, true, "abcdef" },
		{ "abcdefg", 6, CUT_END, true, "abcde…" },
		{ "abcdefg", 6, CUT_END, false, "abcd.." },
		{ "/usr/lib/deep/libx.so", 13, CUT_MIDDLE, true, "/usr…/libx.so" },
		{ "漢字漢字", 5, CUT_END, true, "漢字…" },
		{ "漢字漢字", 6, CUT_END, true, "漢字…" },
		{ "漢字漢字漢字", 8, CUT_MIDDLE, true, "漢…漢字" },
		{ "abc", 1, CUT_END, true, "a" },
		{ "abc", 0, CUT_END, true, "" },
		{ "abc", -3, CUT_MIDDLE, false, "" },
	};
	char buf[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		strcpy(buf, rows[i].text);
		format_cut(buf, sizeof(buf), rows[i].columns, rows[i].cut, rows[i].utf8);
		assert_string_equal(buf, rows[i].want);
		if (rows[i].columns >= 0)
			assert_true(format_columns(buf) <= rows[i].columns);
	}
	assert_int_equal(format_columns("a漢ö"), 4);
}

static void cuts_functions(void **state)
{
	static const struct {
		const char *text;
		int columns;
		bool utf8;
		const char *want;
	} rows[] = {
		{ "f<int>", 6, true, "f<int>" },
		{ "std::sort<It<double *>, fn() -> bool>", 30, true, "std::sort<…>" },
		{ "std::sort<It<double *>, fn() -> bool>", 30, false, "std::sort<..>" },
		{ "a::map<long, char>::at<std::string>", 20, true, "a::map<…>::at<…>" },
		{ "a::map<long, char>::at<std::string>", 13, true, "a::m…>::at<…>" },
		{ "operator<<char, traits<char> >", 30, true, "operator<<char, traits<char> >" },
		{ "operator<<char, traits<char> >", 20, true, "operat…, traits<…> >" },
		{ "<alloc::Vec<Thing> as Drop>::drop", 30, true, "<alloc::Vec<…> as Drop>::drop" },
		{ "work()::<lambda(double, int)>", 20, true, "work()…double, int)>" },
		{ "less<than ever before", 12, true, "les…r before" },
	};
	char buf[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		strcpy(buf, rows[i].text);
		format_cut_function(buf, sizeof(buf), rows[i].columns, rows[i].utf8);
		assert_string_equal(buf, rows[i].want);
		assert_true(format_columns(buf) <= rows[i].columns);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),      cmocka_unit_test(counts), cmocka_unit_test(bytes),
		cmocka_unit_test(shares),         cmocka_unit_test(cleans), cmocka_unit_test(cuts),
		cmocka_unit_test(cuts_functions),
	};

	/* wcwidth() is the locale's */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
