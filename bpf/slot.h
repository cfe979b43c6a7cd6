/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Slots: figures by process, shared by both sides. Each process of the target has a slot, a
 * small number that user space takes back when the process has ended and been read. A
 * probe's slot map is an mmapped array of rows of __u64, a row for each slot and stripe; a
 * CPU writes to its own stripe, so that the threads of a process do not fight for a line.
 * Slot 0 is `other`: processes for which none was free, and what ends after its process.
 */
#ifndef DWELL_SLOT_H
#define DWELL_SLOT_H

#include <linux/types.h>

/* `.rodata.slots` */
struct slots_cfg {
	__u32 count; /* slots, 0 included */
	__u32 shift; /* stripes: 1 << shift */
	__u32 wake;  /* user space is woken each time that so many processes have ended */
	__u32 own;   /* each CPU has a stripe of its own */
};

/* Whom to charge for what will end in an interrupt: the process, and the slot it had. */
struct slot_owner {
	__u32 slot;
	__u32 proc_id; /* 0: nobody */
};

/* What task_struct counts by itself, of all threads of a process; map `usage_slots`. */
struct usage_slot {
	__u64 voluntary, involuntary; /* nvcsw, nivcsw */
	__u64 migrations;             /* se.nr_migrations */
	__u64 minor_faults, major_faults;
	__u64 read_chars, written_chars; /* ioac: bytes of read- and write-like calls */
	__u64 read_calls, write_calls;
	__u64 read_bytes, written_bytes; /* ioac: caused to be fetched from, sent to storage */
	__u64 cancelled_bytes;           /* dirtied and then truncated */
	__u64 user_ns, system_ns, exec_ns;
	__u64 max_rss_pages; /* maximum: signal->maxrss at the end of the process */
};

#define USAGE_SUMS (sizeof(struct usage_slot) / 8 - 1) /* the rest is the maximum */

/* A row of the iterator target_usage: a living thread, or one not yet closed. */
struct usage_live {
	__u32 proc_id, slot;
	struct usage_slot usage;
};

#endif
