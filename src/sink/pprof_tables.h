/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of a profile.proto: strings, functions, mappings, locations. Each entry is
 * written when it is first asked for; a message of repeated fields may come in pieces, so
 * the profile is never whole in memory. Mappings come last: their end is not known before.
 */
#ifndef DWELL_PPROF_TABLES_H
#define DWELL_PPROF_TABLES_H

#include <stdint.h>

#include "profile.pb-c.h"
#include "stacks_report.h"
#include "stream.h"

struct pprof_string;
struct pprof_function;
struct pprof_mapping;
struct pprof_location;

struct pprof_tables {
	struct stream *stream;
	int err; /* of memory; the stream remembers its own */
	struct pprof_string *strings;
	struct pprof_function *functions;
	struct pprof_mapping *mappings;
	struct pprof_location *locations;
	uint8_t *buf; /* a packed piece */
	size_t size;
};

/* Writes a piece of the profile: what is set in it. */
void pprof_emit(struct pprof_tables *t, const Pprof__Profile *piece);
/* Its index; text is cleaned. Asked for "" first: that is 0 by definition. */
int64_t pprof_string(struct pprof_tables *t, const char *text);
/*
 * The location of the frames from the first on: one, or functions inlined into one another.
 * *taken: how many of the n were. The array must stay until pprof_tables_end().
 */
uint64_t pprof_location(struct pprof_tables *t, const struct stack_frame *const *frames, size_t n,
			size_t *taken);
/* Writes the mappings, frees all. 0 or -errno. */
int pprof_tables_end(struct pprof_tables *t);

#endif
