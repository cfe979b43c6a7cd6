/* SPDX-License-Identifier: BSD-2-Clause */
#include "packed.h"

#include <stdlib.h>
#include <string.h>

struct packed {
	uint32_t n;
	struct {
		uint16_t at;
		uint16_t word[4]; /* of 64 bits, without their alignment */
	} words[];
};

struct packed *packed_new(const uint64_t *words, size_t n)
{
	struct packed *p;
	uint32_t used = 0;

	for (size_t i = 0; i < n; i++)
		used += words[i] != 0;
	p = malloc(sizeof(*p) + used * sizeof(p->words[0]));
	if (!p)
		return NULL;
	p->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (!words[i])
			continue;
		p->words[p->n].at = (uint16_t)i;
		memcpy(p->words[p->n++].word, &words[i], sizeof(words[i]));
	}
	return p;
}

void packed_read(const struct packed *p, size_t from, size_t n, uint64_t *to)
{
	memset(to, 0, n * sizeof(*to));
	for (uint32_t i = 0; p && i < p->n; i++)
		if (p->words[i].at >= from && p->words[i].at < from + n)
			memcpy(&to[p->words[i].at - from], p->words[i].word, sizeof(*to));
}
