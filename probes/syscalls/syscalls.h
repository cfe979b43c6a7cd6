/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The syscalls probe's records, shared by syscalls.bpf.c and the reader in user space.
 *
 * Calls are counted by process (bpf/slot.h), each CPU in its own row, so nothing is looked up
 * for a call but the row. What a row has no room for goes to the hash `syscalls_rare` by
 * process; what not even that takes goes to the per-CPU array `syscalls_spill`, by call and
 * exact, but for the tree only.
 */
#ifndef DWELL_SYSCALLS_H
#define DWELL_SYSCALLS_H

#include <linux/types.h>

#include "hist.h"
#include "record.h"

/* Who reads the number: the calling convention, or an io_uring submission (an opcode). */
enum syscall_abi { ABI_NATIVE, ABI_I386, ABI_X32, ABI_URING };

/*
 * Places of a row. No architecture has numbers between 344 and 423 (new calls get the same
 * number everywhere, from 424 on): they are left out, so that a row takes less than a page.
 */
#define CALLS_LOW 344
#define CALLS_HIGH_FIRST 424
#define CALLS_HIGH 56 /* to 479 */
#define CALL_SLOTS (CALLS_LOW + CALLS_HIGH)

/* CALL_SLOTS: the number has no slot. */
static inline __u32 call_slot(__u64 nr)
{
	if (nr < CALLS_LOW)
		return nr;
	nr -= CALLS_HIGH_FIRST;
	return nr < CALLS_HIGH ? CALLS_LOW + nr : CALL_SLOTS;
}

static inline __u32 slot_call(__u32 slot)
{
	return slot < CALLS_LOW ? slot : slot - CALLS_LOW + CALLS_HIGH_FIRST;
}

#define CALL_ERRORS 32 /* distinct (call, errno) of a row; a power of two */
#define ERRNO_MAX 4095 /* include/linux/err.h: MAX_ERRNO */

struct call_error {
	__u64 key; /* call_error_key(); 0: free */
	__u64 count;
};

static inline __u64 call_error_key(__u32 slot, __u32 err)
{
	return (__u64)slot << 32 | err; /* an errno is not 0 */
}

/* Calls of one process on one CPU, or on those that share a stripe; map `syscalls_rows`. */
struct syscalls_row {
	__u64 counts[CALL_SLOTS];
	/* a (call, errno) has few places; who finds others' there goes to syscalls_rare */
	struct call_error errors[CALL_ERRORS];
};

/* Key of syscalls_rare, of value __u64. err 0: calls; else errors that returned it. */
struct rare_key {
	__u32 proc_id;
	__u32 nr;
	__u16 abi; /* enum syscall_abi */
	__u16 err;
};

/* Entries of syscalls_spill: one a slot, then what has none. */
#define SPILL_OTHER CALL_SLOTS
#define SPILL_URING (CALL_SLOTS + 1)
#define SPILL_ENTRIES (CALL_SLOTS + 2)

struct spill {
	__u64 calls;
	__u64 errors;
};

/* --syscall-latency: by slot, for the tree, per CPU. */
struct call_time {
	__u64 ns, count, max_ns;
	__u32 hist[HIST_BUCKETS];
};

_Static_assert(sizeof(struct syscalls_row) == 8 * CALL_SLOTS + 16 * CALL_ERRORS,
	       "struct syscalls_row has holes");
_Static_assert(sizeof(struct rare_key) == 12, "struct rare_key has holes");

#endif
