/* SPDX-License-Identifier: BSD-2-Clause */
/* The error convention: the number comes back, the text is kept, and no text is too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"

static void set_returns_the_number(void **state)
{
	assert_int_equal(err_set(-ENOENT, "x"), -ENOENT);
	assert_int_equal(err_set(0, "x"), 0);
}

static void text_says_what_and_why(void **state)
{
	err_set(-ENOENT, "cannot open '%s'", "/x");
	assert_string_equal(err_text(), "cannot open '/x': No such file or directory");
	err_set(0, "no probe named '%s'", "y");
	assert_string_equal(err_text(), "no probe named 'y'");
}

static void a_hint_belongs_to_its_error(void **state)
{
	err_set(-EPERM, "cannot load");
	err_hint("run it as %s", "root");
	assert_string_equal(err_text(), "cannot load: Operation not permitted");
	assert_string_equal(err_hint_text(), "run it as root");
	err_set(-ENOENT, "another");
	assert_string_equal(err_hint_text(), "");
}

static void clear_forgets_both(void **state)
{
	err_set(-EPERM, "a");
	err_hint("b");
	err_clear();
	assert_string_equal(err_text(), "");
	assert_string_equal(err_hint_text(), "");
}

static void a_long_text_keeps_its_reason(void **state)
{
	char *path = malloc(100001);

	memset(path, 'p', 100000);
	path[100000] = '\0';
	err_set(-EACCES, "cannot read '%s'", path);
	free(path);
	assert_true(strlen(err_text()) < 1024);
	assert_non_null(strstr(err_text(), ": Permission denied"));
}

/* What `level` prints with the log at `limit`; the errno that it leaves. */
static int logged(enum log_level limit, enum log_level level, char *out, size_t size)
{
	int saved = dup(STDERR_FILENO), pipe_fds[2], left;
	ssize_t n;

	assert_int_equal(pipe(pipe_fds), 0);
	dup2(pipe_fds[1], STDERR_FILENO);
	log_level = limit;
	errno = EBUSY;
	log_msg(level, "n is %d", 7);
	left = errno;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipe_fds[1]);
	n = read(pipe_fds[0], out, size - 1);
	close(pipe_fds[0]);
	assert_true(n >= 0);
	out[n] = '\0';
	return left;
}

static void the_log_obeys_its_level(void **state)
{
	char out[64];

	assert_int_equal(logged(LOG_WARN, LOG_WARN, out, sizeof(out)), EBUSY);
	assert_string_equal(out, "dwell: n is 7\n");
	logged(LOG_WARN, LOG_INFO, out, sizeof(out));
	assert_string_equal(out, "");
	logged(LOG_ERROR, LOG_WARN, out, sizeof(out));
	assert_string_equal(out, "");
	logged(LOG_DEBUG, LOG_DEBUG, out, sizeof(out));
	assert_string_equal(out, "dwell: n is 7\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_returns_the_number),
		cmocka_unit_test(text_says_what_and_why),
		cmocka_unit_test(a_hint_belongs_to_its_error),
		cmocka_unit_test(clear_forgets_both),
		cmocka_unit_test(a_long_text_keeps_its_reason),
		cmocka_unit_test(the_log_obeys_its_level),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
