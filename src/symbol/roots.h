/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Root directories of processes (containers, chroots), each kept open once, so that files can be
 * looked for as a process saw them when it is gone.
 */
#ifndef DWELL_ROOTS_H
#define DWELL_ROOTS_H

#include <stdint.h>

#define ROOTS_MAX 32
#define ROOT_OURS (-1)

struct roots {
	struct {
		int fd;
		uint64_t dev, inode, mount;
	} list[ROOTS_MAX];
	int n;
};

/* A number for a root directory that is open at fd; ROOT_OURS: it is dwell's, or no room. */
int roots_number(struct roots *r, int fd);
/* The directory; -1 of ROOT_OURS. */
int roots_fd(const struct roots *r, int number);
void roots_close(struct roots *r);

#endif
