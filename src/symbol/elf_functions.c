/* SPDX-License-Identifier: BSD-2-Clause */
/* Gathers symbols, sorts them by rank, makes them flat; see elf_functions.h. */
#include "elf_functions.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "elf_gather.h"
#include "ranges.h"

struct elf_functions {
	struct ranges ranges; /* value: where the name stands in names */
	char *names;
	size_t nnames;
	bool cut;
};

/* By address; those without a size first, then the worst first, for the last one wins. */
static int by_address(const void *one, const void *other)
{
	const struct elf_function *a = one, *b = other;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (!a->end != !b->end)
		return a->end ? 1 : -1;
	return -elf_function_merit(a, b);
}

/*
 * Gives those without a size the room up to the next symbol. One that lies inside another is a
 * label of it: it gets none.
 */
static void give_sizes(struct elf_function *list, size_t n)
{
	uint64_t here = UINT64_MAX, next = UINT64_MAX, covered = 0;

	for (size_t i = n; i-- > 0;) {
		if (list[i].start != here)
			next = here;
		here = list[i].start;
		list[i].limit = next < list[i].limit ? next : list[i].limit;
	}
	for (size_t i = 0; i < n; i++) {
		/* of those at the same address one with a size stands behind it, and wins */
		if (!list[i].end)
			list[i].end = list[i].start < covered ? list[i].start : list[i].limit;
		else if (list[i].end > covered)
			covered = list[i].end;
	}
}

static const char *const suffixes[] = {
	[ELF_PLAIN] = "",
	[ELF_IFUNC] = "@ifunc",
	[ELF_PLT] = "@plt",
};

/* How many have room for their names, which take that many bytes. */
static size_t fitting(const struct elf_function *list, size_t n, size_t *bytes)
{
	*bytes = 1;
	for (size_t i = 0; i < n; i++) {
		size_t size = list[i].len + strlen(suffixes[list[i].suffix]) + 1;

		if (*bytes + size > ELF_NAMES_MAX)
			return i;
		*bytes += size;
	}
	return n;
}

static int keep(struct elf_functions *f, const struct elf_function *list, size_t all)
{
	size_t bytes, n = fitting(list, all, &bytes);
	struct range *ranges = calloc(n + 1, sizeof(*ranges));
	int err;

	f->names = malloc(bytes);
	f->cut |= n < all;
	if (!ranges || !f->names) {
		free(ranges);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		const char *suffix = suffixes[list[i].suffix];
		char *to = f->names + f->nnames;

		ranges[i] = (struct range){ list[i].start, list[i].end, (uint32_t)f->nnames };
		memcpy(to, list[i].name, list[i].len);
		memcpy(to + list[i].len, suffix, strlen(suffix) + 1);
		f->nnames += list[i].len + strlen(suffix) + 1;
	}
	err = ranges_build(&f->ranges, ranges, n);
	free(ranges);
	return err;
}

struct elf_functions *elf_functions_read(const struct code_image *image, Elf *const *files,
					 size_t nfiles)
{
	struct elf_functions *f = calloc(1, sizeof(*f));
	struct elf_gather gather = { .image = image };
	int err;

	if (!f)
		return NULL;
	for (size_t i = 0; i < nfiles; i++)
		elf_gather_symbols(&gather, files[i]);
	if (nfiles)
		elf_gather_plt(&gather, files[0]);
	if (gather.n)
		qsort(gather.list, gather.n, sizeof(*gather.list), by_address);
	give_sizes(gather.list, gather.n);
	f->cut = gather.cut;
	err = keep(f, gather.list, gather.n);
	elf_gather_free(&gather);
	if (!err)
		return f;
	elf_functions_free(f);
	return NULL;
}

void elf_functions_free(struct elf_functions *f)
{
	if (!f)
		return;
	ranges_free(&f->ranges);
	free(f->names);
	free(f);
}

const char *elf_functions_find(const struct elf_functions *f, uint64_t address, uint64_t *start)
{
	uint32_t value;

	if (!ranges_find(&f->ranges, address, start, &value))
		return NULL;
	return f->names + value;
}

bool elf_functions_cut(const struct elf_functions *f)
{
	return f->cut;
}

size_t elf_functions_bytes(const struct elf_functions *f)
{
	return sizeof(*f) + f->nnames + ranges_bytes(&f->ranges);
}
