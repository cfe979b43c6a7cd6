/* SPDX-License-Identifier: BSD-2-Clause */
/* /etc/ld.so.cache: where ld.so finds a library by its name. */
#ifndef DWELL_STACKS_SO_CACHE_H
#define DWELL_STACKS_SO_CACHE_H

#include <stdbool.h>
#include <stddef.h>

/* The 64-bit library of that name; false: the cache has none, or is of a form not known. */
bool so_cache_find(const char *name, char *path, size_t size);

#endif
