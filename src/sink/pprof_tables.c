/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of a profile, each a hash from what an entry says to its number. */
#include "pprof_tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "stack_path.h"

struct pprof_string {
	char *text; /* cleaned: the key */
	int64_t index;
	UT_hash_handle hh;
};

struct pprof_function {
	uint64_t key; /* of name and file */
	uint64_t id;
	UT_hash_handle hh;
};

struct pprof_mapping {
	uint64_t key; /* of name and build-id */
	int64_t name, build_id;
	uint64_t id, end;
	bool files, lines, inlined;
	UT_hash_handle hh;
};

struct pprof_location {
	uint64_t id; /* the key is the run of frames, in the report */
	UT_hash_handle hh;
};

/* One key of two indexes: there is no memory for 2^32 strings. */
static uint64_t key_of(int64_t a, int64_t b)
{
	return (uint64_t)a << 32 | (uint64_t)b;
}

void pprof_emit(struct pprof_tables *t, const Pprof__Profile *piece)
{
	size_t size = pprof__profile__get_packed_size(piece);

	if (size > t->size) {
		uint8_t *grown = realloc(t->buf, size);

		if (!grown) {
			t->err = -ENOMEM;
			return;
		}
		t->buf = grown;
		t->size = size;
	}
	stream_put(t->stream, t->buf, pprof__profile__pack(piece, t->buf));
}

int64_t pprof_string(struct pprof_tables *t, const char *text)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	struct pprof_string *s;
	char *clean = stream_clean(text);

	if (!clean) {
		t->err = -ENOMEM;
		return 0;
	}
	HASH_FIND_STR(t->strings, clean, s);
	if (s) {
		free(clean);
		return s->index;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		free(clean);
		t->err = -ENOMEM;
		return 0;
	}
	s->text = clean;
	s->index = HASH_COUNT(t->strings);
	HASH_ADD_KEYPTR(hh, t->strings, s->text, strlen(s->text), s);
	piece.n_string_table = 1;
	piece.string_table = &s->text;
	pprof_emit(t, &piece);
	return s->index;
}

/* pprof tells a frame's kind by its mapping; a waker's is of any, so its name says it. */
static int64_t function_name(struct pprof_tables *t, const struct stack_frame *f)
{
	const char *suffix = f->kind == STACK_FRAME_WAKER ? stack_step_suffix(f->kind) : "";
	char name[1024];

	if (!*suffix)
		return pprof_string(t, f->name);
	snprintf(name, sizeof(name), "%.1000s%s", f->name, suffix);
	return pprof_string(t, name);
}

static uint64_t function_id(struct pprof_tables *t, const struct stack_frame *frame)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Function message = PPROF__FUNCTION__INIT, *messages = &message;
	int64_t file = pprof_string(t, frame->path ? frame->path : "");
	int64_t name = function_name(t, frame);
	uint64_t key = key_of(name, file);
	struct pprof_function *f;

	HASH_FIND(hh, t->functions, &key, sizeof(key), f);
	if (f)
		return f->id;
	f = calloc(1, sizeof(*f));
	if (!f) {
		t->err = -ENOMEM;
		return 0;
	}
	f->key = key;
	f->id = HASH_COUNT(t->functions) + 1;
	HASH_ADD(hh, t->functions, key, sizeof(f->key), f);
	message.id = f->id;
	message.name = message.system_name = name;
	message.filename = file;
	piece.n_function = 1;
	piece.function = &messages;
	pprof_emit(t, &piece);
	return f->id;
}

static struct pprof_mapping *mapping_of(struct pprof_tables *t, const struct stack_frame *frame)
{
	int64_t build_id = pprof_string(t, frame->build_id ? frame->build_id : "");
	int64_t name = pprof_string(t, frame->module);
	uint64_t key = key_of(name, build_id);
	struct pprof_mapping *m;

	HASH_FIND(hh, t->mappings, &key, sizeof(key), m);
	if (m)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m) {
		t->err = -ENOMEM;
		return NULL;
	}
	m->key = key;
	m->name = name;
	m->build_id = build_id;
	m->id = HASH_COUNT(t->mappings) + 1;
	HASH_ADD(hh, t->mappings, key, sizeof(m->key), m);
	return m;
}

