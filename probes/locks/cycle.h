/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cycles among those who wait: each waits for one lock, and a lock has one owner, so that
 * following the owners from anybody ends or comes round.
 */
#ifndef DWELL_LOCKS_CYCLE_H
#define DWELL_LOCKS_CYCLE_H

#include <stddef.h>
#include <stdint.h>

#define CYCLE_NONE ((size_t)-1)

struct waiting {
	uint64_t self, owner; /* of the lock that it waits for; 0: not known */
	/* set by cycles_find(): */
	size_t next;  /* index of who owns it, CYCLE_NONE: not among the waiting */
	size_t cycle; /* number of the cycle that it stands in, or CYCLE_NONE */
};

/*
 * Fills next and cycle, and returns how many cycles there are. One that only waits for a
 * member of a cycle stands in none. A thread that waits for itself is a cycle of one.
 */
size_t cycles_find(struct waiting *w, size_t n);

#endif
