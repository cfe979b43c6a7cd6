/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every output of stacks under the sanitizers, with readers that are as simple as can be;
 * tests/cli/stack_files.py looks at the files with readers that are not ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "err.h"
#include "flame_tree.h"
#include "stack_outputs.h"
#include "stack_path.h"
#include "stack_reports.h"

/* What the output writes, ended by a NUL; freed by the caller. */
static char *written(struct report *r, enum stack_output output, size_t *size)
{
	int fd = memfd_create("output", MFD_CLOEXEC);
	struct outfile *f;
	char *text;

	assert_int_equal(outfile_fd(&f, fd, "output"), 0);
	assert_int_equal(stack_output_write(r, f, output), 0);
	assert_int_equal(outfile_close(f, true), 0);
	*size = (size_t)lseek(fd, 0, SEEK_END);
	text = calloc(1, *size + 1);
	assert_int_equal(pread(fd, text, *size, 0), *size);
	close(fd);
	return text;
}

static void every_output_of_every_report(void **state)
{
	for (const struct stack_case *c = stack_cases; c->name; c++) {
		struct report *r = report_new();

		c->fill(r);
		for (int i = 0; i < STACK_OUTPUTS; i++) {
			size_t size, again;
			char *text = written(r, (enum stack_output)i, &size);
			char *second = written(r, (enum stack_output)i, &again);

			if (i != OUTPUT_PPROF) /* which has the time of day */
				assert_true(size == again && !memcmp(text, second, size));
			free(text);
			free(second);
		}
		report_free(r);
	}
}

static void folded_lines_add_up(void **state)
{
	for (const struct stack_case *c = stack_cases; c->name; c++) {
		struct report *r = report_new();
		uint64_t sum = 0;
		size_t size;
		char *text, *save = NULL;

		c->fill(r);
		text = written(r, OUTPUT_FOLDED_LAST, &size);
		for (char *line = strtok_r(text, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			sum += strtoull(strrchr(line, ' '), NULL, 10);
		assert_int_equal(sum, stack_rows_ns(&r->stacks));
		free(text);
		report_free(r);
	}
}

/* A disk that is full is said, remembered, and ends in no file. */
static void what_cannot_be_written_is_an_error(void **state)
{
	struct report *r = report_new();

	stack_cases[0].fill(r);
	for (int i = 0; i < STACK_OUTPUTS; i++) {
		struct outfile *f;

		assert_int_equal(outfile_open(&f, "/dev/full"), 0);
		assert_int_equal(stack_output_write(r, f, (enum stack_output)i), -ENOSPC);
		assert_int_equal(outfile_close(f, false), -ENOSPC);
	}
	report_free(r);
}

/* --- the flame graph's tree --- */

static void the_tree_is_that_of_the_rows(void **state)
{
	struct report *r = report_new();
	struct flame_tree t;

	stack_cases[0].fill(r);
	assert_int_equal(flame_tree_make(&t, &r->stacks), 0);
	assert_int_equal(t.nodes[0].ns, stack_rows_ns(&r->stacks));
	assert_int_equal(t.nodes[0].depth, 0);
	assert_int_equal(t.cut, 0);
	assert_string_equal(t.nodes[1].step.name, "python3");
	assert_int_equal(t.nodes[1].step.kind, STACK_STEP_PROCESS);
	assert_int_equal(t.nodes[1].states[STATE_POLL], 2000000000);
	assert_int_equal(t.nodes[1].states[STATE_ON_CPU], 90000000);
	for (size_t i = 1; i < t.n; i++)
		assert_true(t.nodes[i].depth >= 1 && t.nodes[i].depth <= t.nodes[i - 1].depth + 1);
	flame_tree_free(&t);
	report_free(r);
}

/* Stacks that are all too large for the first cut and too many together. */
static void the_tree_is_bounded(void **state)
{
	enum { ROWS = 15000, DEPTH = 5 };
	struct report *r = report_new();
	struct stack_row *rows = report_alloc(r, ROWS * sizeof(*rows));
	struct flame_tree t;

	for (size_t i = 0; i < ROWS; i++) {
		const struct stack_frame **frames = report_alloc(r, DEPTH * sizeof(*frames));

		for (size_t k = 0; k < DEPTH; k++) {
			struct stack_frame *f = report_alloc(r, sizeof(*f));

			f->name = report_printf(r, "f%zu", i * DEPTH + k);
			frames[k] = f;
		}
		rows[i] = (struct stack_row){ .comm = "x", .ns = 1000, .count = 1 };
		rows[i].nframes = DEPTH;
		rows[i].frames = frames;
	}
	r->stacks = (struct stacks_report){ .present = true, .rows = rows, .nrows = ROWS };
	assert_int_equal(flame_tree_make(&t, &r->stacks), 0);
	assert_true(t.n <= FLAME_NODES);
	assert_true(t.share < FLAME_SHARE);
	assert_int_equal(t.nodes[0].ns, ROWS * 1000);
	assert_int_equal(t.cut, ROWS * DEPTH);
	assert_int_equal(t.cut_ns, ROWS * 1000);
	flame_tree_free(&t);
	report_free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_output_of_every_report),
		cmocka_unit_test(folded_lines_add_up),
		cmocka_unit_test(what_cannot_be_written_is_an_error),
		cmocka_unit_test(the_tree_is_that_of_the_rows),
		cmocka_unit_test(the_tree_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
