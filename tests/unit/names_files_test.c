/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names in files that were stripped, from wherever what was stripped may be found; in files that
 * are gone, too many, or two of one build; inlined functions and lines from debug information.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "names_help.h"

static int tear_down(void **state)
{
	remove_fixtures();
	return 0;
}

/* A root directory that has a file there; made anew. */
static int root_with(const char *file, const char *path)
{
	const char *root = in(fixtures(), "root");
	char to[4096];
	int fd;

	snprintf(to, sizeof(to), "rm -rf %s", root);
	assert_int_equal(system(to), 0);
	snprintf(to, sizeof(to), "%s%s", root, path);
	for (char *slash = to + strlen(fixtures()) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(to, 0700);
		*slash = '/';
	}
	copy_file(in(fixtures(), file), to);
	fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* The path of a file's debug file by its build-id, which readelf told. */
static const char *by_build_id(void)
{
	static char path[256];
	char line[256], id[64] = "";
	FILE *f;

	snprintf(line, sizeof(line), "readelf -n %s", in(fixtures(), "known"));
	f = popen(line, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, " Build ID: %63s", id);
	pclose(f);
	assert_int_equal(strlen(id), 40);
	snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug", id, id + 2);
	return path;
}

/* The name of a function without a dynamic symbol, when `file` ran as /app/FILE below that root. */
static const char *name_below(int root, const char *file)
{
	struct names *n = names_open(false);
	int fd = open(in(fixtures(), file), O_RDONLY | O_CLOEXEC);
	static char name[256];

	assert_int_equal(names_file(n, KNOWN_FILE, fd, in("/app", file), root), 0);
	close(fd);
	snprintf(name, sizeof(name), "%s",
		 name_at(n, file, known_address("a_static_function") + 1));
	names_close(n);
	if (root >= 0)
		close(root);
	return name;
}

static void assert_below(const char *debug, const char *path, const char *file, bool named)
{
	const char *name = name_below(root_with(debug, path), file);

	if (named)
		assert_string_equal(name, "a_static_function");
	else
		assert_non_null(strstr(name, "+0x"));
}

static void stripped_files_have_offsets(void **state)
{
	char expected[64];

	/* of the function, which unwind information knows, not of the place in it */
	snprintf(expected, sizeof(expected), "known.stripped+0x%lx",
		 known_address("a_static_function"));
	assert_string_equal(name_below(-1, "known.stripped"), expected);
}

static void debug_file_by_build_id(void **state)
{
	assert_below("known.debug", by_build_id(), "known.stripped", true);
	/* a file of another program, with that name */
	assert_below("plain.debug", by_build_id(), "known.stripped", false);
}

static void debug_file_by_link(void **state)
{
	static const char *const places[] = { "/app/", "/app/.debug/", "/usr/lib/debug/app/" };

	for (size_t i = 0; i < 3; i++) {
		assert_below("known.debug", in(places[i], "known.debug"), "known.linked", true);
		assert_below("plain.debug", in(places[i], "plain.debug"), "plain.linked", true);
		/* another build-id, another checksum */
		assert_below("plain.debug", in(places[i], "known.debug"), "known.linked", false);
		assert_below("known.debug", in(places[i], "plain.debug"), "plain.linked", false);
	}
	assert_below("known.debug", "/elsewhere/known.debug", "known.linked", false);
}

static void links_do_not_lead_out_of_the_root(void **state)
{
	int root = root_with("known.debug", "/unused");

	assert_int_equal(mkdirat(root, "app", 0700), 0);
	assert_int_equal(symlinkat(in(fixtures(), "known.debug"), root, "app/known.debug"), 0);
	assert_non_null(strstr(name_below(root, "known.linked"), "+0x"));
	root = root_with("known.debug", "/unused");
	assert_int_equal(mkdirat(root, "app", 0700), 0);
	assert_int_equal(symlinkat("/unused", root, "app/known.debug"), 0); /* within it */
	assert_string_equal(name_below(root, "known.linked"), "a_static_function");
}

static void small_symbols_inside_the_file(void **state)
{
	static const char *const files[] = { "known.mini", "plain.mini" };

	for (size_t i = 0; i < 2; i++) {
		struct names *n = open_with(files[i]);

		assert_string_equal(name_below(-1, files[i]), "a_static_function");
		if (!i) { /* nm told of known */
			assert_string_equal(name_at(n, files[i], known_address("fixture_first")),
					    "fixture_first");
			assert_non_null(strstr(
				name_at(n, files[i], known_address("fixture_second")), "+0x"));
		}
		names_close(n);
	}
}

/* ---- files that come and go ---- */

static void files_of_one_build_id_are_one(void **state)
{
	const char *twin = in(fixtures(), "twin");
	uint64_t offset = offset_of(in(fixtures(), "known"), known_address("main"));
	struct names *n = open_with("known");
	struct names_counts counts;

	mkdir(twin, 0700);
	copy_file(in(fixtures(), "known"), in(twin, "known"));
	add_file(n, 6, in(twin, "known"));
	assert_ptr_equal(only_frame(n, file_frame(KNOWN_FILE, offset, true)),
			 only_frame(n, file_frame(6, offset, true)));
	names_count(n, &counts);
	assert_int_equal(counts.files, 2);
	assert_int_equal(counts.unnamed, 0);
	names_close(n);
}

static void a_file_that_is_gone(void **state)
{
	const char *gone = in(fixtures(), "gone");
	struct names *n = names_open(false);
	int fd;

	copy_file(in(fixtures(), "known"), gone);
	fd = open(gone, O_RDONLY | O_CLOEXEC);
	unlink(gone);
	assert_int_equal(names_file(n, KNOWN_FILE, fd, gone, -1), 0);
	close(fd);
	assert_string_equal(name_at(n, "known", known_address("main")), "main");
	assert_string_equal(
		only_frame(n, file_frame(KNOWN_FILE, known_address("main"), true))->module, "gone");
	names_close(n);
}

/* More than are kept open: opened again by path, if what is there is the same. */
static void many_files(void **state)
{
	const char *plain = in(fixtures(), "plain");
	char name[64], many[256];
	struct names *n = names_open(false);
	size_t nlist;
	struct known *list = read_known(in(fixtures(), "plain.nm"), &nlist);
	uint64_t offset = offset_of(plain, known_by_name(list, nlist, "main")->address);

	free(list);
	snprintf(many, sizeof(many), "%s/many", fixtures());
	mkdir(many, 0700);
	for (uint32_t i = 0; i < NAMES_OPEN_FILES + 3; i++) {
		snprintf(name, sizeof(name), "file%u", i);
		copy_file(in(fixtures(), "plain"), in(many, name));
		add_file(n, 10 + i, in(many, name));
	}
	unlink(in(many, "file1"));
	snprintf(name, sizeof(name), "file%u", NAMES_OPEN_FILES + 1);
	copy_file(in(fixtures(), "known"), in(many, name)); /* another one now */
	assert_string_equal(only_frame(n, file_frame(11, offset, true))->name, "main");
	assert_string_equal(only_frame(n, file_frame(10 + NAMES_OPEN_FILES, offset, true))->name,
			    "main");
	assert_non_null(strstr(only_frame(n, file_frame(11 + NAMES_OPEN_FILES, offset, true))->name,
			       "+0x"));
	assert_string_equal(only_frame(n, file_frame(12 + NAMES_OPEN_FILES, offset, true))->name,
			    "main");
	names_close(n);
}

/* ---- inlined functions ---- */

static const char *base_of(const char *path)
{
	return strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
}

/* Compares the frames of the address with the pairs of lines that addr2line says. */
static int compare_with(FILE *truth, const struct stack_frame *const *frames, size_t n)
{
	char function[256], place[512], expected[512];
	long at = ftell(truth);
	size_t i = 0;

	while (fscanf(truth, "%255s", function) == 1 && strncmp(function, "0x", 2) != 0) {
		assert_int_equal(fscanf(truth, "%511s%*[^\n]", place), 1);
		assert_true(i < n);
		assert_string_equal(frames[i]->name, function);
		snprintf(expected, sizeof(expected), "%s:%u", base_of(frames[i]->path),
			 frames[i]->line);
		assert_string_equal(base_of(place), expected);
		assert_int_equal(frames[i]->kind,
				 i + 1 < n ? STACK_FRAME_INLINED : STACK_FRAME_USER);
		i++;
		at = ftell(truth);
	}
	assert_int_equal(i, n);
	fseek(truth, at, SEEK_SET);
	return (int)n;
}

static void inlined_as_addr2line_says(const char *file, int root)
{
	FILE *truth = fopen(in(fixtures(), "inline.truth"), "r");
	struct names *n = names_open(true);
	int fd = open(in(fixtures(), file), O_RDONLY | O_CLOEXEC), deepest = 0, places = 0;
	const struct stack_frame *const *frames;
	uint64_t address;

	assert_int_equal(names_file(n, KNOWN_FILE, fd, in("/app", file), root), 0);
	close(fd);
	while (fscanf(truth, " 0x%lx", &address) == 1) {
		uint64_t offset = offset_of(in(fixtures(), file), address);
		size_t depth = names_frames(n, file_frame(KNOWN_FILE, offset, true), 0, &frames);
		int seen = compare_with(truth, frames, depth);

		deepest = seen > deepest ? seen : deepest;
		places++;
	}
	fclose(truth);
	assert_in_range(places, 8, 64);
	assert_int_equal(deepest, 3);
	names_close(n);
}

static void inlined_functions_and_lines(void **state)
{
	int root = root_with("inline.debug", "/app/inline.debug");

	inlined_as_addr2line_says("inline", -1);
	inlined_as_addr2line_says("inline.linked", root);
	close(root);
}

static void without_debug_information_one_frame(void **state)
{
	struct names *n = names_open(true);

	add_file(n, KNOWN_FILE, in(fixtures(), "known.stripped"));
	assert_null(
		only_frame(n, file_frame(KNOWN_FILE,
					 offset_of(in(fixtures(), "known"), known_address("main")),
					 true))
			->path);
	names_close(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stripped_files_have_offsets),
		cmocka_unit_test(debug_file_by_build_id),
		cmocka_unit_test(debug_file_by_link),
		cmocka_unit_test(links_do_not_lead_out_of_the_root),
		cmocka_unit_test(small_symbols_inside_the_file),
		cmocka_unit_test(files_of_one_build_id_are_one),
		cmocka_unit_test(a_file_that_is_gone),
		cmocka_unit_test(many_files),
		cmocka_unit_test(inlined_functions_and_lines),
		cmocka_unit_test(without_debug_information_one_frame),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
