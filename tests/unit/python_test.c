/* SPDX-License-Identifier: BSD-2-Clause */
/* python_merge: Python frames in a native stack; python_place: names and lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "python.h"
#include "symbol/names.h"

#define MODULE "libpython3.11.so.1.0"
#define WORD(number, instr)                                                                        \
	((uint64_t)FRAME_PYTHON << FRAME_KIND_SHIFT | (uint64_t)(number) << PYTHON_NUMBER_SHIFT |  \
	 (instr))
#define BARE ((uint64_t)FRAME_PYTHON << FRAME_KIND_SHIFT | PYTHON_ENTRY)

static struct python *python;
static struct names *names;

struct told {
	struct python_code_event event;
	uint8_t lines[8];
};

/* Instructions 0 and 1 on the first line, 2 on the next but one; then none. */
static const uint8_t lines[] = { 0x80 | 1 << 3 | 1, 0x12, 0x80 | 12 << 3 | 0, 0, 5,
				 0x80 | 15 << 3 | 0 };

static void tell_text(struct python_text *t, uint8_t *bytes, const char *text)
{
	t->kind = 1;
	t->size = t->length = (uint16_t)strlen(text);
	memcpy(bytes, text, t->length);
}

static void tell(uint32_t number, const char *name, const char *path)
{
	struct told told = { .event = { .number = number, .first_line = 10 } };

	told.event.head.kind = EVENT_STACKS_CODE;
	tell_text(&told.event.name, told.event.name_bytes, name);
	tell_text(&told.event.path, told.event.path_bytes, path);
	told.event.lines_size = sizeof(lines);
	memcpy(told.lines, lines, sizeof(lines));
	assert_true(python_event(python, &told.event.head, sizeof(told.event) + sizeof(lines)));
}

static int setup(void **state)
{
	python = python_open(-1, -1);
	names = names_open(false);
	assert_non_null(python);
	assert_non_null(names);
	tell(1, "inner", "/a/one.py");
	tell(2, "middle", "/a/one.py");
	tell(3, "outer", "/a/two.py");
	return 0;
}

static int teardown(void **state)
{
	python_close(python);
	names_close(names);
	return 0;
}

/* Names of what comes of it, leaf first, with a blank between two. */
static const char *merged(const char *const *native, const uint64_t *frames, bool native_whole,
			  bool whole)
{
	const struct stack_frame *list[32], *out[64];
	struct python_stack s = {
		.native = list, .frames = frames, .native_whole = native_whole, .whole = whole
	};
	static char text[512];
	size_t n;

	for (; native[s.nnative]; s.nnative++)
		list[s.nnative] =
			names_mark(names, STACK_FRAME_USER, native[s.nnative],
				   strchr(native[s.nnative], '.') ? "libc.so.6" : MODULE, NULL, 0);
	while (frames[s.nframes])
		s.nframes++;
	n = python_merge(python, names, &s, out, s.nnative + s.nframes);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (i)
			strcat(text, " ");
		strcat(text, out[i]->name);
	}
	return text;
}

#define LOOP "_PyEval_EvalFrameDefault"
#define STACK(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define FRAMES(...) ((const uint64_t[]){ __VA_ARGS__, 0 })

static void frames_stand_for_the_loop(void **state)
{
	assert_string_equal(
		merged(STACK("read.", "os_read", "cfunction_vectorcall_FASTCALL",
			     "PyObject_Vectorcall", LOOP, "_PyEval_Vector", "list_sort", LOOP,
			     "PyEval_EvalCode", "pymain_run_python", "main", "start."),
		       FRAMES(WORD(1, 0), WORD(2, 0) | PYTHON_ENTRY, WORD(3, 0) | PYTHON_ENTRY),
		       true, true),
		"read. os_read inner middle list_sort outer main start.");
}

static void what_is_cut_short_meets_at_the_leaf(void **state)
{
	const uint64_t *frames =
		FRAMES(WORD(1, 0) | PYTHON_ENTRY, WORD(2, 0) | PYTHON_ENTRY, WORD(3, 0));

	assert_string_equal(merged(STACK("read.", LOOP, "list_sort"), frames, false, true),
			    "read. inner list_sort middle outer");
	assert_string_equal(merged(STACK("read.", LOOP, "list_sort", LOOP, LOOP, LOOP, "start."),
				   frames, true, false),
			    "read. inner list_sort middle outer " LOOP " start.");
	assert_string_equal(merged(STACK("read."), FRAMES(WORD(3, 0) | PYTHON_ENTRY), false, true),
			    "read. outer");
}

static void amid_an_entry_they_meet_at_the_root(void **state)
{
	/* the loop has begun, its frame is not linked */
	assert_string_equal(merged(STACK(LOOP, "list_sort", LOOP, "start."),
				   FRAMES(WORD(3, 0) | PYTHON_ENTRY), true, true),
			    LOOP " list_sort outer start.");
	/* the frame is linked, the loop has not begun */
	assert_string_equal(merged(STACK("list_sort", LOOP, "start."),
				   FRAMES(WORD(1, 0) | PYTHON_ENTRY, WORD(3, 0) | PYTHON_ENTRY),
				   true, true),
			    "list_sort inner outer start.");
	/* an entry without a frame yet */
	assert_string_equal(merged(STACK(LOOP, "list_sort", LOOP, "start."),
				   FRAMES(BARE, WORD(3, 0) | PYTHON_ENTRY), true, true),
			    LOOP " list_sort outer start.");
}

static void what_was_not_told_has_no_name(void **state)
{
	assert_string_equal(
		merged(STACK(LOOP, "start."), FRAMES(WORD(9, 0) | PYTHON_ENTRY), true, true),
		"[Python function not known] start.");
}

static void lines_are_those_of_the_table(void **state)
{
	static const uint32_t at[] = { 10, 10, 12, 0, 0 };
	struct python_place place;

	for (uint64_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		assert_true(python_place(python, WORD(1, i), &place));
		assert_int_equal(place.line, at[i]);
	}
	assert_true(python_place(python, WORD(3, PYTHON_INSTR_MASK), &place));
	assert_int_equal(place.line, 10); /* not begun */
	assert_string_equal(place.name, "outer");
	assert_string_equal(place.path, "/a/two.py");
}

static void names_are_utf_8(void **state)
{
	static const uint8_t wide[] = { 0xfd, 0x51, 0x70, 0x65 };
	struct python_code_event e = { .number = 4 };
	struct python_place place;

	e.head.kind = EVENT_STACKS_CODE;
	e.name = (struct python_text){ .size = 200, .kind = 2, .length = sizeof(wide) };
	memcpy(e.name_bytes, wide, sizeof(wide));
	tell_text(&e.path, e.path_bytes,
		  "gr\xf6\xdf"
		  "e.py");
	assert_true(python_event(python, &e.head, sizeof(e)));
	assert_true(python_place(python, WORD(4, 0), &place));
	assert_string_equal(place.name, "...函数");
	assert_string_equal(place.path, "größe.py");
	assert_int_equal(place.line, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_stand_for_the_loop),
		cmocka_unit_test(what_is_cut_short_meets_at_the_leaf),
		cmocka_unit_test(amid_an_entry_they_meet_at_the_root),
		cmocka_unit_test(what_was_not_told_has_no_name),
		cmocka_unit_test(lines_are_those_of_the_table),
		cmocka_unit_test(names_are_utf_8),
	};

	return cmocka_run_group_tests_name("python", tests, setup, teardown);
}
