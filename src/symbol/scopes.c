/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree of a unit, gone through once, those around before those within; see scopes.h. */
#include "scopes.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 256 /* of what lies in each other: more is damaged, or made to be */

struct reading {
	struct scopes *scopes;
	size_t room;
	struct range *ranges;
	size_t nranges, ranges_room;
	uint32_t around[DEPTH]; /* the scope at each depth */
};

static void *grown(void *list, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 64;

	if (n < *room)
		return list;
	list = more <= 2 * (size_t)SCOPES_MAX ? reallocarray(list, more, size) : NULL;
	if (list)
		*room = more;
	return list;
}

static bool add_range(struct reading *r, uint64_t start, uint64_t end, uint32_t scope)
{
	struct range *list = grown(r->ranges, r->nranges, &r->ranges_room, sizeof(*list));

	if (!list)
		return false;
	r->ranges = list;
	r->ranges[r->nranges++] = (struct range){ start, end, scope };
	return true;
}

/* Returns its number; SCOPE_NONE: it has no code, or there is no room. */
static uint32_t add_scope(struct reading *r, Dwarf_Die *die, bool inlined, uint32_t around)
{
	struct scopes *s = r->scopes;
	struct scope *list;
	Dwarf_Addr base, start, end;
	bool code = false;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
		code = true;
		if (s->n >= SCOPES_MAX || !add_range(r, start, end, (uint32_t)s->n)) {
			s->cut = true;
			return SCOPE_NONE;
		}
	}
	list = code ? grown(s->list, s->n, &r->room, sizeof(*list)) : NULL;
	s->cut |= code && !list;
	if (!list)
		return SCOPE_NONE;
	s->list = list;
	s->list[s->n] = (struct scope){ dwarf_dieoffset(die), around, inlined };
	return (uint32_t)s->n++;
}

/* Is there to be looked at what lies in it? *within: the scope that it is in then. */
static bool look_into(struct reading *r, Dwarf_Die *die, uint32_t around, uint32_t *within)
{
	int tag = dwarf_tag(die);

	*within = around;
	switch (tag) {
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
		*within = add_scope(r, die, tag == DW_TAG_inlined_subroutine, around);
		return *within != SCOPE_NONE;
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_with_stmt:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
		return true;
	default: /* variables, types, calls: no code of their own */
		return false;
	}
}

static void read_tree(struct reading *r, Dwarf_Die *unit)
{
	Dwarf_Die at[DEPTH];
	int depth = 0;

	r->around[0] = SCOPE_NONE;
	if (dwarf_child(unit, &at[0]))
		return;
	while (depth >= 0 && !r->scopes->cut) {
		uint32_t within;
		bool look = look_into(r, &at[depth], r->around[depth], &within);

		if (look && depth + 1 < DEPTH && !dwarf_child(&at[depth], &at[depth + 1])) {
			r->around[++depth] = within;
			continue;
		}
		r->scopes->deep |= look && depth + 1 == DEPTH && dwarf_haschildren(&at[depth]) > 0;
		while (depth >= 0 && dwarf_siblingof(&at[depth], &at[depth]))
			depth--;
	}
}

int scopes_read(struct scopes *s, Dwarf_Die *unit)
{
	struct reading r = { .scopes = s };
	int err;

	memset(s, 0, sizeof(*s));
	read_tree(&r, unit);
	err = ranges_build(&s->ranges, r.ranges, r.nranges);
	free(r.ranges);
	if (err)
		scopes_free(s);
	return err;
}

void scopes_free(struct scopes *s)
{
	ranges_free(&s->ranges);
	free(s->list);
	memset(s, 0, sizeof(*s));
}

uint32_t scopes_find(const struct scopes *s, uint64_t address)
{
	uint64_t start;
	uint32_t index;

	return ranges_find(&s->ranges, address, &start, &index) && index < s->n ? index
										: SCOPE_NONE;
}