/* A mapping reaches from 0 to its last address: addresses are ELF's own. */
static uint64_t mapping_id(struct pprof_tables *t, const struct stack_frame *const *frames,
			   size_t n)
{
	const struct stack_frame *place = frames[n - 1];
	struct pprof_mapping *m = place->module ? mapping_of(t, place) : NULL;

	if (!m)
		return 0;
	if (place->address >= m->end)
		m->end = place->address + (place->address < UINT64_MAX);
	for (size_t i = 0; i < n; i++) {
		m->files |= frames[i]->path != NULL;
		m->lines |= frames[i]->line != 0;
		m->inlined |= i + 1 < n;
	}
	return m->id;
}

static void emit_location(struct pprof_tables *t, uint64_t id,
			  const struct stack_frame *const *frames, size_t n)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Location message = PPROF__LOCATION__INIT, *messages = &message;
	Pprof__Line *lines = calloc(n, sizeof(*lines)), **pointers = calloc(n, sizeof(*pointers));

	if (!lines || !pointers)
		t->err = -ENOMEM;
	for (size_t i = 0; !t->err && i < n; i++) {
		pprof__line__init(&lines[i]);
		lines[i].function_id = function_id(t, frames[i]);
		lines[i].line = frames[i]->line;
		pointers[i] = &lines[i];
	}
	message.id = id;
	message.mapping_id = mapping_id(t, frames, n);
	message.address = frames[n - 1]->address;
	message.n_line = t->err ? 0 : n;
	message.line = pointers;
	piece.n_location = 1;
	piece.location = &messages;
	pprof_emit(t, &piece);
	free(lines);
	free(pointers);
}

uint64_t pprof_location(struct pprof_tables *t, const struct stack_frame *const *frames, size_t n,
			size_t *taken)
{
	struct pprof_location *l;
	size_t run = 1;

	while (run < n && frames[run - 1]->kind == STACK_FRAME_INLINED)
		run++;
	*taken = run;
	HASH_FIND(hh, t->locations, frames, run * sizeof(*frames), l);
	if (l)
		return l->id;
	l = calloc(1, sizeof(*l));
	if (!l) {
		t->err = -ENOMEM;
		return 0;
	}
	l->id = HASH_COUNT(t->locations) + 1;
	HASH_ADD_KEYPTR(hh, t->locations, frames, run * sizeof(*frames), l);
	emit_location(t, l->id, frames, run);
	return l->id;
}

static void emit_mapping(struct pprof_tables *t, const struct pprof_mapping *m)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Mapping message = PPROF__MAPPING__INIT, *messages = &message;

	message.id = m->id;
	message.memory_limit = m->end;
	message.filename = m->name;
	message.build_id = m->build_id;
	message.has_functions = true; /* names were looked up: pprof need not */
	message.has_filenames = m->files;
	message.has_line_numbers = m->lines;
	message.has_inline_frames = m->inlined;
	piece.n_mapping = 1;
	piece.mapping = &messages;
	pprof_emit(t, &piece);
}

/* The entries of one table; the head is what uthash deletes from. */
#define FREE_ALL(type_, head_)                                                                     \
	do {                                                                                       \
		struct type_ *entry_, *next_;                                                      \
		HASH_ITER(hh, head_, entry_, next_) {                                              \
			HASH_DEL(head_, entry_);                                                   \
			free(entry_);                                                              \
		}                                                                                  \
	} while (0)

int pprof_tables_end(struct pprof_tables *t)
{
	for (const struct pprof_mapping *m = t->mappings; m; m = m->hh.next)
		emit_mapping(t, m);
	for (const struct pprof_string *s = t->strings; s; s = s->hh.next)
		free(s->text);
	FREE_ALL(pprof_string, t->strings);
	FREE_ALL(pprof_function, t->functions);
	FREE_ALL(pprof_mapping, t->mappings);
	FREE_ALL(pprof_location, t->locations);
	free(t->buf);
	return t->err;
}
