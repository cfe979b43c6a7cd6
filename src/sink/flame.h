/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stacks as a flame graph: a picture (.svg) or a page (.html) that needs nothing else.
 * Without its script it is a still picture. web/flame.js draws, zooms and searches.
 */
#ifndef DWELL_FLAME_H
#define DWELL_FLAME_H

#include <stdbool.h>

#include "outfile.h"
#include "report.h"

/* 0 or -errno. */
int flame_write(const struct report *r, struct outfile *f, bool page);

#endif
