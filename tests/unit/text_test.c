/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The summary screen against golden files, and what must hold at every width: no line is
 * wider, none ends in blanks, no byte acts on the terminal but our own colours.
 * DWELL_GOLDEN_WRITE=1 writes the golden files anew; look at the difference then.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "code_paths.h"
#include "format.h"
#include "stacks.h"
#include "text.h"
#include "text_reports.h"

static char *render(const struct text_case *c, struct text_style style)
{
	struct report *r = report_new();
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	c->fill(r);
	code_paths_make(r);
	text_report(f, r, &style);
	fclose(f);
	report_free(r);
	return text;
}

/* tests/golden, from the top of the tree (tests/run) or from beside this source. */
static const char *golden_dir(void)
{
	static char dir[512];

	if (!access("tests/golden", R_OK))
		return "tests/golden";
	snprintf(dir, sizeof(dir), "%.*s../golden", (int)(strrchr(__FILE__, '/') + 1 - __FILE__),
		 __FILE__);
	return dir;
}

static void check_golden(const struct text_case *c, struct text_style style, const char *suffix)
{
	char path[768], want[16384] = "", *text = render(c, style);
	FILE *f;

	snprintf(path, sizeof(path), "%s/text-%s-%d%s.txt", golden_dir(), c->name, style.width,
		 suffix);
	if (getenv("DWELL_GOLDEN_WRITE")) {
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(text, f);
	} else {
		f = fopen(path, "r");
		if (!f)
			fail_msg("no golden file %s", path);
		want[fread(want, 1, sizeof(want) - 1, f)] = '\0';
		if (strcmp(want, text) != 0)
			fail_msg("differs from %s:\n%s", path, text);
	}
	fclose(f);
	free(text);
}

static const struct text_case *text_case_named(const char *name)
{
	const struct text_case *c = text_cases;

	while (strcmp(c->name, name) != 0)
		c++;
	return c;
}

static void golden_files(void **state)
{
	for (const struct text_case *c = text_cases; c->name; c++) {
		check_golden(c, (struct text_style){ 80, false, true }, "");
		check_golden(c, (struct text_style){ 120, false, true }, "");
		check_golden(c, (struct text_style){ 80, true, true }, "-color");
		check_golden(c, (struct text_style){ 120, true, true }, "-color");
		check_golden(c, (struct text_style){ 80, false, false }, "-ascii");
		check_golden(c, (struct text_style){ 40, false, true }, "");
	}
}

/* No line is wider than the screen or ends in blanks; in ASCII nothing else is printed. */
static void check_line(const char *name, const char *line, struct text_style style)
{
	size_t len = strlen(line);

	if (format_columns(line) > style.width)
		fail_msg("%s at %d: too wide: %s", name, style.width, line);
	if (len && line[len - 1] == ' ')
		fail_msg("%s at %d: ends in a blank: %s", name, style.width, line);
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)line[i];

		if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !style.utf8))
			fail_msg("%s at %d: byte %02x in: %s", name, style.width, byte, line);
	}
}

static void every_width(void **state)
{
	for (const struct text_case *c = text_cases; c->name; c++) {
		for (int width = 40; width <= 200; width++) {
			struct text_style style = { width, false, width % 2 };
			char *text = render(c, style), *save = NULL;

			for (char *l = strtok_r(text, "\n", &save); l;
			     l = strtok_r(NULL, "\n", &save))
				check_line(c->name, l, style);
			free(text);
		}
	}
}

/* With the colour codes taken out, colour prints what plain prints. */
static void color_adds_only_color(void **state)
{
	for (const struct text_case *c = text_cases; c->name; c++) {
		char *plain = render(c, (struct text_style){ 80, false, true });
		char *color = render(c, (struct text_style){ 80, true, true }), *to = color;

		assert_string_not_equal(plain, color);
		for (const char *from = color; *from;) {
			size_t code = 0;

			if (from[0] == '\033' && from[1] == '[')
				code = 2 + strspn(from + 2, "0123456789");
			if (code && from[code] == 'm')
				from += code + 1;
			else
				*to++ = *from++;
		}
		*to = '\0';
		assert_string_equal(plain, color);
		free(plain);
		free(color);
	}
}

/* Nothing known: one line of what ran, and no empty section. */
static void why_stacks_are_cut(void **state)
{
	const struct text_style style = { 160, false, true };

	for (uint64_t cut = 46; cut <= 47; cut++) { /* of 4695: one in a hundred */
		struct report *r = report_new();
		char *text = NULL;
		size_t size = 0;
		FILE *f = open_memstream(&text, &size);

		text_case_named("stacks")->fill(r);
		r->stacks.truncated = cut;
		r->stacks.ends[STACK_DEEP] = 20;
		r->stacks.ends[STACK_NO_ROW] = cut - 20;
		text_report(f, r, &style);
		fclose(f);
		assert_int_equal(strstr(text, "whole, most others cut: no unwind information\n") !=
					 NULL,
				 cut == 47);
		free(text);
		report_free(r);
	}
}

/* What was missed is worth a word when it is much. */
static void much_without_a_sample(void **state)
{
	const struct text_style style = { 120, false, true };

	for (uint64_t ms = 30; ms <= 600; ms += 570) {
		struct report *r = report_new();
		char *text = NULL;
		size_t size = 0;
		FILE *f = open_memstream(&text, &size);

		text_case_named("stacks")->fill(r);
		r->stacks.not_sampled_ns = ms * 1000000;
		text_report(f, r, &style);
		fclose(f);
		assert_int_equal(strstr(text, "-F 999") != NULL, ms == 600);
		free(text);
		report_free(r);
	}
}

static void empty_report(void **state)
{
	struct report r = { .wall_ns = 1000, .has_exit = true };
	struct text_style style = { 80, false, true };
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	text_report(f, &r, &style);
	fclose(f);
	assert_string_equal(text, "\ndwell · 1.00 µs · exit 0\n");
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_files),          cmocka_unit_test(every_width),
		cmocka_unit_test(color_adds_only_color), cmocka_unit_test(much_without_a_sample),
		cmocka_unit_test(why_stacks_are_cut),    cmocka_unit_test(empty_report),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
