/* SPDX-License-Identifier: BSD-2-Clause */
/* Names are cut where they stand, none is copied; see code_words.h. */
#include "code_words.h"

#include <string.h>

#define START_FRAMES 8 /* at most so many frames start a thread */

static bool has_prefix(const char *text, const char *const *prefixes)
{
	for (; *prefixes; prefixes++)
		if (!strncmp(text, *prefixes, strlen(*prefixes)))
			return true;
	return false;
}

static bool is_code(const struct stack_frame *f)
{
	return f->kind == STACK_FRAME_USER || f->kind == STACK_FRAME_INLINED ||
	       f->kind == STACK_FRAME_JIT || f->kind == STACK_FRAME_PYTHON;
}

/* Where a frame without a name has its offset: "module+0x12"; NULL: it has a name. */
static const char *offset_of(const struct stack_frame *f)
{
	const char *plus = f->kind == STACK_FRAME_USER ? strstr(f->name, "+0x") : NULL;

	return plus && plus != f->name ? plus : NULL;
}

/* ---- what every thread begins with ---- */

static bool is_start(const struct stack_frame *f)
{
	static const char *const names[] = {
		"_start",
		"__libc_start_main",
		"__libc_start_main_impl",
		"start_thread",
		"clone",
		"__libc_start_call_main",
		"clone3",
		"__clone",
		"__clone3",
	};
	static const char *const rust[] = {
		"std::rt::lang_start",
		"std::sys::backtrace::__rust_begin_short_backtrace",
		"std::sys_common::backtrace::__rust_begin_short_backtrace",
		"std::sys::pal::unix::thread::Thread::new",
		"<std::sys::thread::unix::Thread>::new",
		"<std::sys::pal::unix::thread::Thread>::new",
		"<std::thread::lifecycle::spawn",
		"<std::thread::Builder>::spawn",
		"std::thread::Builder::spawn",
		"core::ops::function::FnOnce",
		"<alloc::boxed::Box<dyn core::ops::function::FnOnce",
		"_ZN4core3ops8function6FnOnce",
		NULL,
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(f->name, names[i]))
			return true;
	return has_prefix(f->name, rust);
}

/*
 * How many of n frames are the program's own: without what starts a thread, and frames beside it
 * that have lost their names, as in a stripped program.
 */
static size_t without_start(const struct stack_row *row, size_t n)
{
	const struct stack_frame *start = NULL; /* the last that is one */
	size_t root = n;

	for (size_t i = n; i > 1 && i + START_FRAMES > n; i--) {
		const struct stack_frame *f = row->frames[i - 1];
		bool unnamed = offset_of(f);
		bool beside = start && root == i && unnamed && f->module && start->module &&
			      !strcmp(f->module, start->module);

		if (is_start(f))
			start = f;
		else if (!unnamed)
			break;
		if (start == f || beside)
			root = i - 1;
	}
	return root;
}

/* ---- one word ---- */

/* The end of a name's arguments begins here; NULL: it has none. */
static const char *arguments_of(const char *name, const char **space)
{
	int depth = 0;

	*space = NULL;
	for (const char *p = name; *p; p++) {
		if (*p == '-' && p[1] == '>') {
			p++;
		} else if (*p == '(' && !depth && p > name && p[-1] != ' ' &&
			   strncmp(p, "(anonymous ", 11) != 0) {
			return p;
		} else if (*p == '<' || *p == '(' || *p == '{' || *p == '[') {
			depth++;
		} else if (*p == '>' || *p == ')' || *p == '}' || *p == ']') {
			depth -= depth > 0;
		} else if (*p == ' ' && !depth) {
			*space = p;
		}
	}
	return NULL;
}

/* Without what compilers add to the name of a part or a variant of a function. */
static struct code_word whole_function(const char *name, size_t len)
{
	static const char *const suffixes[] = { ".constprop.", ".isra.", ".part.",
						".cold",       ".lto_",  NULL };

	for (size_t i = 1; i < len; i++)
		if (name[i] == '.' && has_prefix(name + i, suffixes))
			len = i;
	return (struct code_word){ name, len, false };
}

/* `type name<T>(arguments) const` of C++, Java and the like: the name. */
static struct code_word without_types(const char *name)
{
	const char *space, *end = arguments_of(name, &space);
	const char *from = end && space ? space + 1 : name;

