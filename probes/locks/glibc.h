/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What glibc's memory and names say of a lock. A pthread_mutex_t is read by its layout
 * (x86-64, the same since glibc 2.0 up to now: lock word, count, owner, users, kind); the
 * other objects have layouts that changed, so they are told by the function of the C
 * library that waits, found among the words on the waiter's stack.
 */
#ifndef DWELL_LOCKS_GLIBC_H
#define DWELL_LOCKS_GLIBC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUTEX_BYTES 24 /* of a pthread_mutex_t: what is read of it */

enum lock_kind {
	LOCK_FUTEX, /* nothing tells what it is */
	LOCK_MUTEX,
	LOCK_CONDITION,
	LOCK_SEMAPHORE,
	LOCK_RWLOCK,
	LOCK_BARRIER,
	LOCK_THREAD_END, /* pthread_join: the word that the kernel clears as a thread ends */
	LOCK_ONCE,
	LOCK_KINDS
};

extern const char *const lock_kind_names[LOCK_KINDS]; /* "mutex", "condition", … */

struct mutex_view {
	bool locked;
	uint32_t owner; /* thread ID as its own PID namespace has it; 0: nobody */
	bool recursive, error_checking, adaptive, robust, pi, shared;
};

/*
 * Whether the bytes look like a pthread_mutex_t, and what they say. Refused is what glibc
 * never writes: unknown bits of the kind, a lock word out of its range, an owner without
 * the lock or a lock without its owner's user count.
 */
bool mutex_decode(const void *bytes, size_t size, struct mutex_view *view);

/* What a function of the C library that waits on a futex waits for; LOCK_FUTEX: no telling. */
enum lock_kind lock_kind_of_caller(const char *function);

#endif
