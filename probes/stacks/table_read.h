/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a file's unwind table while something else goes on: that of a compiler takes some 20 ms,
 * and processes that live for less would have been told of and be gone.
 */
#ifndef DWELL_STACKS_TABLE_READ_H
#define DWELL_STACKS_TABLE_READ_H

#include "eh_table.h"

/* As eh_table_read(); of a large file in a thread, and `meanwhile` is called until it is done. */
int table_read(struct eh_table *t, int fd, void (*meanwhile)(void *ctx), void *ctx);

#endif
