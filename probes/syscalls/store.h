/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What user space keeps of the calls: totals of the tree and of each process. What the
 * kernel side shows is cumulative and comes more than once (a living thread at every
 * snapshot, then its final record), so of each source the last amount seen is kept and
 * only the difference is added. A thread that ends between two looks keeps what was seen
 * of it until its record comes: totals never fall.
 *
 * Bounded: processes by name up to a limit, then dead ones of the least worth are folded
 * into the tree; threads and rare rows by the kernel's tables.
 */
#ifndef DWELL_SYSCALLS_STORE_H
#define DWELL_SYSCALLS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "syscalls.h"
#include "tally.h"

struct calls_thread {
	uint32_t thread_id, proc_id;
	struct tally seen;
	UT_hash_handle hh;
};

struct calls_process {
	uint32_t proc_id;
	bool dead;     /* no thread of it will count again */
	bool has_rare; /* rows in the kernel's table */
	struct tally calls;
	UT_hash_handle hh;
};

struct calls_rare {
	struct rare_key key;
	uint64_t seen;
	UT_hash_handle hh;
};

struct store {
	struct tally tree;
	struct calls_process *processes;
	size_t nprocesses, max_processes;
	uint64_t (*worth)(void *ctx, uint32_t proc_id); /* of a dead one's row; NULL: its calls */
	void *ctx;
	uint64_t processes_cut;       /* folded into the tree, or never had a row */
	struct calls_thread *threads; /* living ones that were seen */
	struct calls_rare *rare;
	struct spill spilled[SPILL_ENTRIES];
};

/* A final record of the ring; false: not well-formed. */
bool store_final(struct store *s, const struct event_head *head, size_t size);
/* A living thread, of the iterator. */
void store_live(struct store *s, const struct syscalls_live *live);
/* A row of syscalls_rare; returns true when its process is dead: it can be deleted. */
bool store_rare(struct store *s, const struct rare_key *key, uint64_t n);
/* The sum over the CPUs of an entry of syscalls_spill. */
void store_spill(struct store *s, uint32_t entry, const struct spill *sum);
/* A thread that was seen alive is in the spill whole: forget what was seen of it. */
void store_spilled_thread(struct store *s, uint32_t thread_id);
/* NULL: no row. */
const struct calls_process *store_process(const struct store *s, uint32_t proc_id);
void store_free(struct store *s);

#endif
