/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Code objects that the kernel side has told of: names in UTF-8 and the line table of 3.11 to
 * 3.13 (CPython's Objects/locations.md). Equal ones, as of forked processes, are kept once.
 */
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "python_private.h"

#define CODES_MAX (1U << 20)  /* numbers */
#define BYTES_MAX (16U << 20) /* of bodies */

/* Key of the hash: everything from first_line on. */
struct python_body {
	UT_hash_handle hh;
	int32_t first_line;
	uint32_t path, lines, end; /* where they start in text; the name does at 0 */
	char text[];
};

#define BODY_KEY(body) ((void *)&(body)->first_line)
#define BODY_HEAD (offsetof(struct python_body, text) - offsetof(struct python_body, first_line))

void python_codes_free(struct python *p)
{
	struct python_body *body, *next;

	HASH_ITER(hh, p->bodies, body, next) {
		HASH_DEL(p->bodies, body);
		free(body);
	}
	free(p->codes);
}

static char *utf8_put(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | (c >> 18 & 7));
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

/* As UTF-8 with its zero; what had to be left out is shown as three dots. */
static char *text_put(char *to, const struct python_text *t, const uint8_t *bytes, size_t room)
{
	size_t length = t->length < room ? t->length : room;
	uint32_t c;

	if (t->size * (uint64_t)t->kind > length) {
		memcpy(to, "...", 3);
		to += 3;
	}
	for (size_t i = 0; t->kind && i + t->kind <= length; i += t->kind) {
		c = 0;
		for (size_t k = 0; k < t->kind && k < sizeof(c); k++)
			c |= (uint32_t)bytes[i + k] << 8 * k;
		to = utf8_put(to, c < 0x20 || (c >= 0xd800 && c < 0xe000) ? '?' : c);
	}
	*to++ = '\0';
	return to;
}

/* Latin 1 doubles at most, with three dots and a zero. */
#define TEXT_MAX(room) (2 * (room) + 4)

static struct python_body *body_make(const struct python_code_event *e, size_t nlines)
{
	struct python_body *body;
	char *to;

	body = malloc(sizeof(*body) + TEXT_MAX(PYTHON_NAME) + TEXT_MAX(PYTHON_PATH) + nlines);
	if (!body)
		return NULL;
	body->first_line = e->first_line;
	to = text_put(body->text, &e->name, e->name_bytes, PYTHON_NAME);
	body->path = (uint32_t)(to - body->text);
	to = text_put(to, &e->path, e->path_bytes, PYTHON_PATH);
	body->lines = (uint32_t)(to - body->text);
	memcpy(to, e + 1, nlines);
	body->end = body->lines + (uint32_t)nlines;
	return body;
}

/* The one of its kind that is kept; NULL: there is no room. Takes `body`. */
static const struct python_body *body_keep(struct python *p, struct python_body *body)
{
	size_t size = BODY_HEAD + body->end;
	struct python_body *known, *smaller;

	HASH_FIND(hh, p->bodies, BODY_KEY(body), size, known);
	if (known || p->bytes + size + sizeof(*body) > BYTES_MAX) {
		free(body);
		return known;
	}
	smaller = realloc(body, sizeof(*body) + body->end);
	body = smaller ? smaller : body;
	p->bytes += size + sizeof(*body);
	HASH_ADD_KEYPTR(hh, p->bodies, BODY_KEY(body), size, body);
	return body;
}

static bool codes_reach(struct python *p, uint32_t number)
{
	uint32_t n = p->ncodes ? p->ncodes : 1024;
	const struct python_body **codes;

	if (number < p->ncodes)
		return true;
	if (number >= CODES_MAX)
		return false;
	while (n <= number)
		n *= 2;
	codes = realloc(p->codes, n * sizeof(struct python_body *));
	if (!codes)
		return false;
	memset(codes + p->ncodes, 0, (n - p->ncodes) * sizeof(struct python_body *));
	p->codes = codes;
	p->ncodes = n;
	return true;
}

static void take(struct python *p, const struct python_code_event *e, size_t size)
{
	struct python_body *body;
	size_t nlines;

	nlines = e->lines_size < size - sizeof(*e) ? e->lines_size : size - sizeof(*e);
	body = codes_reach(p, e->number) ? body_make(e, nlines) : NULL;
	if (body)
		p->codes[e->number] = body_keep(p, body);
	if (!body || !p->codes[e->number])
		p->counts.lost++;
}

bool python_event(struct python *p, const struct event_head *head, size_t size)
{
	static struct python_read read;

	if (head->kind == EVENT_STACKS_CODE && size >= sizeof(struct python_code_event)) {
		take(p, (const void *)head, size);
	} else if (head->kind == EVENT_STACKS_CODE_AT && size >= sizeof(struct python_code_place)) {
		if (python_read(&read, (const void *)head))
			take(p, &read.event, sizeof(read));
		else
			p->counts.unread++;
	}
	return head->kind == EVENT_STACKS_CODE || head->kind == EVENT_STACKS_CODE_AT;
}

/* ---- the line table ---- */

struct reader {
	const uint8_t *at, *end;
};

static uint8_t next_byte(struct reader *r)
{
	return r->at < r->end ? *r->at++ : 0;
}

/* Six bits a byte, the lowest first; bit 6: there are more. */
static uint32_t next_varint(struct reader *r)
{
	uint32_t value = 0, byte;
	unsigned shift = 0;

	do {
		byte = next_byte(r);
		if (shift < 30)
			value |= (byte & 0x3f) << shift;
		shift += 6;
	} while (byte & 0x40);
	return value;
}

/* The sign is in the lowest bit. */
static int32_t next_signed(struct reader *r)
{
	uint32_t value = next_varint(r);

	return value & 1 ? -(int32_t)(value >> 1) : (int32_t)(value >> 1);
}

enum line_kind { LINE_ONE = 10, LINE_ONE_LAST = 12, LINE_NO_COLUMN = 13, LINE_LONG, LINE_NONE };

/* How far the line of the next entry is from that of the last. */
static int32_t line_delta(struct reader *r, unsigned kind)
{
	if (kind < LINE_NO_COLUMN) /* columns in what follows: to be skipped */
		next_byte(r);
	if (kind >= LINE_ONE && kind <= LINE_ONE_LAST) {
		next_byte(r);
		return (int32_t)(kind - LINE_ONE);
	}
	return kind == LINE_NO_COLUMN || kind == LINE_LONG ? next_signed(r) : 0;
}

static uint32_t line_of(const struct python_body *body, uint64_t instr)
{
	struct reader r = { (const uint8_t *)body->text + body->lines,
			    (const uint8_t *)body->text + body->end };
	int64_t line = body->first_line;
	uint64_t at = 0;

	if (instr == PYTHON_INSTR_MASK)
		return (uint32_t)line;
	while (r.at < r.end) {
		uint8_t byte = next_byte(&r);
		unsigned kind = byte >> 3 & 0xf;

		line += line_delta(&r, kind);
		if (kind == LINE_LONG) { /* end line, both columns */
			next_varint(&r);
			next_varint(&r);
			next_varint(&r);
		}
		at += (byte & 7) + 1;
		if (instr < at)
			return kind == LINE_NONE || line < 0 ? 0 : (uint32_t)line;
	}
	return 0;
}

bool python_place(const struct python *p, uint64_t frame, struct python_place *place)
{
	uint32_t number = (uint32_t)(frame >> PYTHON_NUMBER_SHIFT);
	const struct python_body *body = number < p->ncodes ? p->codes[number] : NULL;

	if (!number || !body)
		return false;
	place->name = body->text;
	place->path = body->text + body->path;
	place->line = line_of(body, frame & PYTHON_INSTR_MASK);
	return true;
}
