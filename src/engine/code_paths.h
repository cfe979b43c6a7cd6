/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The code paths with the most time, for the screen and the verdict. A path is what the program's
 * own code was doing, in the words of code_words.h: rows that differ in the kernel, the thread or
 * the line are one path, and processes of a name have theirs together.
 */
#ifndef DWELL_CODE_PATHS_H
#define DWELL_CODE_PATHS_H

#include "report.h"

/* Fills r->stacks.paths and .hot of a report at the end. */
void code_paths_make(struct report *r);

#endif
