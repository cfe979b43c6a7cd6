/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inlined functions and lines of source, from a file's DWARF (libdw). The file is mapped: unlike
 * its symbols, debug information is too much to be read. For --inline alone.
 */
#ifndef DWELL_INLINED_H
#define DWELL_INLINED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INLINED_DEPTH 32

struct inlined;

struct inlined_frame {
	const char *function; /* as the linker would know it, if told; NULL: not known */
	const char *path;     /* NULL: not known */
	uint32_t line;        /* 0: not known */
};

/* Takes fd. NULL: it has no debug information. */
struct inlined *inlined_open(int fd);
void inlined_close(struct inlined *d);
/*
 * What was inlined at an address, innermost first, the last is the function itself; 0: nothing is
 * known. Strings live as long as d.
 */
size_t inlined_at(struct inlined *d, uint64_t address, struct inlined_frame frames[INLINED_DEPTH]);
/* Whether something of it has been missing so far: it is too large, or damaged. */
bool inlined_cut(const struct inlined *d);

#endif
