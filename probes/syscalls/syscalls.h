/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The syscalls probe's records, shared by syscalls.bpf.c and the reader in user space.
 *
 * Each thread counts its own calls in its own record, so nothing is contended. When it
 * ends, the record goes through the ring as one event; while it lives, the task iterator
 * shows it. What a record has no room for goes to the hash `syscalls_rare` by process;
 * what not even that takes goes to the per-CPU array `syscalls_spill`, by call and exact,
 * but for the tree only.
 */
#ifndef DWELL_SYSCALLS_H
#define DWELL_SYSCALLS_H

#include <linux/types.h>

#include "hist.h"
#include "record.h"

/* Who reads the number: the calling convention, or an io_uring submission (an opcode). */
enum syscall_abi { ABI_NATIVE, ABI_I386, ABI_X32, ABI_URING };

/*
 * Slots of a record. No architecture has numbers between 344 and 423 (new calls get the
 * same number everywhere, from 424 on), so leaving them out keeps a record within 2 KiB
 * with the task storage's own 72 bytes.
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

#define CALLS_USED 40  /* distinct calls that a short final record holds */
#define CALL_ERRORS 32 /* distinct (call, errno) of one thread */
#define CALL_ERRORS_SHORT 8
#define ERRNO_MAX 4095 /* include/linux/err.h: MAX_ERRNO */

struct call_error {
	__u32 count;
	__u16 slot;
	__u16 err; /* positive errno */
};

/* Calls of one thread. A count that wraps is carried into syscalls_rare. */
struct syscalls_thread {
	__u64 enter_ns; /* --syscall-latency: when the present call began; 0: none */
	__u16 nused;    /* distinct calls so far; the first CALLS_USED are listed */
	__u8 nerrors;
	__u8 done;     /* its final record has been sent or spilled */
	__u8 shown;    /* the iterator has shown it to user space */
	__u8 execveat; /* the exec that is about to return came by execveat */
	__u16 pad;
	/* the target's, so that a call needs no second lookup */
	__u32 proc_id, thread_id, slot, tid;
	__u32 counts[CALL_SLOTS];
	struct call_error errors[CALL_ERRORS];
	__u16 used[CALLS_USED]; /* slots, in order of first use */
};

struct call_count {
	__u32 slot;
	__u32 count;
};

enum syscalls_final_flag {
	FINAL_SHORT = 1,      /* struct syscalls_final_short */
	FINAL_GROUP_DEAD = 2, /* no thread of the process is left */
};

/* EVENT_SYSCALLS_FINAL; head.flags says which. */
struct syscalls_final_short {
	struct event_head head;
	__u32 ncalls, nerrors;
	struct call_count calls[CALLS_USED];
	struct call_error errors[CALL_ERRORS_SHORT];
};

struct syscalls_final {
	struct event_head head;
	struct syscalls_thread thread;
};

/* A row of the iterator: a living thread. */
struct syscalls_live {
	__u32 proc_id, thread_id;
	struct syscalls_thread thread;
};

/* Key of syscalls_rare, of value __u64. err 0: calls; else errors that returned it. */
struct rare_key {
	__u32 proc_id;
	__u32 nr;
	__u16 abi; /* enum syscall_abi */
	__u16 err;
};

/*
 * A thread that was shown and then spilled: what was shown of it has to go, for it is in
 * the spill again. Key of syscalls_shown is its thread_id, value the proc_id.
 */

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

_Static_assert(sizeof(struct call_error) == 8, "struct call_error has holes");
_Static_assert(sizeof(struct syscalls_thread) ==
		       32 + 4 * CALL_SLOTS + 8 * CALL_ERRORS + 2 * CALLS_USED,
	       "struct syscalls_thread has holes");
_Static_assert(sizeof(struct syscalls_thread) <= 2048 - 72, "a record takes two slabs");
_Static_assert(sizeof(struct syscalls_final_short) == 56 + 8 + 8 * (CALLS_USED + CALL_ERRORS_SHORT),
	       "struct syscalls_final_short has holes");
_Static_assert(sizeof(struct syscalls_live) == 8 + sizeof(struct syscalls_thread),
	       "struct syscalls_live has holes");
_Static_assert(sizeof(struct rare_key) == 12, "struct rare_key has holes");

#endif
