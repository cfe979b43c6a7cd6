/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One kind of wait, as a row: the waiter (a child) blocks in `wait`, the helper (the first
 * process) ends it with `wake` once the nominal time has passed. A wait that needs no
 * helper (a sleep, a child) has no `wake` and keeps the time itself.
 */
#ifndef DWELL_WAITS_H
#define DWELL_WAITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct wait_kind {
	const char *name;
	void (*setup)(void);          /* before the fork: what both need */
	void (*enter)(void);          /* waiter, once, after the fork */
	void (*arm)(void);            /* helper, before each wait */
	void (*prepare)(uint64_t ns); /* waiter, before each wait: what may itself wait */
	void (*wait)(uint64_t ns);    /* waiter: blocks */
	void (*wake)(void);           /* helper: ends it */
	bool again;                   /* wake may be repeated: a signal can come too early */
};

/* Seen by both processes. */
struct wait_shared {
	volatile uint32_t armed, entered, done;
	volatile pid_t waiter;
	unsigned char room[256]; /* for a mutex, a futex word */
};

extern struct wait_shared *shared;
extern int here, there; /* descriptors of the waiter and of the helper */

extern const struct wait_kind wait_kinds_time[], wait_kinds_fd[], wait_kinds_ipc[];

#endif
