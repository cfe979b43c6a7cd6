/* SPDX-License-Identifier: BSD-2-Clause */
/* The nearest of several names to a mistyped one, for "did you mean". */
#ifndef DWELL_SUGGEST_H
#define DWELL_SUGGEST_H

#include <stddef.h>

struct suggestion {
	const char *typed;
	const char *best; /* NULL: nothing was near */
	size_t distance;  /* of best; before the first: what is too far */
};

struct suggestion suggestion_of(const char *typed);
/* Remembers `name` (not copied) if it is nearer than what there was. */
void suggestion_try(struct suggestion *s, const char *name);

#endif
