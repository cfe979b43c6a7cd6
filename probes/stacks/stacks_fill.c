/* SPDX-License-Identifier: BSD-2-Clause */
/* The report's part: rows of the book, scaled to the ledger's time, with named frames. */
#include <stdlib.h>
#include <string.h>

#include "../../src/symbol/names.h"
#include "lookup.h"
#include "python.h"
#include "stacks_user.h"

#define JIT_PLACES 8  /* without a name: from so many on that is said */
#define OWN_FRAMES 16 /* at most, on a kernel stack of a wait */

/* A stack with its names, while a report is made. */
struct named {
	uint64_t hash;
	size_t n;
	const struct stack_frame **frames;
	UT_hash_handle hh;
};

struct fill {
	struct stacks_data *data;
	struct report *report;
	struct names *names;
	const struct tree *tree;
	bool hash; /* the session's source is raw_tp */
	struct named *stacks;
	uint64_t unknown; /* samples of which a stack was never told */
};

/* ---- frames ---- */

struct frames {
	const struct stack_frame **list;
	size_t n, room;
};

static void push(struct frames *f, const struct stack_frame *frame)
{
	if (f->n == f->room) {
		f->room = f->room ? f->room * 2 : 64;
		f->list = reallocarray(f->list, f->room, sizeof(struct stack_frame *));
		if (!f->list)
			abort();
	}
	f->list[f->n++] = frame;
}

static void push_mark(struct fill *fill, struct frames *f, const char *text)
{
	push(f, names_mark(fill->names, STACK_FRAME_MARK, text, NULL, NULL, 0));
}

static void push_body(struct fill *fill, struct frames *f, const struct stack_body *body)
{
	for (uint16_t i = 0; i < body->n; i++) {
		const struct stack_frame *const *frames;
		size_t n = names_frames(fill->names, body->frames[i], body->proc_id, &frames);

		for (size_t k = 0; k < n; k++)
			push(f, frames[k]);
	}
	if (body->end != STACK_WHOLE)
		push_mark(fill, f, stacks_end_marks[body->end]);
}

static const struct named *name_stack(struct fill *fill, const struct stack_body *body)
{
	struct frames f = { 0 };
	struct named *named = NULL;

	HASH_FIND(hh, fill->stacks, &body->hash, sizeof(body->hash), named);
	if (named)
		return named;
	push_body(fill, &f, body);
	named = calloc(1, sizeof(*named));
	if (!named)
		abort();
	named->hash = body->hash;
	named->n = f.n;
	named->frames = f.list;
	HASH_ADD(hh, fill->stacks, hash, sizeof(named->hash), named);
	return named;
}

const struct stack_frame *const *stacks_frames(const struct session *s, struct report *r,
					       uint64_t hash, size_t *n)
{
	const struct stack_frame **list;
	const struct stack_body *body;
	struct frames f = { 0 };
	struct fill fill = { 0 };

	for (size_t i = 0; i < s->nprobes && !fill.data; i++)
		if (s->probes[i].class == &stacks_probe)
			fill.data = s->probes[i].data;
	body = fill.data ? stack_book_find_body(&fill.data->book, hash) : NULL;
	if (!body)
		return NULL;
	fill.names = fill.data->names;
	if (r->final)
		jit_watch_report(&fill.data->jits, fill.names, &s->tree);
	push_body(&fill, &f, body);
	list = report_alloc(r, (f.n + 1) * sizeof(struct stack_frame *));
	if (f.n)
		memcpy(list, f.list, f.n * sizeof(struct stack_frame *));
	free(f.list);
	*n = f.n;
	return list;
}

/* Returns whether the stack is known. */
static bool push_stack(struct fill *fill, struct frames *f, uint64_t hash, bool waker)
{
	const struct stack_body *body = stack_book_find_body(&fill->data->book, hash);
	const struct named *named = body ? name_stack(fill, body) : NULL;

	if (hash && !named) {
		push_mark(fill, f, "[truncated: lost]");
		return false;
	}
	/* the waker's root stands next to the sleeper's leaf */
	for (size_t i = 0; named && i < named->n; i++) {
		const struct stack_frame *from = named->frames[i];

		push(f, waker ? names_mark(fill->names, STACK_FRAME_WAKER, from->name, from->module,
					   from->path, from->line)
			      : from);
	}
	return true;
}

