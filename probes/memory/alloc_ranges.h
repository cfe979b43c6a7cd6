/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The anonymous memory that a process has mapped: ranges that do not overlap, in order. Each
 * knows who made it; unmapping may cut pieces out of any.
 */
#ifndef DWELL_ALLOC_RANGES_H
#define DWELL_ALLOC_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct alloc_range {
	uint64_t start, end;
	void *owner;
};

struct alloc_ranges {
	struct alloc_range *list;
	size_t n, room;
};

/*
 * Takes [start, end) out of all ranges and tells of each piece that is gone. False: for one
 * that is left there was no room, and it is told as gone as well.
 */
bool alloc_ranges_cut(struct alloc_ranges *r, uint64_t start, uint64_t end, size_t limit,
		      void (*gone)(void *ctx, const struct alloc_range *piece), void *ctx);
/* Adds a range to a place that is free. False: there would be more than `limit` of them. */
bool alloc_ranges_add(struct alloc_ranges *r, const struct alloc_range *range, size_t limit);
void alloc_ranges_free(struct alloc_ranges *r);

#endif
