/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks a shape table over a struct and writes JSON; see shape_write.h. */
#include "shape_write.h"

#include <stdio.h>
#include <string.h>

static void put(struct shape_writer *w, const char *text, size_t len)
{
	if (!w->failed)
		w->failed = w->put(text, len, w->ctx) != 0;
}

/* Most values are integers, and setting up jansson's dump costs more than writing one. */
static void put_value(struct shape_writer *w, json_t *value)
{
	char digits[24];

	if (json_is_integer(value))
		put(w, digits,
		    (size_t)snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT,
				     json_integer_value(value)));
	else if (!w->failed)
		w->failed =
			json_dump_callback(value, w->put, w->ctx, w->flags | JSON_ENCODE_ANY) != 0;
	json_decref(value);
}

static void put_comma(struct shape_writer *w)
{
	if (w->comma)
		put(w, ",", 1);
	w->comma = true;
}

static void put_key(struct shape_writer *w, const char *key)
{
	put_comma(w);
	put_value(w, json_string(key));
	put(w, ":", 1);
}

static void begin(struct shape_writer *w, char bracket)
{
	put(w, &bracket, 1);
	w->comma = false;
}

static void end(struct shape_writer *w, char bracket)
{
	put(w, &bracket, 1);
	w->comma = true;
}

void shape_write_begin(struct shape_writer *w, const char *key)
{
	if (key)
		put_key(w, key);
	begin(w, '{');
}

void shape_write_end(struct shape_writer *w)
{
	end(w, '}');
}

void shape_write_value(struct shape_writer *w, const char *key, json_t *value)
{
	if (!value)
		return;
	put_key(w, key);
	put_value(w, value);
}

static void write_row(struct shape_writer *w, const struct shape *s, const char *row)
{
	json_t *value = s->lone ? shape_member(s->sub, row) : NULL;

	if (s->lone && !value)
		return;
	put_comma(w);
	if (s->lone) {
		put_value(w, value);
		return;
	}
	begin(w, '{');
	shape_write_members(w, s->sub, row);
	end(w, '}');
}

static void write_list(struct shape_writer *w, const struct shape *s, const char *base)
{
	size_t n;
	const char *row = shape_rows(s, base, &n);

	put_key(w, s->key);
	begin(w, '[');
	for (size_t i = 0; i < n; i++, row += s->size)
		if (!s->row_present || s->row_present(row))
			write_row(w, s, row);
	end(w, ']');
}

static void write_member(struct shape_writer *w, const struct shape *s, const char *base)
{
	bool there = !s->present || s->present(base);

	if (there && s->type == SHAPE_OBJECT) {
		shape_write_begin(w, s->key);
		shape_write_members(w, s->sub, base + s->offset);
		shape_write_end(w);
	} else if (there && s->type == SHAPE_LIST) {
		write_list(w, s, base);
	} else {
		shape_write_value(w, s->key, shape_member(s, base));
	}
}

void shape_write_members(struct shape_writer *w, const struct shape *table, const void *base)
{
	for (const struct shape *s = table; s->type != SHAPE_END; s++) {
		if (!s->flat)
			write_member(w, s, base);
		else if (!s->present || s->present(base))
			shape_write_members(w, s->sub, (const char *)base + s->offset);
	}
}
