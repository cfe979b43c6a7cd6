/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow: sort the rows by thread, order the threads by time, number the frames and write
 * them, then each thread's stacks and then their times.
 */
#include "speedscope.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "err.h"
#include "stack_path.h"
#include "states.h"
#include "stream.h"

/* The format's own name for itself: readers compare it, nobody fetches it. */
#define FORMAT "https://www.speedscope.app/file-format-schema.json"

struct frame_number {
	const struct stack_frame *frame; /* the key; NULL: a word */
	size_t number;
	UT_hash_handle hh;
};

struct group { /* rows of one thread; of the last profile those of several */
	const struct stack_row **rows;
	size_t n, threads;
	uint64_t ns;
};

struct speedscope {
	struct stream *s;
	struct frame_number *frames;
	size_t nframes; /* written: the states, then frames */
	struct group *groups;
	size_t ngroups;
};

static bool one_thread(const struct stack_row *a, const struct stack_row *b)
{
	return a->proc_id == b->proc_id && a->thread_id == b->thread_id;
}

static int by_time(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return (x->rows > y->rows) - (x->rows < y->rows);
}

static int make_groups(struct speedscope *p, const struct stack_row **rows, size_t n)
{
	p->groups = calloc(n + 1, sizeof(*p->groups));
	if (!p->groups)
		return err_set(-ENOMEM, "no memory for the threads' stacks");
	for (size_t i = 0; i < n; i++) {
		struct group *g;

		if (!i || !one_thread(rows[i - 1], rows[i]))
			p->groups[p->ngroups++] = (struct group){ .rows = rows + i, .threads = 1 };
		g = &p->groups[p->ngroups - 1];
		g->n++;
		g->ns += rows[i]->ns;
	}
	qsort(p->groups, p->ngroups, sizeof(*p->groups), by_time);
	return 0;
}

/* --- frames --- */

static void put_frame(struct speedscope *p, const struct stack_frame *f)
{
	stream_put(p->s, ",\n{\"name\":\"", 11);
	stream_json(p->s, f->name && *f->name ? f->name : "[unnamed]");
	stream_printf(p->s, "%s\"", stack_step_suffix(f->kind));
	if (f->path || f->module) {
		stream_printf(p->s, ",\"file\":\"");
		stream_json(p->s, f->path ? f->path : f->module);
		stream_printf(p->s, "\"");
	}
	if (f->path && f->line)
		stream_printf(p->s, ",\"line\":%" PRIu32, f->line);
	stream_put(p->s, "}", 1);
}

static int number_frame(struct speedscope *p, const struct stack_frame *f)
{
	struct frame_number *number;

	HASH_FIND_PTR(p->frames, &f, number);
	if (number)
		return 0;
	number = calloc(1, sizeof(*number));
	if (!number)
		return err_set(-ENOMEM, "no memory for the stacks' frames");
	number->frame = f;
	number->number = p->nframes++;
	HASH_ADD_PTR(p->frames, frame, number);
	put_frame(p, f);
	return 0;
}

static size_t frame_number(const struct speedscope *p, const struct stack_frame *f)
{
	struct frame_number *number;

	HASH_FIND_PTR(p->frames, &f, number);
	return number ? number->number : 0; /* put_frames() has numbered all */
}

static int put_frames(struct speedscope *p, const struct stacks_report *stacks)
{
	int err = 0;

	stream_printf(p->s, "\"shared\":{\"frames\":[");
	for (size_t i = 0; i < LEDGER_STATES; i++)
		stream_printf(p->s, "%s\n{\"name\":\"[%s]\"}", i ? "," : "", ledger_state_names[i]);
	p->nframes = LEDGER_STATES;
	for (size_t i = 0; i < stacks->nrows && !err; i++)
		for (size_t k = 0; k < stacks->rows[i].nframes && !err; k++)
			err = number_frame(p, stacks->rows[i].frames[k]);
	stream_printf(p->s, "\n]},\n");
	return err;
}

/* --- profiles --- */

