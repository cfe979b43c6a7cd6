/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Output that appears whole or not at all. A regular file is written without a name in
 * its directory and linked in at the end (an older file of that name is replaced in one
 * step); a device, FIFO or socket, or a given descriptor, is written straight.
 */
#ifndef DWELL_OUTFILE_H
#define DWELL_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>

struct outfile;

/* 0 or -errno. */
int outfile_open(struct outfile **out, const char *path);
/* Writes to fd, which stays the caller's; `name` is for messages. */
int outfile_fd(struct outfile **out, int fd, const char *name);
/*
 * All of it, or -errno: said once on stderr, and then remembered; every later write does
 * nothing and returns the same error.
 */
int outfile_write(struct outfile *f, const void *data, size_t len);
/* 0, or the -errno of the first write that failed. */
int outfile_error(const struct outfile *f);
/* keep: onto the disk and under its name, unless a write failed; else gone. Frees f; NULL is fine.
 */
int outfile_close(struct outfile *f, bool keep);

#endif
