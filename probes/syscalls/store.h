/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What user space keeps of the calls: totals of the tree and of each process. What the
 * kernel side shows is cumulative and comes more than once (a process's rows at every
 * snapshot until they are taken out), so of each source the last amount seen is kept and
 * only the difference is added: totals never fall.
 *
 * Bounded: processes by name up to a limit, then dead ones of the least worth are folded
 * into the tree; what was seen of the living and rare rows by the kernel's tables.
 */
#ifndef DWELL_SYSCALLS_STORE_H
#define DWELL_SYSCALLS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "syscalls.h"
#include "tally.h"

/* What was seen of the rows of a process that lives; of proc_id 0 those of slot 0. */
struct calls_seen {
	uint32_t proc_id;
	struct tally seen;
	UT_hash_handle hh;
};

struct calls_process {
	uint32_t proc_id;
	bool dead;     /* it will count no more */
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
	bool crowded; /* there was none to drop, and none has ended since */
	uint64_t (*worth)(void *ctx, uint32_t proc_id); /* of a dead one's row; NULL: its calls */
	bool (*gone)(void *ctx, uint32_t proc_id);      /* ended and taken in; NULL: none is */
	void *ctx;
	uint64_t processes_cut; /* folded into the tree, or never had a row */
	struct calls_seen *seen;
	struct calls_rare *rare;
	struct spill spilled[SPILL_ENTRIES];
};

/*
 * The n rows, a stripe each, that a process (0: those without a slot) has just now. Whether there
 * is anything in them.
 */
bool store_rows(struct store *s, uint32_t proc_id, const struct syscalls_row *rows, size_t n);
/* The process has ended; store_rows() has had its last. */
void store_end(struct store *s, uint32_t proc_id);
/* A row of syscalls_rare; returns true when its process is dead: it can be deleted. */
bool store_rare(struct store *s, const struct rare_key *key, uint64_t n);
/* The sum over the CPUs of an entry of syscalls_spill. */
void store_spill(struct store *s, uint32_t entry, const struct spill *sum);
/* NULL: no row. */
const struct calls_process *store_process(const struct store *s, uint32_t proc_id);
void store_free(struct store *s);

#endif
