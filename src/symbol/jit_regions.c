/* SPDX-License-Identifier: BSD-2-Clause */
/* A list that is made flat when it is asked; see jit_regions.h. */
#include "jit_regions.h"

#include <stdlib.h>
#include <string.h>

#define NAME_CUT 4096
#define NAMES_MAX (32U << 20) /* of a process */
#define LOOK_BACK 4096

static void flatten(struct jit_regions *r)
{
	struct range *ranges = calloc(r->n + 1, sizeof(*ranges));

	ranges_free(&r->flat);
	for (size_t i = 0; ranges && i < r->n; i++)
		ranges[i] = (struct range){ r->list[i].start, r->list[i].end, (uint32_t)i };
	if (ranges && !ranges_build(&r->flat, ranges, r->n))
		r->stale = false;
	free(ranges);
}

/* Names of the regions that are left, and no others. */
static void keep_used_names(struct jit_regions *r)
{
	char *names = malloc(r->names_room);
	size_t used = 0;

	for (size_t i = 0; names && i < r->n; i++) {
		const char *name = r->names + r->list[i].name;
		size_t size = strlen(name) + 1;

		memcpy(names + used, name, size);
		r->list[i].name = (uint32_t)used;
		used += size;
	}
	if (!names)
		return;
	free(r->names);
	r->names = names;
	r->nnames = used;
}

/*
 * Takes out regions of which nothing is left. Not at each addition, as it looks at all: when it
 * has made little room, what comes soon after is lost.
 */
static void take_out_covered(struct jit_regions *r)
{
	uint64_t additions = r->generation + r->lost;
	size_t kept = 0;
	bool *used;

	if (r->cleared && additions - r->cleared < JIT_REGIONS_MAX / 8)
		return;
	r->cleared = additions;
	used = calloc(r->n + 1, sizeof(*used));
	flatten(r);
	for (size_t i = 0; used && i < r->flat.n; i++)
		if (r->flat.values[i] != RANGE_NONE)
			used[r->flat.values[i]] = true;
	for (size_t i = 0; used && !r->stale && i < r->n; i++)
		if (used[i])
			r->list[kept++] = r->list[i];
	if (used && !r->stale) {
		r->n = kept;
		keep_used_names(r);
	}
	r->stale = true;
	free(used);
}

static bool make_room(struct jit_regions *r)
{
	struct jit_region *list;
	size_t room = r->room ? 2 * r->room : 256;

	if (r->n < r->room)
		return true;
	if (room > JIT_REGIONS_MAX) {
		take_out_covered(r);
		return r->n < r->room;
	}
	list = reallocarray(r->list, room, sizeof(*list));
	if (!list)
		return false;
	r->list = list;
	r->room = room;
	return true;
}

static bool make_room_for_name(struct jit_regions *r, size_t size)
{
	size_t room = 2 * r->names_room + size + 4096;
	char *names;

	if (r->nnames + size <= r->names_room)
		return true;
	if (room > NAMES_MAX) {
		take_out_covered(r);
		return r->nnames + size <= r->names_room;
	}
	names = realloc(r->names, room);
	if (!names)
		return false;
	r->names = names;
	r->names_room = room;
	return true;
}

/* False: no room. */
static bool keep_name(struct jit_regions *r, const char *name, size_t len, uint32_t *at)
{
	if (!make_room_for_name(r, len + 1))
		return false;
	*at = (uint32_t)r->nnames;
	memcpy(r->names + *at, name, len);
	r->names[*at + len] = '\0';
	r->nnames += len + 1;
	return true;
}

void jit_regions_add(struct jit_regions *r, uint64_t start, uint64_t size, const char *name,
		     size_t len)
{
	uint32_t at;

	if (!size || start + size < start || !len)
		return;
	if (!make_room(r) || !keep_name(r, name, len < NAME_CUT ? len : NAME_CUT, &at)) {
		r->lost++;
		return;
	}
	r->list[r->n++] = (struct jit_region){ start, start + size, at };
	r->stale = true;
	r->generation++;
}

const char *jit_regions_find(struct jit_regions *r, uint64_t address)
{
	uint64_t start;
	uint32_t value;

	if (r->stale)
		flatten(r);
	if (r->stale || !ranges_find(&r->flat, address, &start, &value))
		return NULL;
	return r->names + r->list[value].name;
}

const char *jit_regions_last(const struct jit_regions *r, uint64_t start)
{
	size_t first = r->n > LOOK_BACK ? r->n - LOOK_BACK : 0;

	for (size_t i = r->n; i-- > first;)
		if (r->list[i].start == start)
			return r->names + r->list[i].name;
	return NULL;
}

size_t jit_regions_bytes(const struct jit_regions *r)
{
	return r->room * sizeof(*r->list) + r->names_room + ranges_bytes(&r->flat);
}

void jit_regions_free(struct jit_regions *r)
{
	ranges_free(&r->flat);
	free(r->list);
	free(r->names);
	memset(r, 0, sizeof(*r));
}
