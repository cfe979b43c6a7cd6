/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts by system call and error; see tally.h. */
#include "tally.h"

#include <stdlib.h>
#include <string.h>

/* Index of the first row whose key is not below. */
static uint32_t lower_bound(const struct tally *t, uint64_t key)
{
	uint32_t low = 0, high = t->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (t->rows[mid].key < key)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The row of key, made when there is none. */
static struct tally_row *row_of(struct tally *t, uint64_t key)
{
	uint32_t at = t->n && t->rows[t->n - 1].key < key ? t->n : lower_bound(t, key);

	if (at < t->n && t->rows[at].key == key)
		return &t->rows[at];
	if (t->n == t->size) {
		t->size = t->size ? t->size * 2 : 16;
		t->rows = reallocarray(t->rows, t->size, sizeof(*t->rows));
		if (!t->rows)
			abort();
	}
	memmove(t->rows + at + 1, t->rows + at, (t->n - at) * sizeof(*t->rows));
	t->n++;
	t->rows[at] = (struct tally_row){ .key = key };
	return &t->rows[at];
}

void tally_add(struct tally *t, uint64_t key, uint64_t delta)
{
	if (delta)
		row_of(t, key)->n += delta;
}

uint64_t tally_set(struct tally *t, uint64_t key, uint64_t n)
{
	struct tally_row *row = row_of(t, key);
	uint64_t delta = n - row->n;

	row->n = n;
	return delta;
}

uint64_t tally_get(const struct tally *t, uint64_t key)
{
	uint32_t at = lower_bound(t, key);

	return at < t->n && t->rows[at].key == key ? t->rows[at].n : 0;
}

uint64_t tally_total(const struct tally *t)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < t->n && !key_err(t->rows[i].key); i++) {
		if (key_abi(t->rows[i].key) != ABI_URING)
			total += t->rows[i].n;
	}
	return total;
}

void tally_clear(struct tally *t)
{
	free(t->rows);
	*t = (struct tally){ 0 };
}
