/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON written as it is made: the same text that shape_json() and a dump of it would give, but
 * of objects and lists no more is in memory than the member that is being written. A summary of
 * a thousand processes takes 40 MB as jansson's values and 5 MB as text.
 */
#ifndef DWELL_SHAPE_WRITE_H
#define DWELL_SHAPE_WRITE_H

#include "shape.h"

struct shape_writer {
	json_dump_callback_t put; /* not 0: nothing more is written */
	void *ctx;
	size_t flags; /* jansson's, of the format */
	bool comma;   /* something stands before the next member or row */
	bool failed;
};

/* An object begins; key: as this member of the one around it, or NULL. */
void shape_write_begin(struct shape_writer *w, const char *key);
void shape_write_end(struct shape_writer *w);
/* Takes value; NULL: the member is absent. */
void shape_write_value(struct shape_writer *w, const char *key, json_t *value);
/* The members that `table` makes of the struct at `base`. */
void shape_write_members(struct shape_writer *w, const struct shape *table, const void *base);

#endif
