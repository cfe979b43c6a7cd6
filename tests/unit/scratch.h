/* SPDX-License-Identifier: BSD-2-Clause */
/* A directory of a test program's own, and files in it. */
#ifndef DWELL_TEST_SCRATCH_H
#define DWELL_TEST_SCRATCH_H

#include <stddef.h>

extern char scratch_dir[64];

/* For cmocka's groups. */
int scratch_make(void **state);
int scratch_remove(void **state);
/* Path of a name in it; good until the call after the next. */
const char *in_dir(const char *name);
/* A file's beginning as a string; its length, 0 if there is none. */
size_t read_path(const char *path, char *text, size_t size);

#endif
