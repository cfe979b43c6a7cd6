/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All starts and ends, sorted, cut the addresses into cells. From the last range to the first,
 * each takes the cells that nobody has; `next` leaps over those that are taken, so that each
 * cell is visited once.
 */
#include "ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The last edge at or below the address; there is one. */
static size_t at_or_below(const uint64_t *edges, size_t n, uint64_t address)
{
	size_t low = 0, high = n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (edges[mid] <= address)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* Edges of all ranges, sorted, each once. */
static size_t collect_edges(uint64_t *edges, const struct range *list, size_t n)
{
	size_t all = 0, once = 0;

	for (size_t i = 0; i < n; i++) {
		if (list[i].start >= list[i].end)
			continue;
		edges[all++] = list[i].start;
		edges[all++] = list[i].end;
	}
	qsort(edges, all, sizeof(*edges), by_value);
	for (size_t i = 0; i < all; i++)
		if (!i || edges[i] != edges[i - 1])
			edges[once++] = edges[i];
	return once;
}

/* The first cell from `at` on that is free; those on the way are led there. */
static size_t free_from(uint32_t *next, size_t at)
{
	size_t end = at;

	while (next[end] != end)
		end = next[end];
	while (next[at] != end) {
		size_t step = next[at];

		next[at] = (uint32_t)end;
		at = step;
	}
	return end;
}

static void paint(struct ranges *r, uint32_t *next, const struct range *list, size_t n)
{
	for (size_t i = n; i-- > 0;) {
		size_t cell;

		if (list[i].start >= list[i].end)
			continue;
		cell = free_from(next, at_or_below(r->starts, r->n, list[i].start));
		while (r->starts[cell] < list[i].end) {
			r->values[cell] = list[i].value;
			next[cell] = (uint32_t)cell + 1;
			cell = free_from(next, cell);
		}
	}
}

/* Neighbours of one value become one piece. */
static void join(struct ranges *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (kept && r->values[kept - 1] == r->values[i])
			continue;
		r->starts[kept] = r->starts[i];
		r->values[kept++] = r->values[i];
	}
	r->n = kept;
}

int ranges_build(struct ranges *r, const struct range *list, size_t n)
{
	uint32_t *next;

	memset(r, 0, sizeof(*r));
	if (n > UINT32_MAX / 4)
		return -ENOMEM;
	r->starts = calloc(2 * n + 1, sizeof(*r->starts));
	r->values = calloc(2 * n + 1, sizeof(*r->values));
	next = calloc(2 * n + 1, sizeof(*next));
	if (!r->starts || !r->values || !next) {
		ranges_free(r);
		free(next);
		return -ENOMEM;
	}
	r->n = collect_edges(r->starts, list, n);
	for (size_t i = 0; i < r->n; i++) {
		r->values[i] = RANGE_NONE;
		next[i] = (uint32_t)i;
	}
	paint(r, next, list, n);
	free(next);
	join(r);
	return 0;
}

void ranges_free(struct ranges *r)
{
	free(r->starts);
	free(r->values);
	memset(r, 0, sizeof(*r));
}

bool ranges_find(const struct ranges *r, uint64_t address, uint64_t *start, uint32_t *value)
{
	size_t at;

	if (!r->n || address < r->starts[0])
		return false;
	at = at_or_below(r->starts, r->n, address);
	*start = r->starts[at];
	*value = r->values[at];
	return *value != RANGE_NONE;
}

size_t ranges_bytes(const struct ranges *r)
{
	return r->n * (sizeof(*r->starts) + sizeof(*r->values));
}
