/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names where there is no room for all: what is left out is counted, once, and gives no wrong name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "names_help.h"
#include "jit_regions.h"
#include "kallsyms.h"

#define PROC_ID 3

static int tear_down(void **state)
{
	remove_fixtures();
	return 0;
}

static struct names_counts count(const struct names *n)
{
	struct names_counts counts;

	names_count(n, &counts);
	return counts;
}

/* ---- code made at run time ---- */

/* What the last of random regions over each address is, against a table of all addresses. */
static void random_regions_against_a_table(void **state)
{
	static int truth[4096];
	struct jit_regions r = {};
	char name[16];

	srandom(7);
	memset(truth, 0xff, sizeof(truth));
	for (int i = 0; i < 2000; i++) {
		uint64_t start = (uint64_t)random() % 4000, size = 1 + (uint64_t)random() % 90;

		snprintf(name, sizeof(name), "%d", i);
		jit_regions_add(&r, start, size, name, strlen(name));
		for (uint64_t at = start; at < start + size; at++)
			truth[at] = i;
		if (i % 400 != 399)
			continue;
		for (uint64_t at = 0; at < 4096; at++) {
			const char *found = jit_regions_find(&r, at);

			assert_int_equal(found ? atoi(found) : -1, truth[at]);
		}
	}
	jit_regions_free(&r);
}

/* A compiler that uses the same memory again and again: what is covered makes room. */
static void regions_are_bounded(void **state)
{
	struct jit_regions r = {};
	char name[16];

	for (uint32_t i = 0; i < JIT_REGIONS_MAX + 1000; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		jit_regions_add(&r, 0x1000 + 16ULL * (i % 1024), 16, name, strlen(name));
	}
	assert_int_equal(r.lost, 0);
	assert_string_equal(jit_regions_find(&r, 0x1000 + 16ULL * ((JIT_REGIONS_MAX + 999) % 1024)),
			    name);
	assert_true(jit_regions_bytes(&r) < 64 << 20);
	jit_regions_free(&r);
	for (uint32_t i = 0; i < JIT_REGIONS_MAX + 1000; i++)
		jit_regions_add(&r, 0x1000 + 16ULL * i, 16, "same", 4);
	assert_int_equal(r.lost, 1000);
	jit_regions_free(&r);
}

/* However often they are looked at. */
static void processes_without_room_are_counted_once(void **state)
{
	struct names *n = names_open(false);
	struct jit_owner who = { .pid = getpid(), .ended = true };

	for (who.proc_id = 1; who.proc_id <= JIT_PROCESSES; who.proc_id++)
		assert_int_equal(names_process(n, &who), 0);
	assert_int_equal(count(n).jit_lost, 0);
	for (int look = 0; look < 3; look++)
		assert_int_equal(names_process(n, &who), -ENOSPC);
	assert_int_equal(count(n).jit_lost, 1);
	who.proc_id += 64;
	assert_int_equal(names_process(n, &who), -ENOSPC);
	assert_int_equal(names_process(n, &who), -ENOSPC);
	assert_int_equal(count(n).jit_lost, 2);
	names_close(n);
}

/* ---- root directories ---- */

/* A directory of the fixtures, open. */
static int directory(int number)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/root%d", fixtures(), number);
	assert_int_equal(mkdir(path, 0700), 0);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* A process that has that root directory, stopped. */
static pid_t process_in(int root)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		if (fchdir(root) || chroot("."))
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static const char *name_in_memory(struct names *n, uint64_t address)
{
	const struct stack_frame *const *frames;
	uint64_t frame = (uint64_t)FRAME_RAW << FRAME_KIND_SHIFT | FRAME_EXACT | address;

	assert_int_equal(names_frames(n, frame, PROC_ID, &frames), 1);
	return frames[0]->name;
}

/* What a process of a container too many leaves behind is not to be found in our own root. */
static void root_directories_without_room(void **state)
{
	struct names *n = names_open(false);
	struct jit_owner who = { .proc_id = PROC_ID };
	const char *known = in(fixtures(), "known");
	int fd = open(known, O_RDONLY | O_CLOEXEC), root;
	char map[64];
	FILE *f;

	if (geteuid())
		skip();
	for (uint32_t i = 0; i < ROOTS_MAX; i++) {
		root = directory((int)i);
		assert_int_equal(names_file(n, 10 + i, fd, known, root), 0);
		close(root);
	}
	assert_int_equal(count(n).roots_lost, 0);
	root = directory(ROOTS_MAX);
	assert_int_equal(names_file(n, 9, fd, known, root), 0);
	assert_int_equal(count(n).roots_lost, 1);
	who.pid = process_in(root);
	for (int look = 0; look < 3; look++)
		assert_int_equal(names_process(n, &who), 0);
	assert_int_equal(count(n).roots_lost, 2);
	end(who.pid);
	snprintf(map, sizeof(map), "/tmp/perf-%d.map", who.pid);
	f = fopen(map, "we");
	assert_non_null(f);
	fprintf(f, "1000 100 of_another\n");
	fclose(f);
	who.ended = true;
	assert_int_equal(names_process(n, &who), 0);
	assert_string_equal(name_in_memory(n, 0x1000), "[anonymous]+0x1000");
	unlink(map);
	close(root);
	close(fd);
	names_close(n);
}

