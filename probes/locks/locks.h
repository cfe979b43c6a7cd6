/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Records of the locks probe that both sides share. Cumulative, never reset. */
#ifndef DWELL_LOCKS_H
#define DWELL_LOCKS_H

#include <linux/types.h>

/* Locks inside the kernel, by the flags of contention_begin. */
enum locks_kernel_kind {
	KERNEL_SPINLOCK,
	KERNEL_RWLOCK_READ,
	KERNEL_RWLOCK_WRITE,
	KERNEL_MUTEX,
	KERNEL_RWSEM_READ,
	KERNEL_RWSEM_WRITE,
	KERNEL_RT_MUTEX,
	KERNEL_PERCPU_READ,
	KERNEL_PERCPU_WRITE,
	KERNEL_SEMAPHORE, /* no flag at all */
	KERNEL_KINDS
};

/* Operations of futex, without the private and the clock bit: include/uapi/linux/futex.h */
enum futex_op {
	OP_WAIT = 0,
	OP_WAKE = 1,
	OP_REQUEUE = 3,
	OP_CMP_REQUEUE = 4,
	OP_WAKE_OP = 5,
	OP_LOCK_PI = 6,
	OP_UNLOCK_PI = 7,
	OP_WAIT_BITSET = 9,
	OP_WAKE_BITSET = 10,
	OP_WAIT_REQUEUE_PI = 11,
	OP_CMP_REQUEUE_PI = 12,
	OP_LOCK_PI2 = 13,
	OP_MASK = 127,
};

/* Calls that the C library's headers need not know: 5.16, and three of 6.7. */
#define LOCKS_NR_FUTEX_WAITV 449
#define LOCKS_NR_FUTEX_WAKE 454
#define LOCKS_NR_FUTEX_WAIT 455
#define LOCKS_NR_FUTEX_REQUEUE 456

/* futex calls by what they asked for and what came back. */
struct locks_calls {
	__u64 waits;         /* calls that wait: all results */
	__u64 waits_woken;   /* of those: woken, or got the lock (PI) */
	__u64 timeouts;      /* ETIMEDOUT */
	__u64 value_changed; /* EAGAIN: the word was another, nobody waited */
	__u64 interrupted;   /* by a signal */
	__u64 wakes;         /* calls that wake */
	__u64 woken;         /* threads that they woke */
	__u64 requeues;      /* calls that move waiters */
	__u64 requeued;      /* threads that they woke or moved */
	__u64 errors;        /* every other errno, of all these calls */
};

/* semop and semtimedop */
struct locks_sems {
	__u64 operations;
	__u64 refused; /* EAGAIN: would have had to wait, or the time was up */
	__u64 interrupted;
	__u64 errors;
};

struct locks_kernel {
	__u64 count, ns, max_ns;
};

/* By process; only __u64. */
struct locks_slot {
	struct locks_calls futex;
	struct locks_sems sysv;
	struct locks_kernel kernel[KERNEL_KINDS];
};

struct locks_key {
	__u64 address; /* of a futex; of System V semaphores the set's ID */
	__u32 proc_id;
	__u32 pad;
};

struct locks_row {
	struct locks_calls calls;
	__u32 marked; /* 1: locks_marks has it, or cannot */
	__u32 pad;
};

/* Where an address lies in a process: the mapping around it. */
enum locks_area {
	AREA_UNKNOWN,
	AREA_FILE,   /* inode, dev; the path in ledger_names */
	AREA_BEHIND, /* in anonymous memory right behind that file's: its .bss */
	AREA_HEAP,
	AREA_STACK, /* of the first thread; others' are anonymous */
	AREA_ANONYMOUS,
};

struct locks_place {
	__u64 start, end; /* of the mapping; AREA_BEHIND: start is that of the file's */
	__u64 offset;     /* in the file, of start */
	__u64 inode;
	__u32 dev;
	__u32 area; /* enum locks_area */
};

#define MARK_WORDS 40 /* of the waiter's stack, from its top */
#define MARK_BYTES 24 /* of the lock's memory */

/* A word of the stack that points to code. */
struct locks_return {
	__u64 address;
	struct locks_place place;
};

#define MARK_RETURNS 4 /* power of two */

/* What is known of a lock in user memory, taken as its first waiter comes back. */
struct locks_mark {
	struct locks_place place;                  /* of the lock */
	struct locks_place code;                   /* of the instruction that made the call */
	struct locks_return returns[MARK_RETURNS]; /* to other code, the nearest first; 0: none */
	__u64 ip;
	__u32 tries, found; /* words looked up, and returns found */
	__u64 words[MARK_WORDS];
	__u8 bytes[MARK_BYTES];
	__u32 op;    /* enum futex_op */
	__u32 value; /* that it waited for to change */
};

#define SITE_FRAMES 8
/* A CPU takes a stack each time that targets have waited so long on it, for all of that. */
#define SITE_QUANTUM_NS 500000

struct locks_site {
	__u64 frames[SITE_FRAMES]; /* innermost first; 0: no more */
	__u32 proc_id;
	__u32 kind; /* enum locks_kernel_kind */
};

struct locks_site_sum {
	__u64 count, ns; /* that its samples stand for */
	__u64 max_ns;    /* of the waits that were sampled */
	__u64 samples;
};

/* --lock-order: `second` was asked for by a thread that held `first`. */
struct locks_pair {
	__u64 first, second;
	__u32 proc_id;
	__u32 pad;
};

struct locks_pair_sum {
	__u64 count;
	__u32 tid; /* of the first who did, as dwell sees it */
	__u32 pad;
};

#define NAME_BYTES 96

/* A kernel address in, its function's name out: the program locks_name. */
struct locks_name {
	__u64 address;
	char name[NAME_BYTES];
};

_Static_assert(sizeof(struct locks_key) == 16, "struct locks_key has holes");
_Static_assert(sizeof(struct locks_row) == 88, "struct locks_row has holes");
_Static_assert(sizeof(struct locks_place) == 40, "struct locks_place has holes");
_Static_assert(sizeof(struct locks_mark) == 640, "struct locks_mark has holes");
_Static_assert(sizeof(struct locks_site) == 72, "struct locks_site has holes");
_Static_assert(sizeof(struct locks_pair) == 24, "struct locks_pair has holes");

#endif
