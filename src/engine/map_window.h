/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An mmapped array of the kernel side's, of which so much is mapped as is used: the kernel puts
 * every page of such a mapping in at once, and each counts as resident memory of ours. Its
 * address stays.
 */
#ifndef DWELL_MAP_WINDOW_H
#define DWELL_MAP_WINDOW_H

#include <stddef.h>

struct map_window {
	unsigned char *at; /* NULL: not open */
	size_t bytes, mapped;
	int fd;
};

/* The array `fd` of that many bytes, rounded up to pages. 0 or -errno. */
int map_window_open(struct map_window *w, int fd, size_t bytes);
void map_window_grow(struct map_window *w, size_t end);
/* munmap; fine on one that is not open. */
void map_window_close(struct map_window *w);

/* Makes the first `end` bytes, of those there are, readable and writable. Aborts without memory. */
static inline void map_window_reach(struct map_window *w, size_t end)
{
	if (end > w->mapped)
		map_window_grow(w, end);
}

#endif
