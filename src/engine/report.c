/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report's memory: an arena of blocks that only grows and goes at once. A request
 * that does not fit what is left of the newest block gets a new one, a large request one
 * of its own size. report.h promises memory or nothing: without memory we abort.
 */
#include "report.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "hist.h"

#define BLOCK_SIZE (64 * 1024)

struct block {
	struct block *next;
	size_t used, size;
	alignas(max_align_t) unsigned char bytes[];
};

static struct block *block_new(size_t size)
{
	struct block *b = or_abort(calloc(1, sizeof(*b) + size));

	b->size = size;
	return b;
}

struct report *report_new(void)
{
	return or_abort(calloc(1, sizeof(struct report)));
}

void report_free(struct report *r)
{
	struct block *b, *next;

	if (!r)
		return;
	for (b = r->arena; b; b = next) {
		next = b->next;
		free(b);
	}
	free(r);
}

/* A block of its own for one large request, behind the newest, whose room stays in use. */
static struct block *add_large(struct report *r, size_t size)
{
	struct block *newest = r->arena, *b = block_new(size);

	if (newest) {
		b->next = newest->next;
		newest->next = b;
	} else {
		r->arena = b;
	}
	return b;
}

static struct block *add_block(struct report *r)
{
	struct block *b = block_new(BLOCK_SIZE);

	b->next = r->arena;
	r->arena = b;
	return b;
}

void *report_alloc(struct report *r, size_t size)
{
	struct block *b = r->arena;
	size_t rounded;
	void *memory;

	if (size > SIZE_MAX / 2)
		or_abort(NULL);
	rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (rounded > BLOCK_SIZE / 4)
		b = add_large(r, rounded);
	else if (!b || b->size - b->used < rounded)
		b = add_block(r);
	memory = b->bytes + b->used;
	b->used += rounded;
	return memory;
}

char *report_printf(struct report *r, const char *fmt, ...)
{
	va_list args;
	char *text, *s;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0)
		abort();
	s = report_alloc(r, (size_t)len + 1);
	memcpy(s, text, (size_t)len + 1);
	free(text);
	return s;
}

struct hist_row *report_hist(struct report *r, const uint64_t *buckets, size_t *n)
{
	struct hist_row *rows = report_alloc(r, HIST_BUCKETS * sizeof(*rows));

	*n = 0;
	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		if (!buckets[i])
			continue;
		rows[(*n)++] = (struct hist_row){
			.floor_ns = hist_floor(i),
			.ceil_ns = i + 1 < HIST_BUCKETS ? hist_floor(i + 1) : 0,
			.count = buckets[i],
		};
	}
	return rows;
}
