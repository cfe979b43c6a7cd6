/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What user space keeps of stacks: bodies by hash, and rows by owner, a thread that lives, or
 * all threads of a process that have ended, or all processes of a name that are forgotten.
 *
 * Rows of a living thread have the weights of its samples. When it has ended they are scaled
 * to the ledger's time of each of its states and added to its process's, which are exact.
 *
 * Limits: BODY_BYTES of frames, ROWS_MAX rows, COMMANDS_MAX names; beyond that time stands in
 * rows without a stack, and is counted.
 */
#ifndef DWELL_STACK_BOOK_H
#define DWELL_STACK_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "ledger.h"
#include "stacks.h"

#define BODY_BYTES (24U << 20)
#define ROWS_MAX 65536
#define COMMANDS_MAX 256

struct stack_body {
	uint64_t hash;
	uint32_t proc_id; /* of frames that mean something there only */
	uint16_t n, end;
	UT_hash_handle hh;
	uint64_t frames[];
};

/* Rows that stand for no stack: the key's `pad`. */
enum stack_row_kind {
	ROW_STACK,
	ROW_NOT_SAMPLED, /* time in which no sample fell */
	ROW_CUT,         /* stacks for which there was no room */
};

struct stack_entry {
	struct stacks_key key; /* thread_id 0: of ended threads */
	uint64_t ns, count;
	struct stack_entry *next; /* of its owner */
	UT_hash_handle hh;
};

struct stack_owner {
	uint64_t id; /* proc_id << 32 | thread_id; 0 of forgotten processes, found by comm */
	uint32_t proc_id, thread_id;
	uint32_t pid;
	char comm[COMM_LEN];
	struct stack_entry *rows;
	UT_hash_handle hh;
};

/* A thread's account: of one that has ended, and of a living one while a report is made. */
struct stack_account_copy {
	uint32_t proc_id, thread_id, pid, tid;
	uint32_t state; /* living: the present one */
	uint64_t since_ns, now_ns;
	char comm[COMM_LEN];
	uint64_t ns[LEDGER_STATES]; /* the present one's time so far included */
};

struct stack_book {
	struct stack_body *bodies;
	size_t body_bytes;
	struct stack_entry *entries;
	struct stack_owner *owners;
	struct stack_owner *commands; /* by name */
	uint64_t cut;                 /* samples in rows ROW_CUT */
	uint64_t ends[STACK_ENDS];    /* samples by how their user's stack ends */
	uint64_t samples, truncated;
};

/* A stack that was told; whether it is a new one. */
bool stack_book_body(struct stack_book *b, const struct stacks_body *body, size_t size);
const struct stack_body *stack_book_find_body(const struct stack_book *b, uint64_t hash);
/* A row as the kernel side had it. */
void stack_book_row(struct stack_book *b, const struct stacks_key *key,
		    const struct stacks_value *v);
struct stack_owner *stack_book_owner(struct stack_book *b, uint32_t proc_id, uint32_t thread_id);
struct stack_owner *stack_book_find_owner(const struct stack_book *b, uint32_t proc_id,
					  uint32_t thread_id);
/* A thread has ended, all its rows are here: they become its process's. */
void stack_book_end_thread(struct stack_book *b, const struct stack_account_copy *a);
/* A process is forgotten: its rows become those of its name. */
void stack_book_forget(struct stack_book *b, struct stack_owner *o);
/* The scaled times of a thread's rows, in the order of its list; freed by the caller. */
uint64_t *stack_book_scaled(const struct stack_owner *o, const struct stack_account_copy *a,
			    size_t *n);
void stack_book_clear(struct stack_book *b);

#endif
