/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts by system call and error: a small sorted array, for a process makes a few dozen
 * different calls. In the order of the keys all calls come first, then their errors.
 */
#ifndef DWELL_SYSCALLS_TALLY_H
#define DWELL_SYSCALLS_TALLY_H

#include <stdint.h>

#include "syscalls.h"

#define ABI_UNKNOWN 15     /* calls known by number only in a table that was full */
#define ERR_UNKNOWN 0xffff /* errors, ditto */

struct tally_row {
	uint64_t key;
	uint64_t n;
};

struct tally {
	struct tally_row *rows;
	uint32_t n, size;
};

static inline uint64_t tally_key(uint32_t abi, uint32_t nr, uint32_t err)
{
	return (uint64_t)err << 48 | (uint64_t)abi << 32 | nr;
}

static inline uint32_t key_nr(uint64_t key)
{
	return (uint32_t)key;
}

static inline uint32_t key_abi(uint64_t key)
{
	return key >> 32 & 0xffff;
}

static inline uint32_t key_err(uint64_t key)
{
	return (uint32_t)(key >> 48);
}

/* Adds modulo 2^64, so that a negative delta takes away. */
void tally_add(struct tally *t, uint64_t key, uint64_t delta);
/* Sets key to n; returns the difference to before. */
uint64_t tally_set(struct tally *t, uint64_t key, uint64_t n);
uint64_t tally_get(const struct tally *t, uint64_t key);
/* Sum of the calls of processes: neither errors nor io_uring operations. */
uint64_t tally_total(const struct tally *t);
void tally_clear(struct tally *t);

#endif
