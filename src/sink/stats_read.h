/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a JSONL file, line by line, into statistics. */
#ifndef DWELL_STATS_READ_H
#define DWELL_STATS_READ_H

#include <stdio.h>

#include "stats_sum.h"

#define STATS_LINE_BYTES (256u << 20) /* a longer line is refused */

/*
 * name: for messages. 0, or -errno with the error set: not JSONL, no record in it, or a
 * line too long. A last line that is cut off is left out with a warning.
 */
int stats_read(struct stats *s, FILE *f, const char *name);

#endif
