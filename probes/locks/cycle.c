/* SPDX-License-Identifier: BSD-2-Clause */
/* Cycles among those who wait; see cycle.h. */
#include "cycle.h"

#include <stdlib.h>

/* Index of `self` in the list sorted by it. */
static size_t find(const struct waiting *const *order, size_t n, uint64_t self)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order[middle]->self < self)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && order[low]->self == self ? low : CYCLE_NONE;
}

static int by_self(const void *a, const void *b)
{
	const struct waiting *x = *(const struct waiting *const *)a;
	const struct waiting *y = *(const struct waiting *const *)b;

	return x->self < y->self ? -1 : x->self > y->self;
}

static void link_owners(struct waiting *w, size_t n)
{
	const struct waiting **order = calloc(n, sizeof(const struct waiting *));

	if (!order)
		abort();
	for (size_t i = 0; i < n; i++)
		order[i] = &w[i];
	qsort(order, n, sizeof(const struct waiting *), by_self);
	for (size_t i = 0; i < n; i++) {
		size_t at = w[i].owner ? find(order, n, w[i].owner) : CYCLE_NONE;

		w[i].next = at == CYCLE_NONE ? CYCLE_NONE : (size_t)(order[at] - w);
		w[i].cycle = CYCLE_NONE;
	}
	free(order);
}

size_t cycles_find(struct waiting *w, size_t n)
{
	size_t *seen = calloc(n + 1, sizeof(*seen)), cycles = 0;

	if (!seen)
		abort();
	if (n)
		link_owners(w, n);
	for (size_t i = 0; i < n; i++) {
		size_t at = i;

		/* a walk leaves its number; where it meets its own the cycle begins */
		while (at != CYCLE_NONE && !seen[at]) {
			seen[at] = i + 1;
			at = w[at].next;
		}
		if (at == CYCLE_NONE || seen[at] != i + 1)
			continue;
		for (size_t member = at; w[member].cycle == CYCLE_NONE; member = w[member].next)
			w[member].cycle = cycles;
		cycles++;
	}
	free(seen);
	return cycles;
}