/* The user's stack with the Python frames in it. Returns whether both are known. */
static bool push_python(struct fill *fill, struct frames *f, const struct stacks_key *key)
{
	const struct stack_book *book = &fill->data->book;
	const struct stack_body *user = stack_book_find_body(book, key->user);
	const struct stack_body *python = stack_book_find_body(book, key->python);
	const struct named *named = user ? name_stack(fill, user) : NULL;
	struct python_stack s = { .native_whole = user && user->end == STACK_WHOLE };
	const struct stack_frame **merged;
	size_t n;

	if (!python)
		return push_stack(fill, f, key->user, false) && !key->python;
	s.native = named ? named->frames : NULL;
	s.nnative = named ? named->n - !s.native_whole : 0; /* less the mark at its end */
	s.frames = python->frames;
	s.nframes = python->n;
	s.whole = python->end == STACK_WHOLE;
	merged = calloc(s.nnative + s.nframes + 1, sizeof(struct stack_frame *));
	if (!merged)
		abort();
	n = python_merge(fill->data->python, fill->names, &s, merged, s.nnative + s.nframes);
	for (size_t i = 0; i < n; i++)
		push(f, merged[i]);
	free(merged);
	if (!s.whole)
		push_mark(fill, f, stacks_end_marks[python->end]);
	else if (!s.native_whole)
		push_mark(fill, f, user ? stacks_end_marks[user->end] : "[truncated: lost]");
	return user;
}

/*
 * On the kernel's stack of a waker, and of a wait where it is read as the thread leaves (source
 * raw_tp), our own hook stands as well.
 */
static size_t own_frames(const struct frames *f, size_t from)
{
	static const char *const ours[] = { "__traceiter_sched_", "bpf_trace_run",
					    "__bpf_trace_sched_", "bpf_prog_",
					    "__bpf_get_",         "bpf_get_" };
	size_t last = from;

	for (size_t i = from; i < f->n && i < from + OWN_FRAMES; i++)
		for (size_t k = 0; k < sizeof(ours) / sizeof(*ours); k++)
			if (!strncmp(f->list[i]->name, ours[k], strlen(ours[k])))
				last = i + 1;
	return last - from;
}

static void drop_own(struct frames *f, size_t from)
{
	size_t n = own_frames(f, from);

	if (n)
		memmove(f->list + from, f->list + from + n,
			(f->n - from - n) * sizeof(struct stack_frame *));
	f->n -= n;
}

static void fill_frames(struct fill *fill, const struct stack_entry *e, struct stack_row *row)
{
	const struct stacks_key *key = &e->key;
	struct frames f = { 0 };
	const struct stack_frame **kept;
	size_t leaf;
	bool known;

	if (key->pad == ROW_NOT_SAMPLED) {
		push_mark(fill, &f, "[not sampled]");
	} else if (key->pad == ROW_CUT) {
		push_mark(fill, &f, "[other stacks]");
	} else {
		known = push_stack(fill, &f, key->waker_kernel, true);
		drop_own(&f, 0);
		known = push_stack(fill, &f, key->waker, true) && known;
		leaf = f.n;
		known = push_stack(fill, &f, key->kernel, false) && known;
		if (fill->hash && key->state != STATE_ON_CPU)
			drop_own(&f, leaf);
		known = push_python(fill, &f, key) && known;
		if (!f.n)
			push_mark(fill, &f, "[no stack]");
		if (!known)
			fill->unknown += e->count;
	}
	kept = report_alloc(fill->report, f.n * sizeof(struct stack_frame *));
	memcpy(kept, f.list, f.n * sizeof(struct stack_frame *));
	free(f.list);
	row->frames = kept;
	row->nframes = f.n;
}

/* ---- rows ---- */

static char *text_of(struct report *r, const char comm[COMM_LEN])
{
	return report_printf(r, "%.*s", COMM_LEN, comm);
}

static struct stack_row *add_row(struct fill *fill, const struct stack_row *like,
				 const struct stack_entry *e, uint64_t ns)
{
	struct stacks_report *s = &fill->report->stacks;
	struct stack_row *row = &s->rows[s->nrows++];

	*row = *like;
	row->state = e->key.state;
	row->ns = ns;
	row->count = e->count;
	if (e->key.pad == ROW_NOT_SAMPLED)
		s->not_sampled_ns += ns;
	if (e->key.pad == ROW_CUT)
		s->other_ns += ns;
	fill_frames(fill, e, row);
	return row;
}

static void fill_owner(struct fill *fill, const struct stack_owner *o)
{
	struct stack_row like = {
		.proc_id = o->proc_id,
		.pid = o->pid,
		.comm = text_of(fill->report, o->comm),
	};

	like.thread = like.comm;
	for (const struct stack_entry *e = o->rows; e; e = e->next)
		add_row(fill, &like, e, e->ns);
}

