/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was stripped from a file: its debug file, by build-id in /usr/lib/debug/.build-id or by the
 * name in .gnu_debuglink beside it, in .debug beside it, or below /usr/lib/debug, each in the
 * process's root directory and then in ours; and the symbols in its .gnu_debugdata.
 */
#ifndef DWELL_DEBUG_FILE_H
#define DWELL_DEBUG_FILE_H

#include <libelf.h>
#include <stdbool.h>

#include "code_image.h"
#include "roots.h"

/*
 * Opens the debug file of the file `elf`, which is described by image and lies at `path` in that
 * root. Only one that is proven to belong to it: by the same build-id, or by its checksum. -1: none.
 */
int debug_file_open(const struct roots *roots, int root, const char *path,
		    const struct code_image *image, Elf *elf);
/* The ELF file inside .gnu_debugdata; *memory is its, free() it after elf_end(). NULL: none. */
Elf *debug_data_begin(Elf *elf, void **memory);
/* Are there symbols beside the dynamic linker's? */
bool debug_file_has_symbols(Elf *elf);

#endif
