/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* --alloc: records of user allocations that both sides share. */
#ifndef DWELL_ALLOC_H
#define DWELL_ALLOC_H

#include <linux/types.h>

#include "locks.h" /* struct locks_place */
#include "record.h"

/* The bpf cookie of an uprobe: which function it stands on. */
enum alloc_function {
	ALLOC_MALLOC,
	ALLOC_CALLOC,
	ALLOC_REALLOC,
	ALLOC_REALLOCARRAY,
	ALLOC_ALIGNED_ALLOC,
	ALLOC_POSIX_MEMALIGN,
	ALLOC_MEMALIGN,
	ALLOC_VALLOC,
	ALLOC_PVALLOC,
	ALLOC_NEW, /* operator new of an allocator of its own, not through malloc */
	ALLOC_FUNCTIONS
};

/* A block that lives: map `memory_blocks`. */
struct memory_block_key {
	__u64 address;
	__u32 proc_id;
	__u32 image; /* of the process: how many execs it has behind it */
};

struct memory_block {
	__u64 bytes;  /* that were asked for */
	__u64 stack;  /* of who asked: memory_caller_key; 0: the row `other` */
	__u64 ns;     /* when it was made */
	__u32 weight; /* allocations it stands for, --sample-interval */
	__u32 pad;
};

/* Who allocates: map `memory_callers`. All zero: the row `other`. */
struct memory_caller_key {
	__u64 stack; /* hash of the stack; without stacks the return address */
	__u32 proc_id;
	__u32 image;
};

/* Allocations of which what became is not known: there was no room for the block. */
struct memory_caller {
	__u64 allocs, bytes;
	__u64 frees, freed_bytes;
	__u64 unknown, unknown_bytes;
	__u64 lived_ns; /* of those freed, until then */
	__u64 live_peak_bytes;
	__u64 address;            /* return address */
	struct locks_place place; /* where it lies */
	__u32 stacked;            /* 1: key.stack is the hash of a stack that was told */
	__u32 others;             /* user space's: processes that have ended and were added */
};

/* A process: map `memory_heaps`, by proc_id; 0: those without room there. */
struct memory_heap {
	__u64 calls[ALLOC_FUNCTIONS]; /* of each function, failed ones too */
	__u64 failed;
	__u64 allocs, bytes; /* that succeeded */
	__u64 frees, freed_bytes;
	__u64 unknown, unknown_bytes;
	__u64 cleared, cleared_bytes; /* lived at an exec, which put an end to them */
	__u64 frees_null;             /* free(NULL) */
	__u64 frees_before; /* of blocks made before the attach or the fork, or not seen */
	__u64 reused;       /* given out again without a free that was seen: counted as freed */
	__u64 live_peak_bytes;
	__u64 brk;   /* where the program break is */
	__u32 image; /* execs so far */
	__u32 ended;
};

#define ALLOC_SIZES 40 /* class n: sizes of n bits; the last has all above */

/* The tree: the one entry of map `memory_heap_tree`. */
struct memory_heap_tree {
	__s64 live_bytes; /* of processes that live */
	__u64 live_peak_bytes;
	__u64 stale;    /* blocks of processes and images that are gone */
	__u64 purge_at; /* so many of them are taken out */
	__u64 sizes[ALLOC_SIZES], size_bytes[ALLOC_SIZES];
};

/* ---- mappings and the program break: told one by one, as they may be cut in pieces ---- */

enum memory_change_kind {
	CHANGE_NONE,
	CHANGE_MAP,    /* anonymous memory at [start, end), over whatever was there */
	CHANGE_UNMAP,  /* [start, end) is gone, or has become a file's */
	CHANGE_MOVE,   /* mremap: [from, from_end) has become [start, end) */
	CHANGE_GROW,   /* the program break from start to end */
	CHANGE_SHRINK, /* the program break from end to start */
	CHANGE_CLEAR,  /* exec: nothing of before is there */
	CHANGE_END,    /* the process has ended */
	CHANGE_CODE, /* code of a file that was not known is at start; 0: the program's own file */
};

/* EVENT_MEMORY_CHANGE */
struct memory_change {
	struct event_head head;
	__u64 start, end;
	__u64 from, from_end;
	__u64 stack; /* who did it; as in struct memory_caller_key */
	__u64 inode; /* CHANGE_CODE */
	__u32 dev;
	__u32 image;
	__u32 kind;      /* enum memory_change_kind */
	__u32 allocator; /* 1: made inside a call of the malloc family */
};

/* A file with code that user space knows: key of map `memory_files`, enum memory_file_state. */
struct memory_file {
	__u64 inode;
	__u32 dev; /* as the kernel has it */
	__u32 pad;
};

enum memory_file_state {
	FILE_TOLD = 1,  /* of it user space has been told, or knows by itself */
	FILE_PLAIN = 2, /* it has been looked at, and has no allocator */
};

_Static_assert(sizeof(struct memory_block_key) == 16, "struct memory_block_key has holes");
_Static_assert(sizeof(struct memory_block) == 32, "struct memory_block has holes");
_Static_assert(sizeof(struct memory_caller) == 120, "struct memory_caller has holes");
_Static_assert(sizeof(struct memory_change) == 120, "struct memory_change has holes");

#endif