static void put_samples(struct speedscope *p, const struct group *g, bool first)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct stack_row *row = g->rows[i];

		stream_printf(p->s, "%s[", first && !i ? "" : ",\n");
		for (size_t k = row->nframes; k--;)
			stream_printf(p->s, "%zu,", frame_number(p, row->frames[k]));
		stream_printf(p->s, "%u]", row->state < LEDGER_STATES ? row->state : STATE_OTHER);
	}
}

static void put_weights(struct speedscope *p, const struct group *g, bool first)
{
	for (size_t i = 0; i < g->n; i++)
		stream_printf(p->s, "%s%" PRIu64, first && !i ? "" : ",", g->rows[i]->ns);
}

static void put_title(struct speedscope *p, const struct group *g, size_t groups)
{
	const struct stack_row *row = g->rows[0];

	if (groups > 1) {
		stream_printf(p->s, "%zu more threads", groups);
		return;
	}
	stream_json(p->s, row->comm ? row->comm : "");
	stream_printf(p->s, " (%" PRIu32 ")", row->pid);
	if (!row->thread_id) {
		stream_printf(p->s, ": threads that ended");
	} else if (row->tid != row->pid ||
		   (row->comm && row->thread && strcmp(row->comm, row->thread) != 0)) {
		stream_printf(p->s, ": ");
		stream_json(p->s, row->thread ? row->thread : "");
		stream_printf(p->s, " (%" PRIu32 ")", row->tid);
	}
}

static void put_profile(struct speedscope *p, const struct group *groups, size_t n)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < n; i++)
		ns += groups[i].ns;
	stream_printf(p->s, "{\"type\":\"sampled\",\"name\":\"");
	put_title(p, groups, n);
	stream_printf(p->s, "\",\"unit\":\"nanoseconds\",\"startValue\":0,\"endValue\":%" PRIu64,
		      ns);
	stream_printf(p->s, ",\"samples\":[");
	for (size_t i = 0; i < n; i++)
		put_samples(p, &groups[i], !i);
	stream_printf(p->s, "],\n\"weights\":[");
	for (size_t i = 0; i < n; i++)
		put_weights(p, &groups[i], !i);
	stream_printf(p->s, "]}");
}

static void put_profiles(struct speedscope *p)
{
	size_t last = SPEEDSCOPE_PROFILES - 1;

	stream_printf(p->s, "\"profiles\":[");
	for (size_t i = 0; i < p->ngroups; i++) {
		bool rest = i == last && p->ngroups > SPEEDSCOPE_PROFILES;

		stream_printf(p->s, "%s\n", i ? "," : "");
		put_profile(p, &p->groups[i], rest ? p->ngroups - last : 1);
		if (rest)
			break;
	}
	if (!p->ngroups) /* a reader takes no file without a profile */
		stream_printf(p->s, "{\"type\":\"sampled\",\"name\":\"no stacks\",\"unit\":"
				    "\"nanoseconds\",\"startValue\":0,\"endValue\":0,"
				    "\"samples\":[],\"weights\":[]}");
	stream_printf(p->s, "\n]}\n");
}

static void release(struct speedscope *p)
{
	struct frame_number *f, *next;

	HASH_ITER(hh, p->frames, f, next) {
		HASH_DEL(p->frames, f);
		free(f);
	}
	free(p->groups);
}

int speedscope_write(const struct report *r, struct outfile *f)
{
	struct speedscope p = { 0 };
	const struct stack_row **rows;
	int err;

	rows = stack_rows_sorted(&r->stacks, STACK_BY_THREAD, &err);
	if (!err)
		err = make_groups(&p, rows, r->stacks.nrows);
	if (!err)
		err = stream_open(&p.s, f, false);
	if (!err) {
		stream_printf(p.s, "{\"$schema\":\"" FORMAT "\",\"exporter\":\"dwell " DWELL_VERSION
				   "\",\"name\":\"");
		stream_json(p.s, r->target ? r->target : "dwell");
		stream_printf(p.s, "\",\"activeProfileIndex\":0,\n");
		err = put_frames(&p, &r->stacks);
	}
	if (!err)
		put_profiles(&p);
	release(&p);
	free(rows);
	return stream_close(p.s) ?: err;
}