	if (!end || end == from || strstr(name, "operator"))
		return whole_function(name, strlen(name));
	return whole_function(from, (size_t)(end - from));
}

/* V8's: "JS:*name /path/file.js:1:2", "LazyCompile:~ /path/file.js:3:4". */
static bool js_word(const char *name, struct code_word *word)
{
	static const char *const kinds[] = { "JS:",     "LazyCompile:", "Function:",
					     "Script:", "Eval:",        NULL };
	const char *path, *slash;

	if (!has_prefix(name, kinds))
		return false;
	name = strchr(name, ':') + 1;
	name += strspn(name, "*~^+-");
	path = strchr(name, ' ');
	*word = (struct code_word){ name, path ? (size_t)(path - name) : strlen(name), false };
	if (word->len || !path)
		return word->len;
	slash = strrchr(path, '/');
	word->text = slash ? slash + 1 : path + 1;
	word->len = strlen(word->text);
	return word->len;
}

/* Python's -X perf: "py::name:/path/file.py". */
static bool is_python_jit(const struct stack_frame *f)
{
	return f->kind == STACK_FRAME_JIT && !strncmp(f->name, "py::", 4);
}

static struct code_word python_word(const char *name)
{
	return (struct code_word){ name + 4, strcspn(name + 4, ":"), false };
}

/* "_json" of "_json.cpython-311-x86_64-linux-gnu.so". */
static struct code_word file_word(const char *name, const char *end)
{
	const char *python = strstr(name, ".cpython-");

	end = python && python < end ? python : end;
	return (struct code_word){ name, (size_t)(end - name), *name != '[' };
}

static struct code_word word_of(const struct stack_frame *f)
{
	const char *offset = offset_of(f);
	struct code_word word;

	if (offset)
		return file_word(f->name, offset);
	if (is_python_jit(f))
		return python_word(f->name);
	if (f->kind == STACK_FRAME_JIT && js_word(f->name, &word))
		return word;
	if (f->kind == STACK_FRAME_KERNEL || f->kind == STACK_FRAME_PYTHON ||
	    f->kind == STACK_FRAME_MARK)
		return (struct code_word){ f->name, strlen(f->name), false };
	return without_types(f->name);
}

/* ---- all of them ---- */

struct code_words code_words_begin(const struct stack_row *row)
{
	struct code_words w = { .row = row, .code = true };
	size_t marks = row->nframes;

	while (marks && row->frames[marks - 1]->kind == STACK_FRAME_MARK)
		marks--;
	w.at = without_start(row, marks);
	while (w.leaf < w.at && !is_code(row->frames[w.leaf]))
		w.leaf++;
	if (w.leaf < w.at)
		return w;
	w.code = false;
	w.leaf = 0;
	w.at = marks ? marks : row->nframes;
	while (w.leaf + 1 < w.at && row->frames[w.leaf]->kind == STACK_FRAME_WAKER)
		w.leaf++;
	return w;
}

/* Its caller has said what is to be known of it. */
static bool is_inner(struct code_words *w, const struct stack_frame *f)
{
	static const char *const libc[] = { "libc.so", "libc-",  "ld-linux",   "ld-2", "libpthread",
					    "ld-musl", "[vdso]", "linux-vdso", NULL };
	static const char *const interpreter[] = { "python", "libpython", NULL };
	static const char *const entries[] = { "Builtins_JSEntry", "Builtins_Interpreter",
					       "py_trampoline_evaluator", NULL };
	bool called_by_libc = w->in_libc;

	if (!w->code)
		return false;
	w->in_libc = f->module && has_prefix(f->module, libc);
	w->interpreted |= f->kind == STACK_FRAME_PYTHON || is_python_jit(f);
	if (w->in_libc && called_by_libc)
		return true;
	if (has_prefix(f->name, entries))
		return true;
	return w->interpreted && f->kind == STACK_FRAME_USER && f->module &&
	       has_prefix(f->module, interpreter);
}

bool code_words_next(struct code_words *w, struct code_word *word)
{
	while (w->at > w->leaf) {
		const struct stack_frame *f = w->row->frames[--w->at];

		if (is_inner(w, f))
			continue;
		*word = word_of(f);
		if (w->last.text && w->last.len == word->len && w->last.file == word->file &&
		    !memcmp(w->last.text, word->text, word->len))
			continue;
		w->last = *word;
		return true;
	}
	return false;
}
