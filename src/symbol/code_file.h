/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files with code, by what they hold: two of the same build-id are one. Their functions are read
 * when the first address of them is asked for, from the file as it was opened, or opened again by
 * its path if it is still the same. Tables that are not used any more go when all of them together
 * are too large, and are read again if need be.
 */
#ifndef DWELL_CODE_FILE_H
#define DWELL_CODE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "code_image.h"
#include "inlined.h"
#include "roots.h"

#define CODE_FILES_MAX 65536
#define CODE_FILES_BYTES (48U << 20) /* of tables; the one in use may be larger */

#define CODE_FILES_DWARF 8 /* open at once */

struct code_file;

struct code_files {
	struct code_file *list; /* by identity */
	size_t n, open, bytes, dwarf;
	uint64_t clock;
	uint64_t cut; /* files of whose functions some have no name: no room, or they are gone */
	uint64_t dwarf_cut; /* files of whose inlined functions some are missing */
	struct roots roots;
};

void code_files_close(struct code_files *all);
/*
 * The file behind fd; path: in the root directory of that number. NULL: it cannot be read, or
 * there are too many; *err says which.
 */
struct code_file *code_files_add(struct code_files *all, int fd, const char *path, int root,
				 int *err);
/* The vdso of this process. NULL: there is none. */
struct code_file *code_files_vdso(struct code_files *all);

/* The file's own address of an offset in it; false: not an ELF file, or no code is there. */
bool code_file_address(const struct code_file *f, uint64_t offset, uint64_t *address);
/* As the linker knows it; NULL: none is known. Lives until another file is asked. */
const char *code_file_function(struct code_files *all, struct code_file *f, uint64_t address);
/* Where the function at an address begins, if only unwind information knows it; false: unknown. */
bool code_file_start(struct code_files *all, struct code_file *f, uint64_t address,
		     uint64_t *start);
/* See inlined_at(). Strings live until another file is asked. */
size_t code_file_inlined(struct code_files *all, struct code_file *f, uint64_t address,
			 struct inlined_frame frames[INLINED_DEPTH]);

#endif
