/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of places: what this program and its libraries are known to have where. */
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
#include <sys/auxv.h>
#include <unistd.h>

#include "names_help.h"

/* The frame of a function of this process; bytes: how far into it. */
static const struct stack_frame *frame_of(struct names *n, uint32_t number, const void *code,
					  uint64_t bytes, bool exact)
{
	uint64_t offset;
	char path[4096];

	assert_true(mapped((uintptr_t)code, &offset, path));
	add_file(n, number, path);
	return only_frame(n, file_frame(number, offset + bytes, exact));
}

__attribute__((noinline)) int names_test_function(int a);
int names_test_function(int a)
{
	return a * 3;
}

static void own_function(void **state)
{
	struct names *n = names_open(false);
	const struct stack_frame *f = frame_of(n, 5, (void *)names_test_function, 0, true);

	assert_string_equal(f->name, "names_test_function");
	assert_string_equal(f->module, "names_test");
	assert_int_equal(f->kind, STACK_FRAME_USER);
	assert_null(f->path);
	names_close(n);
}

static void function_of_the_c_library(void **state)
{
	struct names *n = names_open(false);
	const struct stack_frame *f = frame_of(n, 5, (void *)getenv, 1, true);

	assert_string_equal(f->name, "getenv");
	assert_string_equal(f->module, "libc.so.6");
	names_close(n);
}

/* The first byte of a function is where the call before it returns to. */
static void return_address_belongs_to_the_call(void **state)
{
	struct names *n = names_open(false);
	const struct stack_frame *exact = frame_of(n, 5, (void *)names_test_function, 0, true);
	const struct stack_frame *before = frame_of(n, 5, (void *)names_test_function, 0, false);
	const struct stack_frame *inside = frame_of(n, 5, (void *)names_test_function, 1, false);

	assert_string_equal(exact->name, "names_test_function");
	assert_string_not_equal(before->name, "names_test_function");
	assert_ptr_equal(inside, exact); /* one place, one frame */
	names_close(n);
}

static void vdso_is_known(void **state)
{
	uint64_t base = getauxval(AT_SYSINFO_EHDR);
	struct names *n = names_open(false);
	const struct stack_frame *f = NULL;
	bool found = false;

	if (!base)
		skip();
	for (uint64_t at = 0; at < 4096 && !found; at++) {
		f = only_frame(n, file_frame(FRAME_FILE_VDSO, at, true));
		assert_string_equal(f->module, "[vdso]");
		found = !strcmp(f->name, "clock_gettime");
	}
	assert_true(found);
	names_close(n);
}

static void unknown_places_are_module_and_offset(void **state)
{
	struct names *n = names_open(false);
	const struct stack_frame *f;
	struct names_counts counts;

	add_file(n, 9, "/etc/passwd"); /* mapped as code perhaps, but no ELF file */
	f = only_frame(n, file_frame(9, 0x10, true));
	assert_string_equal(f->name, "passwd+0x10");
	assert_string_equal(f->module, "passwd");
	f = only_frame(n, file_frame(77, 0x20, false));
	assert_string_equal(f->name, "[unknown file]+0x1f");
	assert_null(f->module);
	f = only_frame(n, (uint64_t)FRAME_RAW << FRAME_KIND_SHIFT | FRAME_EXACT | 0x7f0012345678);
	assert_string_equal(f->name, "[anonymous]+0x7f0012345678");
	names_count(n, &counts);
	assert_int_equal(counts.frames, 3);
	assert_int_equal(counts.unnamed, 3);
	assert_int_equal(counts.files, 1);
	names_close(n);
}

static void kernel_function(void **state)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	struct names *n = names_open(false);
	unsigned long long address;
	char line[1024], name[512];
	int seen = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		const struct stack_frame *frame;

		if (sscanf(line, "%llx T %511s", &address, name) != 2 || strcmp(name, "schedule"))
			continue;
		if (!address)
			skip();
		frame = only_frame(n, address + 4);
		assert_string_equal(frame->name, "schedule");
		assert_string_equal(frame->module, "[kernel]");
		assert_int_equal(frame->kind, STACK_FRAME_KERNEL);
		assert_int_equal(frame->address, address + 4);
		seen++;
	}
	fclose(f);
	assert_int_equal(seen, 1);
	names_close(n);
}

static void equal_marks_are_one(void **state)
{
	struct names *n = names_open(false);
	char name[] = "[truncated: too deep]";
	const struct stack_frame *a = names_mark(n, STACK_FRAME_MARK, name, NULL, NULL, 0);
	const struct stack_frame *b = names_mark(n, STACK_FRAME_PYTHON, "f", "a.py", "/x/a.py", 7);

	assert_string_equal(a->name, name);
	assert_int_equal(b->line, 7);
	assert_ptr_equal(a,
			 names_mark(n, STACK_FRAME_MARK, "[truncated: too deep]", NULL, NULL, 0));
	assert_ptr_equal(b, names_mark(n, STACK_FRAME_PYTHON, "f", "a.py", "/x/a.py", 7));
	assert_ptr_not_equal(b, names_mark(n, STACK_FRAME_PYTHON, "f", "a.py", "/x/a.py", 8));
	names_close(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_function),
		cmocka_unit_test(function_of_the_c_library),
		cmocka_unit_test(return_address_belongs_to_the_call),
		cmocka_unit_test(vdso_is_known),
		cmocka_unit_test(unknown_places_are_module_and_offset),
		cmocka_unit_test(kernel_function),
		cmocka_unit_test(equal_marks_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
