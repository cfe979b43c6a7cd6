/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of the kernel side whose rows belong to processes. Rows of processes that have ended
 * are taken out, so that there is room for those that live, and kept here: the weightiest as
 * they are, the others in rows without a process (harvest_class.fold). Both are bounded; the
 * number of rows that lost their own is shown in `trust`.
 */
#ifndef DWELL_HARVEST_H
#define DWELL_HARVEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe.h"

struct harvest_class {
	const char *map; /* a hash */
	size_t key_size, value_size;
	size_t proc_id_at; /* a uint32_t in the key; 0: nobody's, it stays */
	size_t kept;       /* rows of dead processes */
	enum counter full; /* counts what found no room in the table */
	/* the larger, the sooner it keeps its row */
	uint64_t (*weight)(const void *value);
	void (*add)(void *to, const void *value);
	/* Makes the key that of the row which it is added to; false: of none, it is left out. */
	bool (*fold)(void *key, const void *value);
	/* A row has been taken out of the table: sees it before it is kept. May be NULL. */
	void (*taken)(struct probe *p, const void *key, void *value);
	/* A row has been folded, into that of `to`; NULL: of none. May be NULL. */
	void (*moved)(struct probe *p, const void *from, const void *to);
};

struct harvested;

struct harvest {
	const struct harvest_class *class;
	struct harvested *rows;
	uint64_t ended, full; /* as they were at the last time */
	uint64_t swept_ns;
};

/* Whether all that the process did has been taken in. */
bool harvest_is_gone(const struct session *s, uint32_t proc_id);
/* At each poll: takes rows out when many processes have ended since, or the table was full. */
void harvest_poll(struct harvest *h, struct probe *p);
/* Takes them out now. */
void harvest_sweep(struct harvest *h, struct probe *p);
/* Every row, of the living and the dead, each key once. */
void harvest_each(struct harvest *h, struct probe *p,
		  void (*take)(void *ctx, const void *key, const void *value), void *ctx);
void harvest_free(struct harvest *h);

#endif
