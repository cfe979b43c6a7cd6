/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ranges of addresses that may lie in each other, made flat: each address belongs to the last
 * range of the list that holds it.
 */
#ifndef DWELL_RANGES_H
#define DWELL_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t start, end; /* end: the first address behind it */
	uint32_t value;      /* any but RANGE_NONE */
};

#define RANGE_NONE UINT32_MAX

struct ranges {
	uint64_t *starts; /* sorted; a piece ends where the next one starts */
	uint32_t *values; /* RANGE_NONE: a gap */
	size_t n;
};

/* 0 or -ENOMEM. Empty ranges are passed over. */
int ranges_build(struct ranges *r, const struct range *list, size_t n);
void ranges_free(struct ranges *r);
/* The piece that holds the address: where it begins, its value. False: none. */
bool ranges_find(const struct ranges *r, uint64_t address, uint64_t *start, uint32_t *value);
size_t ranges_bytes(const struct ranges *r);

#endif
