/* SPDX-License-Identifier: BSD-2-Clause */
/* Flow: what the whole profile says, then a sample for each row, then the tables' rest. */
#include "pprof.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "err.h"
#include "pprof_tables.h"
#include "stack_path.h"
#include "states.h"

enum { VALUE_SAMPLES, VALUE_WALL, VALUE_STATES, VALUES = VALUE_STATES + LEDGER_STATES };
enum { LABEL_COMM, LABEL_PID, LABEL_THREAD, LABEL_TID, LABEL_STATE, LABELS };

struct pprof {
	struct pprof_tables tables;
	int64_t keys[LABELS];
	int64_t states[LEDGER_STATES];
	uint64_t *locations; /* of one sample */
	size_t size;
};

static int64_t clamped(uint64_t v)
{
	return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static void emit_types(struct pprof *p)
{
	struct pprof_tables *t = &p->tables;
	Pprof__ValueType types[VALUES], *pointers[VALUES];
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	int64_t ns = pprof_string(t, "nanoseconds");

	for (size_t i = 0; i < VALUES; i++) {
		pprof__value_type__init(&types[i]);
		types[i].unit = ns;
		pointers[i] = &types[i];
	}
	types[VALUE_SAMPLES].type = pprof_string(t, "samples");
	types[VALUE_SAMPLES].unit = pprof_string(t, "count");
	types[VALUE_WALL].type = pprof_string(t, "wall");
	for (size_t i = 0; i < LEDGER_STATES; i++)
		types[VALUE_STATES + i].type = p->states[i] =
			pprof_string(t, ledger_state_names[i]);
	piece.n_sample_type = VALUES;
	piece.sample_type = pointers;
	piece.default_sample_type = types[VALUE_WALL].type;
	pprof_emit(t, &piece);
}

/* When it was, how it was sampled, and what no sample stands behind. */
static void emit_run(struct pprof *p, const struct report *r)
{
	struct pprof_tables *t = &p->tables;
	const struct stacks_report *s = &r->stacks;
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__ValueType period = PPROF__VALUE_TYPE__INIT;
	struct timespec wall, mono;
	char text[256];
	int64_t comment;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	piece.time_nanos = (wall.tv_sec - mono.tv_sec) * 1000000000LL + wall.tv_nsec -
			   mono.tv_nsec + clamped(r->start_ns);
	piece.duration_nanos = clamped(r->wall_ns);
	if (s->frequency) {
		period.type = pprof_string(t, "cpu");
		period.unit = pprof_string(t, "nanoseconds");
		piece.period_type = &period;
		piece.period = 1000000000 / s->frequency;
	}
	snprintf(text, sizeof(text),
		 "dwell: a sample for each %" PRIu64 " ns off the CPU (0: each wait), %" PRIu32
		 " a second on it; times add up to the ledger's; %" PRIu64
		 " ns have no sample, %" PRIu64 " of %" PRIu64 " stacks are truncated",
		 s->quantum_ns, s->frequency, s->not_sampled_ns, s->truncated, s->samples);
	comment = pprof_string(t, text);
	piece.n_comment = 1;
	piece.comment = &comment;
	pprof_emit(t, &piece);
}

static bool find_locations(struct pprof *p, const struct stack_row *row, size_t *n)
{
	*n = 0;
	if (row->nframes > p->size) {
		uint64_t *grown = reallocarray(p->locations, row->nframes, sizeof(*grown));

		if (!grown)
			return false;
		p->locations = grown;
		p->size = row->nframes;
	}
	for (size_t i = 0, taken; i < row->nframes; i += taken)
		p->locations[(*n)++] =
			pprof_location(&p->tables, row->frames + i, row->nframes - i, &taken);
	return true;
}

static size_t make_labels(struct pprof *p, const struct stack_row *row, Pprof__Label *labels)
{
	size_t n = 0;

	for (int i = 0; i < LABELS; i++) {
		Pprof__Label *l = &labels[n];

		pprof__label__init(l);
		l->key = p->keys[i];
		if (i == LABEL_COMM && row->comm)
			l->str = pprof_string(&p->tables, row->comm);
		else if (i == LABEL_THREAD && row->thread)
			l->str = pprof_string(&p->tables, row->thread);
		else if (i == LABEL_STATE && row->state < LEDGER_STATES)
			l->str = p->states[row->state];
		else if (i == LABEL_PID)
			l->num = row->pid;
		else if (i == LABEL_TID)
			l->num = row->tid;
		n += l->str || l->num; /* tid 0: threads that ended, together */
	}
	return n;
}

static void emit_sample(struct pprof *p, const struct stack_row *row)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Sample sample = PPROF__SAMPLE__INIT, *samples = &sample;
	Pprof__Label labels[LABELS], *pointers[LABELS];
	uint32_t state = row->state < LEDGER_STATES ? row->state : STATE_OTHER;
	int64_t values[VALUES] = { 0 };

	if (!find_locations(p, row, &sample.n_location_id)) {
		p->tables.err = -ENOMEM;
		return;
	}
	sample.location_id = p->locations;
	values[VALUE_SAMPLES] = clamped(row->count);
	values[VALUE_WALL] = values[VALUE_STATES + state] = clamped(row->ns);
	sample.n_value = VALUES;
	sample.value = values;
	for (size_t i = 0; i < LABELS; i++)
		pointers[i] = &labels[i];
	sample.n_label = make_labels(p, row, labels);
	sample.label = pointers;
	piece.n_sample = 1;
	piece.sample = &samples;
	pprof_emit(&p->tables, &piece);
}

int pprof_write(const struct report *r, struct outfile *f)
{
	static const char *const keys[LABELS] = {
		[LABEL_COMM] = "comm", [LABEL_PID] = "pid",     [LABEL_THREAD] = "thread",
		[LABEL_TID] = "tid",   [LABEL_STATE] = "state",
	};
	struct pprof p = { 0 };
	int err = stream_open(&p.tables.stream, f, true), written;

	if (err)
		return err;
	pprof_string(&p.tables, "");
	emit_types(&p);
	emit_run(&p, r);
	for (size_t i = 0; i < LABELS; i++)
		p.keys[i] = pprof_string(&p.tables, keys[i]);
	for (size_t i = 0; i < r->stacks.nrows && !p.tables.err; i++)
		emit_sample(&p, &r->stacks.rows[i]);
	err = pprof_tables_end(&p.tables);
	written = stream_close(p.tables.stream);
	free(p.locations);
	if (err)
		return err_set(err, "no memory for a profile");
	return written;
}
