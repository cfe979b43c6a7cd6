/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranges of memory as a sorted array; see alloc_ranges.h. */
#include "alloc_ranges.h"

#include <stdlib.h>
#include <string.h>

/* The first range that ends after `address`. */
static size_t first_after(const struct alloc_ranges *r, uint64_t address)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->list[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void grow(struct alloc_ranges *r)
{
	if (r->n < r->room)
		return;
	r->room = r->room ? 2 * r->room : 16;
	r->list = reallocarray(r->list, r->room, sizeof(*r->list));
	if (!r->list)
		abort();
}

static bool insert(struct alloc_ranges *r, size_t at, const struct alloc_range *range, size_t limit)
{
	if (r->n >= limit)
		return false;
	grow(r);
	memmove(&r->list[at + 1], &r->list[at], (r->n - at) * sizeof(*r->list));
	r->list[at] = *range;
	r->n++;
	return true;
}

static void drop(struct alloc_ranges *r, size_t at, size_t n)
{
	if (!n) /* there may be no list either */
		return;
	memmove(&r->list[at], &r->list[at + n], (r->n - at - n) * sizeof(*r->list));
	r->n -= n;
}

/* Cuts the middle out of one range, of which both ends are left. */
static bool cut_middle(struct alloc_ranges *r, size_t at, uint64_t start, uint64_t end,
		       size_t limit, void (*gone)(void *ctx, const struct alloc_range *piece),
		       void *ctx)
{
	struct alloc_range rest = r->list[at], piece = { start, end, rest.owner };

	rest.start = end;
	r->list[at].end = start;
	if (insert(r, at + 1, &rest, limit)) {
		gone(ctx, &piece);
		return true;
	}
	piece.end = rest.end;
	gone(ctx, &piece);
	return false;
}

bool alloc_ranges_cut(struct alloc_ranges *r, uint64_t start, uint64_t end, size_t limit,
		      void (*gone)(void *ctx, const struct alloc_range *piece), void *ctx)
{
	size_t at = first_after(r, start), whole;

	if (at < r->n && r->list[at].start < start && r->list[at].end > end)
		return cut_middle(r, at, start, end, limit, gone, ctx);
	if (at < r->n && r->list[at].start < start) {
		struct alloc_range piece = { start, r->list[at].end, r->list[at].owner };

		r->list[at++].end = start;
		gone(ctx, &piece);
	}
	whole = at;
	while (at < r->n && r->list[at].end <= end)
		gone(ctx, &r->list[at++]);
	if (at < r->n && r->list[at].start < end) {
		struct alloc_range piece = { r->list[at].start, end, r->list[at].owner };

		r->list[at].start = end;
		gone(ctx, &piece);
	}
	drop(r, whole, at - whole);
	return true;
}

bool alloc_ranges_add(struct alloc_ranges *r, const struct alloc_range *range, size_t limit)
{
	size_t at = first_after(r, range->start);

	/* the program break grows in steps: what one caller adds is one range */
	if (at && r->list[at - 1].end == range->start && r->list[at - 1].owner == range->owner) {
		r->list[at - 1].end = range->end;
		return true;
	}
	return insert(r, at, range, limit);
}

void alloc_ranges_free(struct alloc_ranges *r)
{
	free(r->list);
	*r = (struct alloc_ranges){ 0 };
}
