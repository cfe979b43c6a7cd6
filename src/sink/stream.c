/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A buffer in front of an outfile, and zlib between the two for gzip. Errors are remembered:
 * outfile has told them, what comes later does nothing, stream_close() returns the first.
 */
#include "stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "err.h"
#include "utf8.h"

#define BUFFER 32768
#define GZIP_WINDOW (15 + 16) /* the largest window, with gzip's header */
#define CLEAN_LEN 8

struct stream {
	struct outfile *file;
	bool gzip;
	z_stream z;
	int err;
	size_t len;
	unsigned char buf[BUFFER], packed[BUFFER];
};

int stream_open(struct stream **out, struct outfile *f, bool gzip)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(-ENOMEM, "no memory for an output file");
	s->file = f;
	s->gzip = gzip;
	if (gzip && deflateInit2(&s->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8,
				 Z_DEFAULT_STRATEGY) != Z_OK) {
		free(s);
		return err_set(-ENOMEM, "no memory to compress an output file");
	}
	*out = s;
	return 0;
}

static void send_packed(struct stream *s, int flush)
{
	s->z.next_in = s->buf;
	s->z.avail_in = (unsigned)s->len;
	do {
		s->z.next_out = s->packed;
		s->z.avail_out = sizeof(s->packed);
		deflate(&s->z, flush);
		if (!s->err)
			s->err = outfile_write(s->file, s->packed,
					       sizeof(s->packed) - s->z.avail_out);
	} while (!s->z.avail_out);
}

static void send(struct stream *s, int flush)
{
	if (s->gzip)
		send_packed(s, flush);
	else if (!s->err && s->len)
		s->err = outfile_write(s->file, s->buf, s->len);
	s->len = 0;
}

void stream_put(struct stream *s, const void *data, size_t len)
{
	const char *from = data;

	while (len && !s->err) {
		size_t room = sizeof(s->buf) - s->len, n = len < room ? len : room;

		memcpy(s->buf + s->len, from, n);
		s->len += n;
		from += n;
		len -= n;
		if (s->len == sizeof(s->buf))
			send(s, Z_NO_FLUSH);
	}
}

void stream_printf(struct stream *s, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		stream_put(s, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* U+FFFE and U+FFFF, which XML cannot hold. */
static bool is_noncharacter(const unsigned char *p, size_t len)
{
	return len == 3 && p[0] == 0xEF && p[1] == 0xBF && p[2] >= 0xBE;
}

/* The next character as it may be shown, in out; its bytes. 0: the end. */
static size_t clean_next(const char *text, char also, char out[CLEAN_LEN])
{
	const unsigned char *p = (const unsigned char *)text;
	size_t len = utf8_length(text, strnlen(text, 4));

	if (!*text)
		return 0;
	if (!len || *p < 0x20 || *p == 0x7f || (also && *text == also) || is_noncharacter(p, len)) {
		snprintf(out, CLEAN_LEN, "\\x%02x", *p);
		return 1;
	}
	memcpy(out, text, len);
	out[len] = '\0';
	return len;
}

void stream_name(struct stream *s, const char *name, char also)
{
	char c[CLEAN_LEN];

	for (size_t n; (n = clean_next(name, also, c)); name += n)
		stream_put(s, c, strlen(c));
}

void stream_json(struct stream *s, const char *text)
{
	char c[CLEAN_LEN];

	for (size_t n; (n = clean_next(text, 0, c)); text += n) {
		if (*c == '\\')
			stream_put(s, "\\", 1); /* alone, or of "\xNN" */
		if (strchr("\"<>&", *c))
			stream_printf(s, "\\u%04x", (unsigned)*c);
		else
			stream_put(s, c, strlen(c));
	}
}

void stream_xml(struct stream *s, const char *text, size_t columns)
{
	static const char marks[] = "<>&\"'";
	char c[CLEAN_LEN];

	for (size_t n, at = 0; (n = clean_next(text, 0, c)); text += n, at++) {
		if (at == columns) {
			stream_put(s, "..", 2);
			return;
		}
		if (strchr(marks, *c))
			stream_printf(s, "&#%d;", *c);
		else
			stream_put(s, c, strlen(c));
	}
}

char *stream_clean(const char *name)
{
	char *clean = malloc(4 * strlen(name) + 1), *to = clean, c[CLEAN_LEN];

	if (!clean)
		return NULL;
	for (size_t n; (n = clean_next(name, 0, c)); name += n)
		to = stpcpy(to, c);
	*to = '\0';
	return clean;
}

int stream_close(struct stream *s)
{
	int err;

	if (!s)
		return 0;
	send(s, Z_FINISH);
	if (s->gzip)
		deflateEnd(&s->z);
	err = s->err;
	free(s);
	return err;
}
