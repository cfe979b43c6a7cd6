/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * stacks: what both sides share. A stack is told once, by its hash, through the `events`
 * ring; rows count time by (thread, state, stack). Frames are places in files, so that a
 * process may be long gone when they get their names.
 */
#ifndef DWELL_STACKS_H
#define DWELL_STACKS_H

#include "record.h"

/*
 * A frame, leaf first. FILE: file number and the offset in the file (not the address in the
 * process, not the ELF address). RAW: an address in the process without a file (JIT, stack).
 * PYTHON: number of a code object and its line's instruction. KERNEL addresses are themselves.
 * Without FRAME_EXACT the place is a return address: the call is before it.
 */
#define FRAME_KIND_SHIFT 61
enum frame_kind { FRAME_FILE = 0, FRAME_RAW = 1, FRAME_PYTHON = 2, FRAME_KERNEL = 7 };
#define FRAME_EXACT (1ULL << 60)
#define FRAME_FILE_SHIFT 40
#define FRAME_FILES (1U << 20) /* file numbers; 0 is none, 1 the vdso */
#define FRAME_FILE_VDSO 1
#define FRAME_OFFSET_MASK ((1ULL << FRAME_FILE_SHIFT) - 1)
#define FRAME_RAW_MASK ((1ULL << 57) - 1)

#define STACK_FRAMES 127

/* Why a stack ends where it does. All but STACK_WHOLE are shown as [truncated: why]. */
enum stack_end {
	STACK_WHOLE,      /* reached the thread's start */
	STACK_DEEP,       /* more than STACK_FRAMES */
	STACK_NO_MAPPING, /* an address that is in no mapping that we know */
	STACK_NO_TABLE,   /* its file's table is not made yet */
	STACK_NO_FILE,    /* will not be: the file could not be opened, or not be read */
	STACK_NO_ROOM,    /* will not be: there was no room for it */
	STACK_NO_ROW,     /* its file has no unwind information there, nor a frame pointer */
	STACK_NO_RULE,    /* a rule that the table cannot hold */
	STACK_UNREAD,     /* the stack's memory could not be read */
	STACK_NO_PROGRESS,
	STACK_NO_PROCESS, /* mappings of the process are not known */
	STACK_NO_USER,    /* between two programs: inside execve, at the end */
	STACK_NOT_TAKEN,  /* waits still, or has since before the attach */
	STACK_ENDS
};

/* Constants of the session, .rodata.stacks. */
struct stacks_cfg {
	__u64 quantum_ns; /* of time off the CPU; 0: each wait is a sample */
	__u64 sample_ns;  /* what a sample on a CPU stands for */
	__u32 on;         /* the probe is on; else the verifier drops what it asks for */
	__u32 wakers;     /* --wakers */
	__u32 python;     /* Python frames too */
	__u32 half;       /* rows of a table that make user space come */
};

/* What user space tells while it runs: the only element of stacks_control, mapped. */
struct stacks_control {
	__u32 table; /* rows go to stacks_rows (0) or stacks_rows_b (1): the other is emptied */
	__u32 used;  /* rows made there; beyond half of it user space is woken */
};

/* EVENT_STACKS_BODY: a stack seen for the first time. */
struct stacks_body {
	struct event_head head; /* who.proc_id counts if a frame is FRAME_RAW or FRAME_PYTHON */
	__u64 hash;             /* never 0; of frames, end, and then of proc_id too */
	__u16 n;
	__u16 end; /* enum stack_end */
	__u32 pad;
	__u64 frames[]; /* n */
};

/* EVENT_STACKS_FILE: a file with code seen for the first time. */
struct stacks_file_event {
	struct event_head head; /* who.pid: a process that maps it now */
	__u64 start, end;       /* there: /proc/PID/map_files/start-end */
	__u64 inode;
	__u64 changed; /* when it was last written to, ns */
	__u32 dev;     /* kernel's: major << 20 | minor */
	__u32 file;    /* number */
};

/* A thread that is not on a CPU, as the iterator stacks_waits has it. */
struct stacks_wait {
	__u32 thread_id, proc_id;
	__u64 since_ns;       /* of its account: in which stay it is */
	__u64 user, python;   /* stacks, if they were taken; else from these registers */
	__u64 ip, sp, bp, di; /* as it came into the kernel */
	__u32 user_from;      /* enum stack_user */
	__u32 n;
	__u64 frames[STACK_FRAMES + 1]; /* of the kernel */
};

/* Key and value of the map stacks_rows. Hashes: 0 is none. */
struct stacks_key {
	__u32 thread_id;
	__u32 proc_id;
	__u32 state; /* of the ledger, probes/ledger/ledger.h */
	__u32 pad;
	__u64 user, kernel, python;
	__u64 waker, waker_kernel; /* of the thread that ended the wait, its user's and kernel's */
};

struct stacks_value {
	__u64 ns;    /* what it stands for, before it is scaled to the ledger's time */
	__u64 count; /* samples */
};

#endif
