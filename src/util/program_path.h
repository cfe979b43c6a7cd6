/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a command's file is. */
#ifndef DWELL_PROGRAM_PATH_H
#define DWELL_PROGRAM_PATH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The file that execvp() runs for this name: the name itself when it has a slash, else the first
 * file of PATH that may be executed. false: there is none, or no room; then path is "".
 */
bool program_path(const char *name, char *path, size_t size);

#endif
