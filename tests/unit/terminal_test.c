/* SPDX-License-Identifier: BSD-2-Clause */
/* What a stream can show, and the progress line, on a pseudo-terminal of our own. */
#include <fcntl.h>
#include <locale.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "progress.h"
#include "term.h"

struct terminal {
	int ours, theirs; /* what a person reads; what a program writes to */
	FILE *f;
};

static int open_terminal(void **state)
{
	static struct terminal t;
	struct winsize size = { .ws_row = 24, .ws_col = 72 };

	if (openpty(&t.ours, &t.theirs, NULL, NULL, &size))
		return -1;
	fcntl(t.ours, F_SETFL, O_NONBLOCK);
	t.f = fdopen(dup(t.theirs), "w");
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	unsetenv("COLUMNS");
	*state = &t;
	return t.f ? 0 : -1;
}

static int close_terminal(void **state)
{
	struct terminal *t = *state;

	fclose(t->f);
	close(t->theirs);
	close(t->ours);
	return 0;
}

static const char *shown(const struct terminal *t)
{
	static char buf[1024];
	ssize_t n = read(t->ours, buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static void styles(void **state)
{
	struct terminal *t = *state;
	FILE *null = fopen("/dev/null", "w");

	assert_non_null(null);
	assert_int_equal(text_style_of(t->f, false).width, 72);
	assert_true(text_style_of(t->f, false).utf8);
	assert_true(text_style_of(t->f, false).color);
	assert_false(text_style_of(t->f, true).color);
	assert_false(text_style_of(null, false).color);
	setenv("NO_COLOR", "", 1);
	assert_true(text_style_of(t->f, false).color);
	setenv("NO_COLOR", "1", 1);
	assert_false(text_style_of(t->f, false).color);
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	assert_false(text_style_of(t->f, false).color);
	unsetenv("TERM");
	assert_false(text_style_of(t->f, false).color);
	assert_int_equal(text_style_of(null, false).width, 80);
	setenv("COLUMNS", "132", 1);
	assert_int_equal(text_style_of(null, false).width, 132);
	setenv("COLUMNS", "7", 1);
	assert_int_equal(text_style_of(null, false).width, 40);
	setenv("COLUMNS", "wide", 1);
	assert_int_equal(text_style_of(null, false).width, 80);
	fclose(null);
}

static void fill(struct report *r)
{
	r->wall_ns = 2120000000;
	r->processes_live = 2;
	r->threads_live = 1;
	r->ledger.present = true;
	r->ledger.tree.lifetime_ns = 1000;
	r->ledger.tree.states[STATE_ON_CPU].ns = 250;
	r->ledger.tree.states[STATE_PIPE].ns = 300;
	r->ledger.tree.states[STATE_CHILD].ns = 450;
	r->syscalls.present = true;
	r->syscalls.tree.total = 12345;
}

static void line_is_drawn_and_cleared(void **state)
{
	struct terminal *t = *state;
	struct report r = {};
	struct progress p;

	fill(&r);
	progress_init(&p, t->f, true, true, -1, -1);
	progress_clear(&p);
	assert_string_equal(shown(t), "");
	progress_update(&p, &r);
	/* cut to 71 of 72 columns */
	assert_string_equal(shown(t), "\r\033[K2.12 s  2 processes, 1 thread  on_cpu 25.0 %  "
				      "pipe 30.0 %  12,345 syst…\r");
	progress_clear(&p);
	assert_string_equal(shown(t), "\r\033[K");
	progress_clear(&p);
	assert_string_equal(shown(t), "");
}

static void silent(struct terminal *t, FILE *f, bool wanted, int out, int err)
{
	struct report r = {};
	struct progress p;

	fill(&r);
	progress_init(&p, f, wanted, true, out, err);
	progress_update(&p, &r);
	progress_clear(&p);
	assert_string_equal(shown(t), "");
}

static void silent_when_it_must_be(void **state)
{
	struct terminal *t = *state;
	FILE *null = fopen("/dev/null", "w");

	assert_non_null(null);
	silent(t, t->f, false, -1, -1);
	silent(t, null, true, -1, -1);
	/* the command writes to this terminal */
	silent(t, t->f, true, t->theirs, -1);
	silent(t, t->f, true, fileno(null), t->theirs);
	setenv("TERM", "dumb", 1);
	silent(t, t->f, true, -1, -1);
	fclose(null);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(styles, open_terminal, close_terminal),
		cmocka_unit_test_setup_teardown(line_is_drawn_and_cleared, open_terminal,
						close_terminal),
		cmocka_unit_test_setup_teardown(silent_when_it_must_be, open_terminal,
						close_terminal),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
