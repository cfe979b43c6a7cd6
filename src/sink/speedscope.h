/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stacks as a file of speedscope: a "sampled" profile for each thread, in nanoseconds,
 * those with the most time first; beyond SPEEDSCOPE_PROFILES the threads share the last one.
 * A state is the last frame of its stacks; names are marked as in folded.h.
 */
#ifndef DWELL_SPEEDSCOPE_H
#define DWELL_SPEEDSCOPE_H

#include "outfile.h"
#include "report.h"

#define SPEEDSCOPE_PROFILES 500

/* 0 or -errno. */
int speedscope_write(const struct report *r, struct outfile *f);

#endif
