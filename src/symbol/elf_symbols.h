/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Symbols of an ELF file: variables and functions of .symtab and .dynsym, and which of its
 * addresses a place in the file is mapped to. The file is mapped, not read; nothing is
 * sorted or kept, as few addresses of a file are asked for.
 */
#ifndef DWELL_ELF_SYMBOLS_H
#define DWELL_ELF_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum elf_symbol_kind { ELF_VARIABLE, ELF_FUNCTION };

struct elf_symbol {
	const char *name; /* lives until elf_symbols_close() */
	uint64_t value, size;
	enum elf_symbol_kind kind;
};

struct elf_symbols;

/* NULL: no ELF file, or one that cannot be read. inode: the file must be this one; 0: any. */
struct elf_symbols *elf_symbols_open(const char *path, uint64_t inode);
void elf_symbols_close(struct elf_symbols *s);

/*
 * The file's own address of what is mapped `offset` bytes into it; of a writable segment
 * also of the zeroes that follow in memory (.bss). False: no segment holds it.
 */
bool elf_symbols_address(const struct elf_symbols *s, uint64_t offset, bool writable,
			 uint64_t *address);
/* The inverse, for a function: where in the file the code of `address` lies. */
bool elf_symbols_offset(const struct elf_symbols *s, uint64_t address, uint64_t *offset);

/* Calls take() for each defined symbol that has a size, until it returns false. */
void elf_symbols_each(const struct elf_symbols *s,
		      bool (*take)(void *ctx, const struct elf_symbol *symbol), void *ctx);
/* The symbol of that kind that covers `address`, the smallest if several do. */
bool elf_symbols_find(const struct elf_symbols *s, enum elf_symbol_kind kind, uint64_t address,
		      struct elf_symbol *found);
/* The function of that name. */
bool elf_symbols_function(const struct elf_symbols *s, const char *name, struct elf_symbol *found);

/*
 * The function that the instruction before `return_address` calls: by itself, through the
 * PLT or through the GOT. NULL: that is no call (x86-64), or of no name.
 */
const char *elf_symbols_called(const struct elf_symbols *s, uint64_t return_address);

/* Where the section of that name lies in memory, by the file's own addresses. */
bool elf_symbols_section(const struct elf_symbols *s, const char *name, uint64_t *address);
/* What the file has at an address of its own. */
bool elf_symbols_read(const struct elf_symbols *s, uint64_t address, void *to, size_t size);
/* The address of its (first) code less its offset in the file. */
bool elf_symbols_code(const struct elf_symbols *s, uint64_t *difference);

#endif