/* ---- the kernel ---- */

#define KERNEL_FUNCTIONS ((1U << 20) + 7)

/* More functions than there is room for; the last ones are not known. */
static void functions_of_the_kernel_without_room(void **state)
{
	FILE *f = tmpfile();
	const char *module = NULL;
	struct kallsyms *k;

	assert_non_null(f);
	for (uint64_t i = 0; i < KERNEL_FUNCTIONS; i++)
		fprintf(f, "%lx t f\n", 0xffffffff00000000 + 16 * i);
	rewind(f);
	k = kallsyms_load(f);
	fclose(f);
	assert_non_null(k);
	assert_int_equal(kallsyms_lost(k), 7);
	assert_string_equal(kallsyms_find(k, 0xffffffff00000001, &module), "f");
	kallsyms_close(k);
}

/* More names than there is room for: a function without one has not the one before it. */
static void names_of_the_kernel_without_room(void **state)
{
	enum { LONG = 900, N = (64 << 20) / LONG };
	FILE *f = tmpfile();
	const char *module = NULL;
	char name[LONG + 1];
	struct kallsyms *k;

	assert_non_null(f);
	memset(name, 'x', LONG);
	name[LONG] = '\0';
	for (uint64_t i = 0; i < N; i++)
		fprintf(f, "%lx t %s\n", 0xffffffff00000000 + 16 * i, name);
	rewind(f);
	k = kallsyms_load(f);
	fclose(f);
	assert_non_null(k);
	assert_in_range(kallsyms_lost(k), 1, N / 2);
	assert_non_null(kallsyms_find(k, 0xffffffff00000000, &module));
	assert_null(kallsyms_find(k, 0xffffffff00000000 + 16 * (N - 1), &module));
	kallsyms_close(k);
}

/* ---- debug information ---- */

/* How many frames a place in the function has, of a program that is made of `source`. */
static size_t frames_of(const char *source, const char *function, uint64_t *lost)
{
	struct names *n = names_open(true);
	const struct stack_frame *const *frames;
	char line[8192];
	uint64_t address;
	size_t depth, count_known;
	struct known *list;
	const char *path = in(fixtures(), "deep");
	FILE *f = fopen(in(fixtures(), "deep.c"), "we");

	assert_non_null(f);
	fputs(source, f);
	fclose(f);
	snprintf(line, sizeof(line), "gcc -g -O2 -o %s %s.c && nm -S --defined-only %s > %s.nm",
		 path, path, path, path);
	assert_int_equal(system(line), 0);
	list = read_known(in(fixtures(), "deep.nm"), &count_known);
	address = known_by_name(list, count_known, function)->address;
	free(list);
	add_file(n, KNOWN_FILE, path);
	depth = names_frames(n, file_frame(KNOWN_FILE, offset_of(path, address), true), 0, &frames);
	*lost = count(n).inlined_lost;
	assert_string_equal(frames[depth - 1]->name, function);
	names_close(n);
	return depth;
}

/* `depth` functions, each inlined into the next one; the first is a volatile access. */
static char *inlined_source(int depth)
{
	static char text[65536];
	int at = snprintf(text, sizeof(text),
			  "#define IN static inline __attribute__((always_inline)) void\n"
			  "IN f0(volatile int *p) { *p = 1; }\n");

	for (int i = 1; i < depth; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at,
			       "IN f%d(volatile int *p) { f%d(p); }\n", i, i - 1);
	snprintf(text + at, sizeof(text) - (size_t)at,
		 "__attribute__((noinline)) void all(volatile int *p) { f%d(p); }\n"
		 "int main(void) { int n; all(&n); return 0; }\n",
		 depth - 1);
	return text;
}

static void inlined_functions_without_room(void **state)
{
	uint64_t lost;

	assert_int_equal(frames_of(inlined_source(31), "all", &lost), 32);
	assert_int_equal(lost, 0);
	assert_int_equal(frames_of(inlined_source(40), "all", &lost), 32);
	assert_int_equal(lost, 1);
	/* so deep that it is not read to its end */
	assert_int_equal(frames_of(inlined_source(300), "all", &lost), 32);
	assert_int_equal(lost, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_regions_against_a_table),
		cmocka_unit_test(regions_are_bounded),
		cmocka_unit_test(processes_without_room_are_counted_once),
		cmocka_unit_test(root_directories_without_room),
		cmocka_unit_test(functions_of_the_kernel_without_room),
		cmocka_unit_test(names_of_the_kernel_without_room),
		cmocka_unit_test(inlined_functions_without_room),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
