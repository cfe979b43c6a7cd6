/* SPDX-License-Identifier: BSD-2-Clause */
/* program_path() against what execvp() itself runs, and its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program_path.h"
#include "scratch.h"

#define NOTHING 127

/* A script that ends with this status. */
static void make_script(const char *name, int status, mode_t mode)
{
	FILE *f = fopen(in_dir(name), "w");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\nexit %d\n", status);
	fclose(f);
	assert_int_equal(chmod(in_dir(name), mode), 0);
}

static void make_folder(const char *name)
{
	assert_int_equal(mkdir(in_dir(name), 0755), 0);
}

/*
 * one: a directory `tool`, a file `plain` that may not be executed; two: both as scripts, and
 * `late`; here: `mine`, and another `late`.
 */
static int make_files(void **state)
{
	if (scratch_make(state))
		return -1;
	make_folder("one");
	make_folder("two");
	make_folder("here");
	make_folder("one/tool");
	make_script("one/plain", 1, 0644);
	make_script("two/plain", 2, 0755);
	make_script("two/tool", 2, 0755);
	make_script("two/late", 2, 0755);
	make_script("here/mine", 3, 0755);
	make_script("here/late", 4, 0755);
	return chdir(in_dir("here"));
}

static int remove_files(void **state)
{
	return setenv("PATH", "/bin:/usr/bin", 1) || chdir("/") || scratch_remove(state);
}

/* The status of what is run in a child; search: by execvp(). */
static int status_of(const char *name, bool search)
{
	char text[256], *argv[] = { text, NULL };
	int status;
	pid_t pid;

	snprintf(text, sizeof(text), "%s", name);
	pid = fork();
	if (!pid) {
		if (search)
			execvp(text, argv);
		else
			execv(text, argv);
		_exit(NOTHING);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static int found(const char *name)
{
	char path[256];

	if (program_path(name, path, sizeof(path)))
		return status_of(path, false);
	assert_string_equal(path, "");
	return NOTHING;
}

static void check_names(const char *path)
{
	static const char *const names[] = { "tool",   "plain", "late", "mine",
					     "./mine", "none",  "",     "../two/tool" };

	setenv("PATH", path, 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(found(names[i]), status_of(names[i], true));
}

static void as_execvp_does(void **state)
{
	static const char *const around[][3] = { { "", ":", "" },     { "", "::", "" },
						 { "", ":", ":" },    { ":", ":", "" },
						 { "/no:", ":", "" }, { "", "/:", "//" },
						 { "", ":/etc:", "" } };
	char path[512];

	for (size_t i = 0; i < sizeof(around) / sizeof(*around); i++) {
		snprintf(path, sizeof(path), "%s%s%s%s%s", around[i][0], in_dir("one"),
			 around[i][1], in_dir("two"), around[i][2]);
		check_names(path);
	}
	check_names("");
	setenv("PATH", in_dir("two"), 1);
	assert_int_equal(found("late"), 2); /* not that of the current directory */
}

static void without_a_path(void **state)
{
	char path[256];

	unsetenv("PATH");
	assert_true(program_path("sh", path, sizeof(path)));
	assert_string_equal(path, "/bin/sh");
	assert_false(program_path("mine", path, sizeof(path)));
	assert_int_equal(status_of("mine", true), NOTHING);
}

/* What does not fit is not found, rather than cut to another file's name. */
static void no_room(void **state)
{
	char path[8];

	setenv("PATH", "/bin", 1);
	assert_true(program_path("sh", path, sizeof(path)));
	assert_string_equal(path, "/bin/sh");
	assert_false(program_path("sh", path, 7));
	assert_string_equal(path, "");
	assert_true(program_path("/bin/sh", path, sizeof(path)));
	assert_false(program_path("/bin/zsh", path, sizeof(path)));
	assert_string_equal(path, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_execvp_does),
		cmocka_unit_test(without_a_path),
		cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
