/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which unit of compilation an address belongs to is asked of the units themselves, once, as
 * .debug_aranges is not always there; its scopes are read when the first of its addresses is asked for.
 */
#include "inlined.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <unistd.h>

#include "code_image.h"
#include "scopes.h"

#define UNITS_MAX (1U << 20)
#define SCOPES_KEPT (1U << 20) /* of all units of a file: 40 MiB; then they begin anew */

struct unit {
	Dwarf_Off offset; /* of its entry in .debug_info */
	struct scopes scopes;
	bool read;
};

struct inlined {
	int fd;
	Elf *elf;
	Dwarf *dwarf;
	struct ranges ranges; /* value: index in units */
	struct unit *units;
	size_t nunits;
	size_t nscopes;
	bool cut;
};

struct ranges_list {
	struct range *list;
	size_t n, room;
};

static void drop_scopes(struct inlined *d)
{
	for (size_t i = 0; i < d->nunits; i++) {
		scopes_free(&d->units[i].scopes);
		d->units[i].read = false;
	}
	d->nscopes = 0;
}

void inlined_close(struct inlined *d)
{
	if (!d)
		return;
	drop_scopes(d);
	dwarf_end(d->dwarf);
	elf_end(d->elf);
	close(d->fd);
	ranges_free(&d->ranges);
	free(d->units);
	free(d);
}

static bool add_range(struct ranges_list *ranges, uint64_t start, uint64_t end, size_t unit)
{
	if (ranges->n == ranges->room) {
		size_t room = ranges->room ? 2 * ranges->room : 256;
		struct range *list;

		list = room <= UNITS_MAX ? reallocarray(ranges->list, room, sizeof(*list)) : NULL;
		if (!list)
			return false;
		ranges->list = list;
		ranges->room = room;
	}
	ranges->list[ranges->n++] = (struct range){ start, end, (uint32_t)unit };
	return true;
}

/* A unit with the ranges of its code. */
static bool add_unit(struct inlined *d, struct ranges_list *ranges, Dwarf_Die *unit)
{
	Dwarf_Addr base, start, end;
	struct unit *units;
	ptrdiff_t at = 0;

	if (!(d->nunits & (d->nunits + 1)) || !d->units) { /* full at 2^k - 1 */
		if (d->nunits >= UNITS_MAX)
			return false;
		units = reallocarray(d->units, 2 * d->nunits + 2, sizeof(*units));
		if (!units)
			return false;
		d->units = units;
	}
	d->units[d->nunits++] = (struct unit){ .offset = dwarf_dieoffset(unit) };
	while ((at = dwarf_ranges(unit, at, &base, &start, &end)) > 0)
		if (!add_range(ranges, start, end, d->nunits - 1))
			return false;
	return true;
}

static int find_units(struct inlined *d)
{
	struct ranges_list ranges = {};
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit;
	uint8_t type;
	int err, end = 0;

	while (!d->cut && !(end = dwarf_get_units(d->dwarf, cu, &cu, NULL, &type, &unit, NULL)))
		d->cut = type == DW_UT_compile && !add_unit(d, &ranges, &unit);
	d->cut |= end < 0; /* damaged from there on */
	err = ranges_build(&d->ranges, ranges.list, ranges.n);
	free(ranges.list);
	return err;
}

struct inlined *inlined_open(int fd)
{
	struct inlined *d = calloc(1, sizeof(*d));

	if (!d) {
		close(fd);
		return NULL;
	}
	d->fd = fd;
	d->elf = code_image_begin(fd);
	d->dwarf = d->elf ? dwarf_begin_elf(d->elf, DWARF_C_READ, NULL) : NULL;
	if (d->dwarf && !find_units(d) && (d->ranges.n || d->cut))
		return d;
	inlined_close(d);
	return NULL;
}

static const char *function_of(Dwarf_Die *die)
{
	static const unsigned names[] = { DW_AT_linkage_name, DW_AT_MIPS_linkage_name };
	Dwarf_Attribute attribute;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *name = NULL;

		if (dwarf_attr_integrate(die, names[i], &attribute))
			name = dwarf_formstring(&attribute);
		if (name)
			return name;
	}
	return dwarf_diename(die);
}

/* Where the call was that inlining replaced. */
static void call_site(Dwarf_Die *unit, Dwarf_Die *die, struct inlined_frame *frame)
{
	Dwarf_Attribute attribute;
	Dwarf_Files *files;
	Dwarf_Word value;
	size_t n;

	frame->path = NULL;
	frame->line = 0;
	if (dwarf_attr(die, DW_AT_call_line, &attribute) && !dwarf_formudata(&attribute, &value))
		frame->line = (uint32_t)value;
	if (dwarf_attr(die, DW_AT_call_file, &attribute) && !dwarf_formudata(&attribute, &value) &&
	    !dwarf_getsrcfiles(unit, &files, &n) && value < n)
		frame->path = dwarf_filesrc(files, value, NULL, NULL);
}

/* From the innermost scope to the function whose code it is, as they lie in each other. */
static size_t unfold(struct inlined *d, Dwarf_Die *unit, const struct scopes *s, uint32_t scope,
		     struct inlined_frame place, struct inlined_frame frames[INLINED_DEPTH])
{
	Dwarf_Die die;
	size_t n = 0;

	while (scope != SCOPE_NONE && n < INLINED_DEPTH) {
		const struct scope *at = &s->list[scope];

		if (!dwarf_offdie(d->dwarf, at->die, &die))
			break;
		place.function = function_of(&die);
		frames[n++] = place;
		scope = at->inlined ? at->around : SCOPE_NONE;
		if (at->inlined)
			call_site(unit, &die, &place);
	}
	d->cut |= scope != SCOPE_NONE;
	return n;
}

bool inlined_cut(const struct inlined *d)
{
	return d->cut;
}

static struct scopes *scopes_of(struct inlined *d, struct unit *u, Dwarf_Die *unit)
{
	if (u->read)
		return &u->scopes;
	if (d->nscopes > SCOPES_KEPT)
		drop_scopes(d);
	u->read = !scopes_read(&u->scopes, unit);
	d->cut |= !u->read || u->scopes.cut || u->scopes.deep;
	d->nscopes += u->scopes.n;
	return &u->scopes;
}

size_t inlined_at(struct inlined *d, uint64_t address, struct inlined_frame frames[INLINED_DEPTH])
{
	Dwarf_Die unit;
	struct inlined_frame place = {};
	const struct scopes *s;
	int line = 0;
	Dwarf_Line *row;
	uint64_t start;
	uint32_t index;
	size_t found;

	if (!ranges_find(&d->ranges, address, &start, &index) ||
	    !dwarf_offdie(d->dwarf, d->units[index].offset, &unit))
		return 0;
	row = dwarf_getsrc_die(&unit, address);
	if (row && !dwarf_lineno(row, &line) && line > 0)
		place.line = (uint32_t)line;
	place.path = row ? dwarf_linesrc(row, NULL, NULL) : NULL;
	s = scopes_of(d, &d->units[index], &unit);
	found = unfold(d, &unit, s, scopes_find(s, address), place, frames);
	if (found || !place.path)
		return found;
	frames[0] = place;
	return 1;
}
