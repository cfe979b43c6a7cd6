/* SPDX-License-Identifier: BSD-2-Clause */
/* Symbols and PLT stubs as they stand in ELF files: what elf_functions.c makes its table of. */
#ifndef DWELL_ELF_GATHER_H
#define DWELL_ELF_GATHER_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "code_image.h"
#include "interned.h"

#define ELF_SYMBOLS_MAX (1U << 20) /* of one file; the others have no name */
#define ELF_NAMES_MAX (128U << 20) /* bytes of them, ditto */
#define ELF_NAME_MAX INTERNED_STRING

enum elf_suffix { ELF_PLAIN, ELF_IFUNC, ELF_PLT };

struct elf_function {
	uint64_t start, end; /* end 0: no size */
	uint64_t limit;      /* end of its section */
	const char *name;    /* in the Elf's memory, without version; len bytes */
	uint16_t len;
	uint8_t suffix; /* enum elf_suffix */
	bool typed, local, weak;
};

struct elf_gather {
	const struct code_image *image;
	struct elf_function *list;
	size_t n, room;
	bool cut; /* there were more than ELF_SYMBOLS_MAX */
};

/* Functions of all symbol tables. */
void elf_gather_symbols(struct elf_gather *g, Elf *elf);
/* Stubs of the PLT, by the names of the functions that they call. Comes after the symbols. */
void elf_gather_plt(struct elf_gather *g, Elf *elf);
/* False: no room. */
bool elf_gather_add(struct elf_gather *g, const struct elf_function *f);
void elf_gather_free(struct elf_gather *g);
/* Below 0: a is the better name of an address that both have; see elf_functions.h. */
int elf_function_merit(const struct elf_function *a, const struct elf_function *b);

#endif
