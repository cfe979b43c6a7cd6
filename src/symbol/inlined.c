/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which unit of compilation an address belongs to is asked of the units themselves, once, as
 * .debug_aranges is not always there; then libdw looks into that unit alone.
 */
#include "inlined.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <unistd.h>

#include "code_image.h"
#include "ranges.h"

#define UNITS_MAX (1U << 20)

struct inlined {
	int fd;
	Elf *elf;
	Dwarf *dwarf;
	struct ranges units; /* value: index in offsets */
	Dwarf_Off *offsets;  /* of the units' entries in .debug_info */
	size_t noffsets;
};

struct ranges_list {
	struct range *list;
	size_t n, room;
};

void inlined_close(struct inlined *d)
{
	if (!d)
		return;
	dwarf_end(d->dwarf);
	elf_end(d->elf);
	close(d->fd);
	ranges_free(&d->units);
	free(d->offsets);
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
	Dwarf_Off *offsets;
	ptrdiff_t at = 0;

	if (!(d->noffsets & (d->noffsets + 1)) || !d->offsets) { /* full at 2^k - 1 */
		offsets = reallocarray(d->offsets, 2 * d->noffsets + 2, sizeof(*offsets));
		if (!offsets || d->noffsets >= UNITS_MAX)
			return false;
		d->offsets = offsets;
	}
	d->offsets[d->noffsets++] = dwarf_dieoffset(unit);
	while ((at = dwarf_ranges(unit, at, &base, &start, &end)) > 0)
		if (!add_range(ranges, start, end, d->noffsets - 1))
			return false;
	return true;
}

static int find_units(struct inlined *d)
{
	struct ranges_list ranges = {};
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit;
	uint8_t type;
	int err;

	while (!dwarf_get_units(d->dwarf, cu, &cu, NULL, &type, &unit, NULL))
		if (type == DW_UT_compile && !add_unit(d, &ranges, &unit))
			break;
	err = ranges_build(&d->units, ranges.list, ranges.n);
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
	d->elf = code_image_begin_mapped(fd);
	d->dwarf = d->elf ? dwarf_begin_elf(d->elf, DWARF_C_READ, NULL) : NULL;
	if (d->dwarf && !find_units(d) && d->units.n)
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

/* scopes: from the innermost to the unit, as the code lies in each other. */
static size_t unfold(Dwarf_Die *unit, Dwarf_Die *scopes, int nscopes, struct inlined_frame place,
		     struct inlined_frame frames[INLINED_DEPTH])
{
	size_t n = 0;

	for (int i = 0; i < nscopes && n < INLINED_DEPTH; i++) {
		int tag = dwarf_tag(&scopes[i]);

		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
			continue;
		place.function = function_of(&scopes[i]);
		frames[n++] = place;
		if (tag == DW_TAG_subprogram)
			break;
		call_site(unit, &scopes[i], &place);
	}
	return n;
}

static bool is_inlined(Dwarf_Die *scopes, int n)
{
	for (int i = 0; i < n; i++) {
		int tag = dwarf_tag(&scopes[i]);

		if (tag == DW_TAG_subprogram)
			return false;
		if (tag == DW_TAG_inlined_subroutine)
			return true;
	}
	return false;
}

size_t inlined_at(struct inlined *d, uint64_t address, struct inlined_frame frames[INLINED_DEPTH])
{
	Dwarf_Die unit, *around = NULL, *scopes = NULL;
	struct inlined_frame place = {};
	int n, line = 0;
	Dwarf_Line *row;
	uint64_t start;
	uint32_t index;
	size_t found;

	if (!ranges_find(&d->units, address, &start, &index) ||
	    !dwarf_offdie(d->dwarf, d->offsets[index], &unit))
		return 0;
	row = dwarf_getsrc_die(&unit, address);
	if (row && !dwarf_lineno(row, &line) && line > 0)
		place.line = (uint32_t)line;
	place.path = row ? dwarf_linesrc(row, NULL, NULL) : NULL;
	n = dwarf_getscopes(&unit, address, &around);
	if (is_inlined(around, n)) {
		/* those were of its source; what it lies in as code takes a search of the unit */
		n = dwarf_getscopes_die(&around[0], &scopes);
		found = unfold(&unit, scopes, n, place, frames);
	} else {
		found = unfold(&unit, around, n, place, frames);
	}
	free(around);
	free(scopes);
	if (found || !place.path)
		return found;
	frames[0] = place;
	return 1;
}
