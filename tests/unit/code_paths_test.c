/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks in a reader's words: each rule of code_words.h, paths that are one, and where half is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "code_paths.h"
#include "code_words.h"

#define MAX_FRAMES 16
#define MAX_ROWS 8

/* A frame: "kind:module!name", from the root on, ended by NULL. */
struct stack {
	struct stack_frame frames[MAX_FRAMES];
	const struct stack_frame *list[MAX_FRAMES];
	char text[MAX_FRAMES][256];
};

static struct stack_row row_of(struct stack *s, const char *const *from)
{
	static const char kinds[] = "uijpkwm"; /* as in enum stack_frame_kind */
	struct stack_row row = { .comm = "x", .frames = s->list };
	size_t n = 0;

	while (from[n])
		n++;
	for (size_t i = 0; i < n; i++) {
		struct stack_frame *f = &s->frames[i];
		char *bang;

		snprintf(s->text[i], sizeof(s->text[i]), "%s", from[n - 1 - i]);
		bang = strchr(s->text[i], '!');
		*bang = '\0';
		*f = (struct stack_frame){ .name = bang + 1 };
		f->kind = (uint8_t)(strchr(kinds, s->text[i][0]) - kinds);
		f->module = s->text[i][2] ? s->text[i] + 2 : NULL;
		s->list[i] = f;
	}
	row.nframes = n;
	return row;
}

static void says(const char *want, const char *const *frames)
{
	struct stack s;
	struct stack_row row = row_of(&s, frames);
	struct code_words words = code_words_begin(&row);
	struct code_word w;
	char got[1024] = "";

	while (code_words_next(&words, &w))
		snprintf(got + strlen(got), sizeof(got) - strlen(got),
			 w.file ? "%s[%.*s]" : "%s%.*s", *got ? " > " : "", (int)w.len, w.text);
	assert_string_equal(got, want);
}

#define SAYS(want, ...) says(want, (const char *const[]){ __VA_ARGS__, NULL })

static void what_starts_a_thread_is_left_out(void **state)
{
	SAYS("main > f", "u:a!_start", "u:libc.so.6!__libc_start_main", "u:a!main", "u:a!f");
	SAYS("job", "u:libc.so.6!clone3", "u:libc.so.6!start_thread", "u:a!job");
	SAYS("[a] > f", "u:a!a+0x10", "u:libc.so.6!__libc_start_main", "u:libc.so.6!libc.so.6+0x2",
	     "u:a!a+0x99", "u:a!f");
	SAYS("work > std::thread::functions::sleep > nanosleep", "u:libc.so.6!clone3",
	     "u:libc.so.6!start_thread", "u:r!<std::sys::thread::unix::Thread>::new::thread_start",
	     "u:r!core::ops::function::FnOnce::call_once{{vtable.shim}}",
	     "u:r!std::sys::backtrace::__rust_begin_short_backtrace", "u:r!work",
	     "u:r!std::thread::functions::sleep", "u:libc.so.6!nanosleep");
	SAYS("_start", "u:a!_start");
}

static void names_are_without_types(void **state)
{
	SAYS("thrower<long>", "u:a!void thrower<long>(long)");
	SAYS("(anonymous namespace)::Pool::run", "u:a!(anonymous namespace)::Pool::run(int)");
	SAYS("std::map<int, std::string>::operator[](int const&)",
	     "u:a!std::map<int, std::string>::operator[](int const&)");
	SAYS("f<void (*)(int)>::g", "u:a!std::vector<A, B> f<void (*)(int)>::g(A (*)(B)) const");
	SAYS("f", "u:a!f(int) [clone .cold]");
	SAYS("f > g", "u:a!f.part.0", "u:a!f", "u:a!g.constprop.0.isra.0", "u:a!g.cold");
	SAYS(".cold", "u:a!.cold");
	SAYS("J.fib", "j:!int J.fib(int)");
	SAYS("<fn(u8) -> u8 as T>::call", "u:a!<fn(u8) -> u8 as T>::call");
	SAYS("(weird", "u:a!(weird");
}

static void code_without_names_has_its_file(void **state)
{
	SAYS("main > [lib.so] > step > [lib.so]", "u:a!main", "u:lib.so!lib.so+0x10",
	     "u:lib.so!lib.so+0x20", "u:lib.so!step", "u:lib.so!lib.so+0x30");
	SAYS("main > [anonymous]", "u:a!main", "u:![anonymous]+0x7f00", "u:![anonymous]+0x7f01");
	SAYS("[make] > make", "u:make!make+0x10", "u:make!make");
}

static void inside_of_a_library_is_left_out(void **state)
{
	SAYS("main > pthread_cond_wait", "u:a!main", "u:libc.so.6!pthread_cond_wait",
	     "u:libc.so.6!__futex_abstimed_wait_common");
	SAYS("main > qsort > compare > malloc", "u:a!main", "u:libc.so.6!qsort",
	     "u:libc.so.6!msort", "u:a!compare", "u:libc.so.6!malloc", "u:libc.so.6!_int_malloc");
	SAYS("main > clock_gettime", "u:a!main", "u:libc.so.6!clock_gettime",
	     "u:[vdso]!clock_gettime");
}

