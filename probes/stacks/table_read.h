/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a file's unwind table while something else goes on. That of a compiler takes 12 to 20 ms,
 * that of a library 2, and more if it has to come from a disk; an assembler lives for 5: its files
 * would have been told of and be gone.
 */
#ifndef DWELL_STACKS_TABLE_READ_H
#define DWELL_STACKS_TABLE_READ_H

#include "eh_table.h"

/* What goes on: called as soon as fd is readable; returns how much it took. */
struct table_meanwhile {
	int (*take)(void *ctx);
	void *ctx;
	int fd;
};

/* As eh_table_read(); of all but small files in a thread. */
int table_read(struct eh_table *t, int fd, const struct table_meanwhile *m);

#endif
