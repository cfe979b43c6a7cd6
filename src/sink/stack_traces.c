/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow: rows by path and state; those that are alike are one trace; the STACK_TRACES with the
 * most time are told. A trace stands for many waits, so what denet says of one wait (when it
 * began and ended) is the time in which they all were.
 */
#include "stack_traces.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "stack_path.h"

struct group {
	const struct stack_row **rows;
	size_t n;
	uint64_t ns;
};

static bool alike(const struct stack_row *a, const struct stack_row *b)
{
	size_t n = stack_path_steps(a);

	return a->state == b->state && stack_path_steps(b) == n && stack_path_common(a, b) == n;
}

/* Keeps the groups with the most time, in order; returns how many. */
static size_t keep_group(struct group *top, size_t n, const struct group *g)
{
	size_t at = n;

	for (; at && top[at - 1].ns < g->ns; at--)
		if (at < STACK_TRACES)
			top[at] = top[at - 1];
	if (at < STACK_TRACES)
		top[at] = *g;
	return n < STACK_TRACES ? n + 1 : n;
}

static const char *kind_name(uint8_t kind)
{
	static const char *const names[] = {
		[STACK_FRAME_USER] = "user",     [STACK_FRAME_INLINED] = "inlined",
		[STACK_FRAME_JIT] = "jit",       [STACK_FRAME_PYTHON] = "python",
		[STACK_FRAME_KERNEL] = "kernel", [STACK_FRAME_WAKER] = "waker",
	};

	return names[kind];
}

static void add_frame(struct report *r, struct stack_trace_frames *to, const struct stack_frame *f)
{
	struct stack_trace_frame *t = &to->rows[to->n++];

	/* a kernel address says nothing after the next boot, and JSON's integers end before it */
	t->address = f->address <= INT64_MAX ? f->address : 0;
	t->symbol = f->name;
	t->module = f->module;
	t->kind = kind_name(f->kind);
	if (f->path)
		t->source_location =
			f->line ? report_printf(r, "%s:%u", f->path, f->line) : f->path;
}

static void add_frames(struct report *r, struct stack_trace *t, const struct stack_row *row)
{
	size_t size = row->nframes * sizeof(*t->user.rows);

	t->user.rows = report_alloc(r, size);
	t->kernel.rows = report_alloc(r, size);
	t->waker.rows = report_alloc(r, size);
	for (size_t i = 0; i < row->nframes; i++) {
		const struct stack_frame *f = row->frames[i];

		if (f->kind == STACK_FRAME_MARK)
			t->user_stack_error = f->name;
		else if (f->kind == STACK_FRAME_KERNEL)
			add_frame(r, &t->kernel, f);
		else
			add_frame(r, f->kind == STACK_FRAME_WAKER ? &t->waker : &t->user, f);
	}
}

static void add_threads(struct report *r, struct stack_trace *t, const struct group *g)
{
	size_t most = g->n < STACK_TRACE_THREADS ? g->n : STACK_TRACE_THREADS;

	t->threads = report_alloc(r, most * sizeof(*t->threads));
	for (size_t i = 0; i < g->n; i++) {
		const struct stack_row *row = g->rows[i];

		t->time_ns += row->ns;
		t->count += row->count;
		if (i && g->rows[i - 1]->proc_id == row->proc_id &&
		    g->rows[i - 1]->thread_id == row->thread_id)
			continue; /* another line of the same function */
		if (t->nthreads < most)
			t->threads[t->nthreads++] =
				(struct stack_trace_thread){ { row->pid, row->tid } };
		else
			t->threads_cut++;
	}
}

static void fill_trace(struct report *r, struct stack_trace *t, const struct group *g, int id)
{
	const struct stack_row *row = g->rows[0];

	add_frames(r, t, row);
	add_threads(r, t, g);
	t->state = stack_state_name(row->state);
	t->process_name = row->comm ? row->comm : "";
	t->thread_name = row->thread ? row->thread : t->process_name;
	t->event.pid = row->pid;
	t->event.tid = row->tid;
	t->event.prev_state = row->state >= STATE_BLOCKED;
	t->event.offcpu_time_ns = row->state == STATE_ON_CPU ? 0 : t->time_ns;
	t->event.start_time_ns = r->start_ns;
	t->event.end_time_ns = r->now_ns;
	t->event.user_stack_id = t->user.n ? id : -1;
	t->event.kernel_stack_id = t->kernel.n ? id : -1;
}

void stack_traces_make(struct report *r)
{
	struct stacks_report *s = &r->stacks;
	struct group top[STACK_TRACES];
	const struct stack_row **rows;
	size_t n = 0, groups = 0;
	int err;

	s->rows_ns = s->traces_cut_ns = stack_rows_ns(s);
	rows = stack_rows_sorted(s, STACK_BY_PATH, &err);
	if (err) {
		log_msg(LOG_WARN, "no stack_traces: %s", err_text());
		err_clear();
		return;
	}
	for (size_t i = 0; i < s->nrows;) {
		struct group g = { .rows = rows + i };

		do
			g.ns += rows[i + g.n++]->ns;
		while (i + g.n < s->nrows && alike(rows[i], rows[i + g.n]));
		n = keep_group(top, n, &g);
		groups++;
		i += g.n;
	}
	s->traces = report_alloc(r, n * sizeof(*s->traces));
	s->ntraces = n;
	s->traces_cut = groups - n;
	for (size_t i = 0; i < n; i++) {
		fill_trace(r, &s->traces[i], &top[i], (int)i);
		s->traces_cut_ns -= top[i].ns;
	}
	free(rows);
}
