/* SPDX-License-Identifier: BSD-2-Clause */
/* Largest remainder; see scale.h. */
#include "scale.h"

#include <stdlib.h>

struct share {
	uint64_t remainder;
	size_t i;
};

static int by_remainder(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	if (x->remainder != y->remainder)
		return x->remainder < y->remainder ? 1 : -1;
	return x->i < y->i ? -1 : x->i > y->i;
}

void scale_to(uint64_t *weights, size_t n, uint64_t total)
{
	struct share *shares = calloc(n + 1, sizeof(*shares));
	unsigned __int128 sum = 0;
	uint64_t left = total;

	if (!shares)
		abort();
	for (size_t i = 0; i < n; i++)
		sum += weights[i];
	for (size_t i = 0; !sum && i < n; i++)
		weights[i] = 1;
	sum = sum ? sum : n;
	for (size_t i = 0; i < n; i++) {
		unsigned __int128 product = (unsigned __int128)weights[i] * total;

		weights[i] = (uint64_t)(product / sum);
		shares[i] = (struct share){ (uint64_t)(product % sum), i };
		left -= weights[i];
	}
	qsort(shares, n, sizeof(*shares), by_remainder);
	for (size_t i = 0; i < left && i < n; i++)
		weights[shares[i].i]++;
	free(shares);
}
