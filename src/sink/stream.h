/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text or bytes on their way into a file, in pieces: big outputs are never whole in memory.
 * Names come from processes: what is not UTF-8, control characters and what XML cannot hold
 * become "\x1b", the same in every output.
 */
#ifndef DWELL_STREAM_H
#define DWELL_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "outfile.h"

struct stream;

/* gzip: what is put in comes out compressed. 0 or -errno. */
int stream_open(struct stream **out, struct outfile *f, bool gzip);
void stream_put(struct stream *s, const void *data, size_t len);
void stream_printf(struct stream *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A name, cleaned; the character `also` becomes "\xNN" too. */
void stream_name(struct stream *s, const char *name, char also);
/* The inside of a JSON string, cleaned, that may stand inside of XML and HTML too. */
void stream_json(struct stream *s, const char *text);
/* Text of an XML element or attribute, cleaned; at most `columns` characters, then "..". */
void stream_xml(struct stream *s, const char *text, size_t columns);
/* A name, cleaned, as a string of its own; NULL: no memory. Freed by the caller. */
char *stream_clean(const char *name);
/* Writes what is left and frees s. 0, or the first -errno. */
int stream_close(struct stream *s);

#endif
