/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The functions of an ELF file, sorted: .symtab and .dynsym of the file, of its debug file or
 * of its .gnu_debugdata, and the stubs of its PLT.
 *
 * A symbol names the addresses within its size and no others: most functions of a stripped file
 * have no symbol, and the nearest one below would be a wrong name. A symbol of size 0 (written
 * in assembler) reaches to the next symbol or to the end of its section. Inside a function that
 * lies in another the inner one counts.
 *
 * Of several names of one address the first by this order is taken: of a function, global, with
 * the fewest underscores in front, not weak, short, by alphabet.
 */
#ifndef DWELL_ELF_FUNCTIONS_H
#define DWELL_ELF_FUNCTIONS_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "code_image.h"

struct elf_functions;

/*
 * image: of files[0], the file itself, which has the PLT; the others only have symbols. The
 * files may be ended afterwards. NULL: no memory.
 */
struct elf_functions *elf_functions_read(const struct code_image *image, Elf *const *files,
					 size_t nfiles);
void elf_functions_free(struct elf_functions *f);
/* The function at an address, as the linker knows it; NULL: none. start: of that function. */
const char *elf_functions_find(const struct elf_functions *f, uint64_t address, uint64_t *start);
/* There are more, or longer ones, than are kept: those at the highest addresses have no name. */
bool elf_functions_cut(const struct elf_functions *f);
size_t elf_functions_bytes(const struct elf_functions *f);

#endif
