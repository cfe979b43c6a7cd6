/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking rows out of a hash of the kernel side. */
#ifndef DWELL_MAP_SWEEP_H
#define DWELL_MAP_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

#define MAP_KEY_MAX 128 /* bytes */

struct map_sweep {
	int fd;
	size_t key_size; /* at most MAP_KEY_MAX */
	bool (*wanted)(void *ctx, const void *key);
	void (*take)(void *ctx, const void *key); /* it may be gone, or come twice */
	void *ctx;
};

/* Calls `take` with each key that is `wanted`, when all have been found. Aborts without memory. */
void map_sweep(const struct map_sweep *s);

#endif
