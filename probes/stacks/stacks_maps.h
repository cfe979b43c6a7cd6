/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * stacks: where code lies and how it is unwound, as both sides share it. Kernel side:
 * mappings.bpf.h writes the mappings of each process, walk.bpf.h walks a stack over them and
 * the tables; user side: files.c fills the tables.
 */
#ifndef DWELL_STACKS_MAPS_H
#define DWELL_STACKS_MAPS_H

#include "stacks.h"
#include "unwind.h"

/* Executable mappings kept of a process. */
#define STACKS_MAPPINGS 256

/* `place` is the frame of `start` (stacks.h): file number and offset; 0: code in no file. */
struct stacks_mapping {
	__u64 start, end, place;
};

#define STACKS_MM_OLD 1 /* of a program that is not there any more; no task has this one */

/* Value of the map stacks_maps, by proc_id. Sorted, apart. */
struct stacks_maps {
	__u64 mm;  /* whose: in an exec a task has left them before we know; 0: not all are known */
	__u32 seq; /* odd while it is written */
	__u32 lock; /* of writers */
	__u32 n;
	__u32 asked; /* user space has been asked to read them */
	struct stacks_mapping list[STACKS_MAPPINGS];
};

/* Key of stacks_file_ids; the kernel's own, which stat() may not show (overlay, btrfs). */
struct stacks_file_key {
	__u64 inode;
	__u32 dev, generation; /* an inode's number is used again, with another generation */
	__u64 changed;         /* when it was last written to, ns */
};

#define STACKS_SEGMENTS 8

enum stacks_file_flag {
	STACKS_FILE_READY = 1,    /* the rest of it is set; user space */
	STACKS_FILE_CODE = 2,     /* ELF; else code that was written at run time: frames are RAW */
	STACKS_FILE_NO_TABLE = 4, /* ready, and will have none: could not be opened or read */
	STACKS_FILE_NO_ROOM = 8,  /* and the reason is that there was no room for it */
};

/* Element of the mmapped array stacks_files, by file number. */
struct stacks_file {
	__u32 flags;
	__u32 told; /* EVENT_STACKS_FILE has gone out; kernel side, as the next three */
	__u64 inode;
	__u64 changed; /* as in its key */
	__u32 dev;
	__u32 page, npages; /* in stacks_pages, one for each UNWIND_PAGE from its base on */
	__u32 nsegments;
	struct {
		__u64 offset, size;
		__u64 at; /* of its first byte, from the table's base on */
	} segments[STACKS_SEGMENTS];
};

/*
 * Rows lie in blocks (the mmapped array stacks_blocks): one look-up, then plain loads. The
 * rows of a struct unwind_page, counted over all blocks, are in one.
 */
#define STACKS_BLOCK_SHIFT 10
#define STACKS_BLOCK (1U << STACKS_BLOCK_SHIFT)

struct stacks_block {
	struct unwind_row rows[STACKS_BLOCK];
};

/* A frame on the way up a stack: its registers, and how we know. */
struct stacks_regs {
	__u64 pc, sp, bp, di;
	__u32 end;   /* enum stack_end, when the walk has ended */
	__u16 exact; /* pc is no return address: the leaf, or interrupted by a signal */
	__u16 guess; /* pc was found without a table */
	/* for frames that are found by another register; step.h */
	__u64 bx;
	__u16 leaf, follow, known, pad;
	__u64 gp[UNWIND_REGISTERS]; /* of the leaf, by DWARF's number */
};

#define STACKS_COPY_PAGE 4096
#define STACKS_COPY_BYTES (4 * STACKS_COPY_PAGE)

/*
 * EVENT_STACKS_COPY: a stack that came to a file whose table is not made yet, for user space to
 * walk when it is. Rows know it by the hash.
 */
struct stacks_copy {
	struct event_head head;
	__u64 hash;
	__u64 pc, sp, bp, di;
	__u32 n;     /* mappings */
	__u32 bytes; /* of the stack, from sp on */
	__u64 known; /* of stacks_regs */
	__u64 gp[UNWIND_REGISTERS];
	struct stacks_mapping list[STACKS_MAPPINGS];
	__u8 stack[STACKS_COPY_BYTES];
};

/* What stacks_vmas writes of dwell's own mappings. */
struct stacks_vma {
	__u64 start;
	__u32 file;
	__u32 pad;
};

/*
 * EVENT_STACKS_PROCESS, an event_head alone: a process of which no mappings are known; answer:
 * stacks_vmas.
 */

_Static_assert(sizeof(struct stacks_mapping) == 24, "struct stacks_mapping has holes");
_Static_assert(sizeof(struct stacks_file) % 8 == 0, "an mmapped array's step");

#endif
