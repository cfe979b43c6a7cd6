/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree of followed processes, from births, execs and exits told by the kernel side.
 * Rows are keyed by proc_id, a serial number, so a PID that is used again is a new row.
 * Dead processes beyond TREE_MAX are forgotten, the shortest-lived first; what they did
 * stays in the totals of tree and command, which the probes keep.
 */
#ifndef DWELL_TREE_H
#define DWELL_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "record.h"
#include "slot.h"

#define TREE_MAX 768

struct packed;

struct process {
	uint32_t proc_id, parent_proc_id;
	uint32_t pid, ppid;
	bool dead;     /* no thread left */
	bool presumed; /* dead because nothing is seen of it any more, not because its end was */
	bool exited;   /* its last thread has begun to exit */
	bool has_status;
	int status; /* as of wait(2) */
	char comm[COMM_LEN];
	uint64_t start_ns, end_ns;
	uint32_t threads_born, threads_ended;
	uint32_t root_flags;    /* enum target_flag */
	uint32_t slot;          /* bpf/slot.h */
	bool collected;         /* its figures have been taken out of the slot */
	struct packed *figures; /* these, and what follows: engine/slots.c */
	struct usage_slot usage, usage_now;
	bool queued;             /* among those to be taken out, or taken out */
	struct process *retired; /* the next of those that have ended */
	uint32_t absent;         /* reports in a row that found no living thread of it */
	void *ledger;            /* the ledger's own, see ledger.c */
	void (*free_ledger)(void *);
	UT_hash_handle hh;
};

struct tree {
	struct process *processes; /* uthash by proc_id */
	size_t dead;               /* rows kept of dead ones */
	uint64_t cut;              /* rows forgotten */
	uint32_t root_proc_id;     /* of the command; 0 before its birth was told */
	void (*on_dead)(void *ctx, struct process *p); /* its last thread is gone */
	void *on_dead_ctx;
};

/* The process that `who` belongs to, made when its birth was not told. Never NULL. */
struct process *tree_process(struct tree *t, const struct target *who);
struct process *tree_find(const struct tree *t, uint32_t proc_id);
void tree_birth(struct tree *t, const struct birth_event *e);
void tree_exec(struct tree *t, const struct exec_event *e);
void tree_exit(struct tree *t, const struct exit_event *e);
/* A thread is gone for good; returns true when it was its process's last. */
bool tree_thread_ended(struct tree *t, struct process *p, uint64_t now_ns);
/*
 * The end of a process of which not all was told (the ring was full), but of which no thread
 * is left. Returns false when it was dead already.
 */
bool tree_presume_dead(struct tree *t, struct process *p, uint64_t now_ns);
/* Forgets the shortest-lived dead rows beyond TREE_MAX. Not while a probe holds a row. */
void tree_trim(struct tree *t);
void tree_free(struct tree *t);

#endif