/* A living thread: its samples so far, scaled to its time so far. */
static void fill_living(struct fill *fill, const struct stack_account_copy *a)
{
	struct stack_owner *o = stack_book_find_owner(&fill->data->book, a->proc_id, a->thread_id);
	const struct process *p = NULL;
	struct stack_row like = {
		.proc_id = a->proc_id,
		.pid = a->pid,
		.thread_id = a->thread_id,
		.tid = a->tid,
		.thread = text_of(fill->report, a->comm),
	};
	uint32_t sampled = 0;
	size_t n = 0, i = 0;
	uint64_t *ns = o ? stack_book_scaled(o, a, &n) : NULL;

	p = tree_find(fill->tree, a->proc_id);
	like.comm = p ? text_of(fill->report, p->comm) : like.thread;
	for (const struct stack_entry *e = o ? o->rows : NULL; e; e = e->next) {
		sampled |= 1U << e->key.state;
		add_row(fill, &like, e, ns[i++]);
	}
	for (uint32_t state = 0; state < LEDGER_STATES; state++) {
		struct stack_entry none = { .key = { .state = state, .pad = ROW_NOT_SAMPLED } };

		if (a->ns[state] && !(sampled & 1U << state))
			add_row(fill, &like, &none, a->ns[state]);
	}
	free(ns);
}

static void fill_rows(struct fill *fill)
{
	struct stacks_data *d = fill->data;
	struct stacks_report *s = &fill->report->stacks;
	size_t room = HASH_COUNT(d->book.entries) + d->nliving * LEDGER_STATES;
	struct stack_owner *o, *next;

	s->rows = report_alloc(fill->report, (room + 1) * sizeof(*s->rows));
	for (size_t i = 0; i < d->nliving; i++)
		fill_living(fill, &d->living[i]);
	HASH_ITER(hh, d->book.owners, o, next)
		if (!o->thread_id ||
		    !stacks_living(d, o->thread_id)) /* the end of the latter was not told */
			fill_owner(fill, o);
	HASH_ITER(hh, d->book.commands, o, next)
		fill_owner(fill, o);
}

static int by_time(const void *a, const void *b)
{
	const struct stack_row *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? 1 : -1;
	return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

static void note_python(struct probe *p, const struct python *python)
{
	struct python_counts counts;

	python_count(python, &counts);
	p->session->counters[COUNTER_LOST_PYTHON_BODY] = counts.lost;
	p->session->counters[COUNTER_LOST_PYTHON_READ] = counts.unread;
	for (size_t i = 0; i < PYTHON_REASONS && counts.reasons[i]; i++)
		session_note(p->session, "no Python frames of %s", counts.reasons[i]);
	if (counts.refused > PYTHON_REASONS)
		session_note(p->session, "no Python frames of %llu other files of CPython either",
			     (unsigned long long)counts.refused - PYTHON_REASONS);
}

static void count_names(struct probe *p, const struct names *names)
{
	struct names_counts counts;

	names_count(names, &counts);
	p->session->counters[COUNTER_LOST_PLACE] = counts.lost;
	p->session->counters[COUNTER_LOST_JIT] = counts.jit_lost;
	p->session->counters[COUNTER_LOST_INLINED] = counts.inlined_lost;
	p->session->counters[COUNTER_LOST_KERNEL_NAME] = counts.kernel_lost;
	p->session->counters[COUNTER_LOST_ROOT] = counts.roots_lost;
	p->session->counters[COUNTER_LOST_CODE_FILE] = counts.files_lost + counts.untold;
	if (counts.jit_unnamed >= JIT_PLACES)
		session_note(p->session,
			     "code made at run time has no names: try node --perf-basic-prof, java "
			     "-XX:+DumpPerfMapAtExit -XX:+PreserveFramePointer");
}

void stacks_fill(struct probe *p, struct report *r)
{
	struct stacks_data *d = p->data;
	struct fill fill = {
		.data = d,
		.report = r,
		.names = d->names,
		.tree = &p->session->tree,
		.hash = p->session->hash,
	};
	struct stacks_report *s = &r->stacks;
	struct named *named, *next;

	fill_rows(&fill);
	qsort(s->rows, s->nrows, sizeof(*s->rows), by_time);
	s->samples = d->book.samples;
	s->truncated = d->book.truncated;
	_Static_assert(sizeof(s->ends) / sizeof(s->ends[0]) >= STACK_ENDS, "an end has no room");
	for (int i = 0; i < STACK_ENDS; i++)
		s->ends[i] = d->book.ends[i];
	p->session->counters[COUNTER_LOST_STACK_BODY] = fill.unknown;
	p->session->counters[COUNTER_OTHER_STACK] = d->book.cut;
	p->session->counters[COUNTER_LOST_TABLE] = stacks_files_lost(d->files);
	count_names(p, d->names);
	if (d->python)
		note_python(p, d->python);
	HASH_ITER(hh, fill.stacks, named, next) {
		HASH_DEL(fill.stacks, named);
		free(named->frames);
		free(named);
	}
}
