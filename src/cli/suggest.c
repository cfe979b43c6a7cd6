/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Edit distance: insert, delete, replace, swap of neighbours. A third of the letters
 * may be wrong; words over MAX_WORD letters are near nothing.
 */
#include "suggest.h"

#include <string.h>

#define MAX_WORD 32

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

static size_t edit_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	size_t d[MAX_WORD + 1][MAX_WORD + 1];

	if (la > MAX_WORD || lb > MAX_WORD)
		return MAX_WORD;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
				       d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[la][lb];
}

struct suggestion suggestion_of(const char *typed)
{
	return (struct suggestion){ .typed = typed, .distance = strlen(typed) / 3 + 1 };
}

void suggestion_try(struct suggestion *s, const char *name)
{
	size_t distance = edit_distance(s->typed, name);

	/* a beginning of three letters is as good as one mistake */
	if (strlen(s->typed) >= 3 && !strncmp(name, s->typed, strlen(s->typed)))
		distance = 1;
	if (distance < s->distance) {
		s->distance = distance;
		s->best = name;
	}
}
