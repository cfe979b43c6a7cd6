/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys first: an iteration begins anew when the row that it stands at has been taken out. */
#include "map_sweep.h"

#include <bpf/bpf.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 256

void map_sweep(const struct map_sweep *s)
{
	alignas(8) unsigned char key[MAP_KEY_MAX];
	unsigned char *keys = NULL;
	size_t n = 0, room = 0;
	void *last = NULL;

	for (; !bpf_map_get_next_key(s->fd, last, key); last = key) {
		if (!s->wanted(s->ctx, key))
			continue;
		if (n == room) {
			room = room ? 2 * room : BATCH;
			keys = reallocarray(keys, room, s->key_size);
			if (!keys)
				abort();
		}
		memcpy(keys + n++ * s->key_size, key, s->key_size);
	}
	for (size_t i = 0; i < n; i++) {
		memcpy(key, keys + i * s->key_size, s->key_size); /* aligned */
		s->take(s->ctx, key);
	}
	free(keys);
}
