/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which lock stands at an address: module and variable from the mapping and the file's
 * symbols, its kind from who waits for it (the C library's function among the words on the
 * waiter's stack) or from the lock's own memory. What no evidence tells stays a `futex`.
 */
#ifndef DWELL_LOCKS_IDENTITY_H
#define DWELL_LOCKS_IDENTITY_H

#include "glibc.h"
#include "locks.h"
#include "report.h"

/* What a lock's identity is made from, by the kernel side or from /proc. */
struct lock_facts {
	uint64_t address;
	uint32_t pid; /* to find its files by, if it lives */
	struct locks_mark mark;
	char path[512];      /* of mark.place, "" when it has no file */
	char code_path[512]; /* of mark.code */
	char return_path[MARK_RETURNS][512];
};

struct lock_identity {
	enum lock_kind kind;
	const char *evidence; /* what told the kind, in words; NULL: nothing */
	const char *caller;   /* function of the C library that waits; NULL: not known */
	const char *module;   /* path of the file it lies in; NULL: in none */
	const char *symbol;   /* variable; NULL: not known */
	uint64_t offset;      /* in the variable, or without one in the module */
	const char *name;     /* "counter_lock (a.out)", "a.out+0x40a0", "[heap]" */
};

struct modules; /* files that were opened, with what was asked of them */
struct modules *modules_new(void);
void modules_free(struct modules *m);

/* Strings are the report's. */
void lock_identify(struct modules *m, struct report *r, const struct lock_facts *facts,
		   struct lock_identity *identity);

/*
 * Fills facts for a lock of a living process from its memory and maps; tid: a thread that
 * waits for it now, 0: none. False: the process cannot be read.
 */
bool lock_facts_live(struct lock_facts *facts, uint32_t pid, uint32_t tid, uint64_t address);

/* The system call that a thread is in; false: none, or it cannot be read. */
struct thread_call {
	uint64_t nr, arg[6], sp, ip;
};
bool thread_call_read(uint32_t pid, uint32_t tid, struct thread_call *call);
/* Reads a process's memory; false unless all of it can be read. */
bool process_memory(uint32_t pid, uint64_t address, void *to, size_t size);

#endif
