/* SPDX-License-Identifier: BSD-2-Clause */
/* Output files: they appear whole or not at all, and what cannot be written is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "outfile.h"
#include "scratch.h"

static void a_file_appears_whole(void **state)
{
	const char *path = in_dir("new");
	struct outfile *f;
	char text[64];
	struct stat st;
	mode_t mask = umask(027);

	assert_int_equal(outfile_open(&f, path), 0);
	assert_int_equal(outfile_write(f, "one\n", 4), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(outfile_write(f, "two\n", 4), 0);
	assert_int_equal(outfile_close(f, true), 0);
	umask(mask);
	read_path(path, text, sizeof(text));
	assert_string_equal(text, "one\ntwo\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	unlink(path);
	assert_int_equal(rmdir(scratch_dir), 0); /* nothing else was left */
	assert_int_equal(mkdir(scratch_dir, 0700), 0);
}

static void a_file_that_is_not_kept_never_was(void **state)
{
	struct outfile *f;

	assert_int_equal(outfile_open(&f, in_dir("none")), 0);
	assert_int_equal(outfile_write(f, "x", 1), 0);
	assert_int_equal(outfile_close(f, false), 0);
	assert_int_equal(rmdir(scratch_dir), 0);
	assert_int_equal(mkdir(scratch_dir, 0700), 0);
}

static void an_old_file_is_replaced_at_once(void **state)
{
	const char *path = in_dir("old"), *link = in_dir("link");
	FILE *old = fopen(path, "we");
	struct outfile *f;
	char text[64];
	struct stat st;

	fputs("old\n", old);
	fclose(old);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(symlink("old", link), 0);
	assert_int_equal(outfile_open(&f, link), 0);
	outfile_write(f, "new\n", 4);
	read_path(path, text, sizeof(text));
	assert_string_equal(text, "old\n");
	assert_int_equal(outfile_close(f, true), 0);
	read_path(path, text, sizeof(text));
	assert_string_equal(text, "new\n");
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode)); /* the link is still one */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	unlink(link);
	unlink(path);
	assert_int_equal(rmdir(scratch_dir), 0);
	assert_int_equal(mkdir(scratch_dir, 0700), 0);
}

static void a_link_to_a_file_that_is_not_there_yet(void **state)
{
	const char *link = in_dir("link");
	char deep[128], target[128], text[64];
	struct outfile *f;
	struct stat st;

	snprintf(deep, sizeof(deep), "%s/deep", scratch_dir);
	snprintf(target, sizeof(target), "%s/deep/file", scratch_dir);
	assert_int_equal(mkdir(deep, 0700), 0);
	assert_int_equal(symlink("deep/second", link), 0);
	assert_int_equal(symlink("file", in_dir("deep/second")), 0); /* from its own directory */
	assert_int_equal(outfile_open(&f, link), 0);
	outfile_write(f, "new\n", 4);
	assert_int_equal(outfile_close(f, true), 0);
	read_path(target, text, sizeof(text));
	assert_string_equal(text, "new\n");
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	unlink(link);
	assert_int_equal(symlink("link", link), 0);
	assert_int_equal(outfile_open(&f, link), -ELOOP);
	unlink(link);
	unlink(target);
	unlink(in_dir("deep/second"));
	rmdir(deep);
	assert_int_equal(rmdir(scratch_dir), 0);
	assert_int_equal(mkdir(scratch_dir, 0700), 0);
}

static void a_fifo_wants_a_reader(void **state)
{
	const char *path = in_dir("fifo");
	struct outfile *f;
	char text[8];
	int reader;

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(outfile_open(&f, path), -ENXIO);
	assert_non_null(strstr(err_text(), "nobody reads"));
	reader = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	assert_int_equal(outfile_open(&f, path), 0);
	assert_int_equal(outfile_write(f, "x\n", 2), 0);
	assert_int_equal(outfile_close(f, true), 0);
	assert_int_equal(read(reader, text, sizeof(text)), 2);
	close(reader);
	unlink(path);
}

static void places_that_cannot_be_written(void **state)
{
	struct outfile *f;

	assert_int_equal(outfile_open(&f, "/no/such/dir/r"), -ENOENT);
	assert_non_null(strstr(err_text(), "/no/such/dir/r"));
	assert_int_equal(outfile_open(&f, scratch_dir), -EISDIR);
}

static void a_full_device(void **state)
{
	struct outfile *f;

	assert_int_equal(outfile_open(&f, "/dev/full"), 0);
	assert_int_equal(outfile_write(f, "x\n", 2), -ENOSPC);
	assert_int_equal(outfile_error(f), -ENOSPC);
	assert_int_equal(outfile_write(f, "x\n", 2), -ENOSPC);
	assert_int_equal(outfile_close(f, true), -ENOSPC);
}

static void a_reader_that_left(void **state)
{
	struct outfile *f;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	assert_int_equal(outfile_fd(&f, ends[1], "the pipe"), 0);
	assert_int_equal(outfile_write(f, "x\n", 2), -EPIPE); /* and we live */
	assert_int_equal(outfile_close(f, true), -EPIPE);
	assert_int_equal(close(ends[1]), 0); /* still the caller's */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_appears_whole),
		cmocka_unit_test(a_file_that_is_not_kept_never_was),
		cmocka_unit_test(an_old_file_is_replaced_at_once),
		cmocka_unit_test(a_link_to_a_file_that_is_not_there_yet),
		cmocka_unit_test(a_fifo_wants_a_reader),
		cmocka_unit_test(places_that_cannot_be_written),
		/* says so on stderr, once; tests/cli looks at that */
		cmocka_unit_test(a_full_device),
		cmocka_unit_test(a_reader_that_left),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
