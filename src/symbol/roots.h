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
#define ROOT_LOST (-2) /* not known, for want of room: nothing can be looked for in it */

struct roots {
	struct {
		int fd;
		uint64_t dev, inode, mount;
	} list[ROOTS_MAX];
	int n;
};

/* A number for a root directory that is open at fd; of -1 and of dwell's own ROOT_OURS. */
int roots_number(struct roots *r, int fd);
/* The directory; -1 of ROOT_OURS and of ROOT_LOST, which are not the same. */
int roots_fd(const struct roots *r, int number);
void roots_close(struct roots *r);

#endif
