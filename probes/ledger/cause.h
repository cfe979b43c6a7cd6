/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a blocked system call waits for, and which argument names it. The table is made
 * in user space from names (causes.c) and read by ledger.bpf.c as a constant.
 */
#ifndef DWELL_CAUSE_H
#define DWELL_CAUSE_H

#include <linux/types.h>

#define CAUSE_CALLS 512 /* power of two above every system call number */

enum cause_where {
	WHERE_NONE,  /* no object */
	WHERE_FD0,   /* the file behind the first argument */
	WHERE_FUTEX, /* the first argument is the futex's address */
	WHERE_SYSV,  /* the first argument is the ID of a set of semaphores */
};

/* In `state`: the kind of the file behind the descriptor decides. */
#define CAUSE_BY_FILE 0xff

struct cause {
	__u8 state; /* enum ledger_state, or CAUSE_BY_FILE */
	__u8 where; /* enum cause_where */
};

struct cause_table {
	struct cause native[CAUSE_CALLS];
	struct cause compat[CAUSE_CALLS]; /* 32-bit calls */
};

#endif