static void interpreters_stand_back(void **state)
{
	SAYS("Py_BytesMain > <module> > inner", "u:python3!Py_BytesMain", "p:t.py!<module>",
	     "p:t.py!inner", "u:python3!python3+0x5a85ed");
	SAYS("<module> > nap > nanosleep", "p:t.py!<module>", "p:t.py!nap", "u:python3!python3+0x1",
	     "u:libpython3.11.so.1.0!PyLong_Sleep", "u:libc.so.6!nanosleep");
	SAYS("<module> > [_json]", "p:t.py!<module>",
	     "u:_json.cpython-311-x86_64-linux-gnu.so!_json.cpython-311-x86_64-linux-gnu.so+0x4c98");
	SAYS("node::Start > fib > n.js:1:1", "u:node!node::Start(int, char**)",
	     "u:node!Builtins_JSEntry", "u:node!Builtins_InterpreterEntryTrampoline",
	     "j:[jit]!JS:*fib /tmp/a/n.js:1:13", "j:[jit]!LazyCompile:~fib /tmp/a/n.js:1:13",
	     "j:[jit]!Script:~ /tmp/a/n.js:1:1");
	SAYS("Py_BytesMain > <module> > A.nap > nanosleep", "u:python3!Py_BytesMain",
	     "u:python3!py_trampoline_evaluator", "j:[jit]!py::<module>:/x/t.py",
	     "u:python3!_PyEval_EvalFrameDefault", "u:python3!py_trampoline_evaluator",
	     "j:[jit]!py::A.nap:/x/t.py", "u:python3!_PyEval_EvalFrameDefault",
	     "u:libc.so.6!nanosleep");
	SAYS("lambda handler (app.js:12)", "j:[jit]!lambda handler (app.js:12)");
}

static void what_has_no_code_of_its_own(void **state)
{
	SAYS("clone3 > ret_from_fork", "u:libc.so.6!clone3", "k:[kernel]!ret_from_fork");
	SAYS("do_exit > exit_mmap", "m:![truncated: between two programs]", "k:[kernel]!do_exit",
	     "k:[kernel]!exit_mmap");
	SAYS("[truncated: lost]", "m:![truncated: lost]");
	SAYS("main", "u:a!main", "k:[kernel]!schedule", "w:a!notify");
}

/* ---- paths ---- */

struct run {
	struct stack stacks[MAX_ROWS];
	struct stack_row rows[MAX_ROWS];
	struct report *r;
};

static void add(struct run *run, uint32_t state, uint64_t ns, uint64_t count,
		const char *const *frames)
{
	struct stacks_report *s = &run->r->stacks;
	struct stack_row row = row_of(&run->stacks[s->nrows], frames);

	row.state = state;
	row.ns = ns;
	row.count = count;
	run->rows[s->nrows++] = row;
	s->rows = run->rows;
}

#define ADD(run, state, ns, count, ...)                                                            \
	add(run, state, ns, count, (const char *const[]){ __VA_ARGS__, NULL })

static void is_path(const struct code_path *p, const char *want)
{
	char got[512] = "";

	for (size_t i = 0; i < p->n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? " > " : "",
			 p->words[i]);
	assert_string_equal(got, want);
}

static void equal_paths_are_one(void **state)
{
	struct run run = { .r = report_new() };
	const struct stacks_report *s = &run.r->stacks;

	ADD(&run, STATE_DISK, 10, 1, "u:a!main", "u:libc.so.6!read", "k:[kernel]!vfs_read");
	ADD(&run, STATE_DISK, 15, 2, "u:a!main", "u:libc.so.6!read", "k:[kernel]!ksys_read");
	ADD(&run, STATE_PIPE, 20, 1, "u:a!main", "u:libc.so.6!read");
	ADD(&run, STATE_PIPE, 99, 0, "m:![not sampled]");
	code_paths_make(run.r);
	assert_int_equal(s->npaths, 2);
	assert_int_equal(s->npaths_all, 2);
	is_path(&s->paths[0], "main > read");
	assert_int_equal(s->paths[0].ns, 25);
	assert_int_equal(s->paths[0].count, 3);
	assert_int_equal(s->paths[0].state, STATE_DISK);
	assert_int_equal(s->paths[1].state, STATE_PIPE);
	report_free(run.r);
}

static void half_of_the_time(void **state)
{
	struct run run = { .r = report_new() };
	const struct code_path *hot = run.r->stacks.hot;

	ADD(&run, STATE_ON_CPU, 30, 3, "u:a!main", "u:a!work", "u:a!hash");
	ADD(&run, STATE_ON_CPU, 15, 2, "u:a!main", "u:a!work", "u:a!sort");
	ADD(&run, STATE_ON_CPU, 10, 1, "u:a!main", "u:a!work");
	ADD(&run, STATE_ON_CPU, 35, 3, "u:a!main", "u:a!rest");
	ADD(&run, STATE_DISK, 40, 4, "u:a!one");
	ADD(&run, STATE_DISK, 45, 4, "u:a!two");
	ADD(&run, STATE_DISK, 46, 4, "u:a!three");
	ADD(&run, STATE_SLEEP, 7, 1, "u:a!main", "u:libc.so.6!nanosleep");
	code_paths_make(run.r);
	is_path(&hot[STATE_ON_CPU], "main > work");
	assert_int_equal(hot[STATE_ON_CPU].ns, 55);
	assert_int_equal(hot[STATE_ON_CPU].count, 6);
	assert_int_equal(hot[STATE_DISK].n, 0);
	is_path(&hot[STATE_SLEEP], "main > nanosleep");
	report_free(run.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_starts_a_thread_is_left_out),
		cmocka_unit_test(names_are_without_types),
		cmocka_unit_test(code_without_names_has_its_file),
		cmocka_unit_test(inside_of_a_library_is_left_out),
		cmocka_unit_test(interpreters_stand_back),
		cmocka_unit_test(what_has_no_code_of_its_own),
		cmocka_unit_test(equal_paths_are_one),
		cmocka_unit_test(half_of_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
