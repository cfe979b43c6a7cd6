/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Code that a process made at run time: regions of its memory and their names, in the order in
 * which they were written. Where they overlap, the last one counts: older code was there before.
 */
#ifndef DWELL_JIT_REGIONS_H
#define DWELL_JIT_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranges.h"

#define JIT_REGIONS_MAX (1U << 18) /* of a process */

struct jit_region {
	uint64_t start, end;
	uint32_t name; /* where in names */
};

struct jit_regions {
	struct jit_region *list;
	size_t n, room;
	char *names;
	size_t nnames, names_room;
	struct ranges flat;  /* value: index in list */
	bool stale;          /* flat is not of what list is now */
	uint32_t generation; /* changes with each addition */
	uint64_t lost;
	uint64_t cleared; /* additions, lost ones too, when covered ones were last taken out */
};

/* Leaves out, and counts, what does not fit. Those that are covered wholly by later ones go first. */
void jit_regions_add(struct jit_regions *r, uint64_t start, uint64_t size, const char *name,
		     size_t len);
/* NULL: none. Lives until the next addition. */
const char *jit_regions_find(struct jit_regions *r, uint64_t address);
/* The name of the region that was added last with this start; NULL: none near the end. */
const char *jit_regions_last(const struct jit_regions *r, uint64_t start);
size_t jit_regions_bytes(const struct jit_regions *r);
void jit_regions_free(struct jit_regions *r);

#endif
