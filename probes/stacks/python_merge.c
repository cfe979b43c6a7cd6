/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Python frames in a native stack. Each time that C enters the interpreter's loop there is one
 * native frame of it, and the Python frames that it runs, of which the last is marked (see
 * PYTHON_ENTRY): they stand in its place. What the interpreter does to call a function is left
 * out; what it runs for the program (a built-in function, waiting for its lock) stays.
 */
#include <string.h>

#include "python_private.h"

static const char loop[] = "_PyEval_EvalFrameDefault";

/* Beginnings of names: how CPython gets from a call to the function called. */
static const char *const calls[] = { "_PyEval_Vector",
				     "_PyEval_EvalFrame",
				     "_PyFunction_Vectorcall",
				     "_PyObject_Call",
				     "_PyObject_FastCall",
				     "_PyObject_MakeTpCall",
				     "_PyObject_Vectorcall",
				     "_PyVectorcall_Call",
				     "_PyStack_AsDict",
				     "PyObject_Call",
				     "PyObject_Vectorcall",
				     "PyVectorcall_Call",
				     "PyEval_EvalCode",
				     "PyEval_EvalFrame",
				     "cfunction_call",
				     "cfunction_vectorcall",
				     "method_vectorcall",
				     "_PyMethodDef_RawFastCall",
				     "object_vacall",
				     "vectorcall_",
				     "slot_tp_",
				     "gen_send_ex",
				     "gen_iternext",
				     "py_trampoline_evaluator",
				     NULL };

/* The same, of what runs before the first Python frame. */
static const char *const starts[] = {
	"Py_",       "_Py",        "PyRun_",           "PyEval_",
	"PyImport_", "pymain_",    "run_mod",          "run_eval_code_obj",
	"pyrun_",    "thread_run", "pythread_wrapper", NULL
};

static bool begins(const char *name, const char *const *list)
{
	for (size_t i = 0; list[i]; i++) {
		if (!strncmp(name, list[i], strlen(list[i])))
			return true;
	}
	return false;
}

static bool is_loop(const struct stack_frame *f)
{
	return !strncmp(f->name, loop, sizeof(loop) - 1);
}

/* Has the place for a name: the module, "+0x" and an offset. */
static bool is_unnamed(const struct stack_frame *f)
{
	size_t n = strlen(f->module);

	return !strncmp(f->name, f->module, n) && !strncmp(f->name + n, "+0x", 3);
}

struct merge {
	struct python *python;
	struct names *names;
	const struct python_stack *stack;
	const char *module;   /* that has the loop */
	size_t native, frame; /* next to be looked at */
	const struct stack_frame **out;
	size_t n, room;
};

static void put(struct merge *m, const struct stack_frame *f)
{
	if (m->n < m->room && f)
		m->out[m->n++] = f;
}

static const struct stack_frame *frame_named(const struct merge *m, uint64_t word)
{
	struct python_place place;
	const char *file;

	if (!python_place(m->python, word, &place))
		return names_mark(m->names, STACK_FRAME_PYTHON, "[Python function not known]", NULL,
				  NULL, 0);
	file = strrchr(place.path, '/');
	return names_mark(m->names, STACK_FRAME_PYTHON, place.name, file ? file + 1 : place.path,
			  place.path, place.line);
}

/* The frames of one entry; false: there are none. */
static bool put_group(struct merge *m)
{
	const struct python_stack *s = m->stack;
	size_t before = m->n;
	uint64_t word;

	while (m->frame < s->nframes) {
		word = s->frames[m->frame++];
		if ((word & PYTHON_WORD) != PYTHON_ENTRY)
			put(m, frame_named(m, word));
		if (word & PYTHON_ENTRY)
			break;
	}
	return m->n > before;
}

/* A native frame that is not the loop: does it tell anything? `last`: no Python frame follows. */
static bool is_shown(const struct merge *m, const struct stack_frame *f, bool last)
{
	if (f->kind == STACK_FRAME_JIT)
		return strncmp(f->name, "py::", 4) != 0; /* -X perf: the function below */
	if (!f->module || !m->module || strcmp(f->module, m->module) != 0)
		return true;
	return !begins(f->name, calls) && !(last && (begins(f->name, starts) || is_unnamed(f)));
}

static size_t count_groups(const struct python_stack *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nframes; i++)
		n += s->frames[i] & PYTHON_ENTRY || i + 1 == s->nframes;
	return n;
}

static size_t count_loops(struct merge *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->stack->nnative; i++) {
		if (!is_loop(m->stack->native[i]))
			continue;
		m->module = m->stack->native[i]->module;
		n++;
	}
	return n;
}

size_t python_merge(struct python *p, struct names *names, const struct python_stack *stack,
		    const struct stack_frame **out, size_t room)
{
	struct merge m = { p, names, stack, .out = out, .room = room };
	size_t loops = count_loops(&m), groups = count_groups(stack), bare = 0, extra = 0;

	/*
	 * Both stacks whole: they meet at the root. A sample on a CPU may be amid an entry, one
	 * of the two is then ahead of the other by one, at the leaf.
	 */
	if (stack->native_whole && stack->whole) {
		bare = loops > groups ? loops - groups : 0;
		extra = groups > loops ? groups - loops : 0;
	}
	for (size_t i = 0; i < stack->nnative; i++) {
		const struct stack_frame *f = stack->native[i];

		if (!is_loop(f)) {
			if (is_shown(&m, f, m.frame && m.frame >= stack->nframes))
				put(&m, f);
			continue;
		}
		if (bare) {
			bare--;
			put(&m, f);
			continue;
		}
		for (; extra; extra--)
			put_group(&m);
		if (!put_group(&m))
			put(&m, f);
	}
	while (m.frame < stack->nframes) /* the native stack ended before */
		put_group(&m);
	return m.n;
}
