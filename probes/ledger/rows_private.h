/* SPDX-License-Identifier: BSD-2-Clause */
/* What rows.c and rows_report.c share. */
#ifndef DWELL_LEDGER_ROWS_PRIVATE_H
#define DWELL_LEDGER_ROWS_PRIVATE_H

#include <uthash.h>

#include "rows.h"
#include "sum.h"

struct object_entry {
	struct object_key key;
	struct ledger_stat stat;
	UT_hash_handle hh;
};

struct waker_entry {
	struct waker_key key;
	struct waker_sum sum;
	UT_hash_handle hh;
};

/* A sleeper by its serial number, for the rows that name it after its end. */
struct ident {
	uint32_t thread_id, proc_id, pid, tid;
	bool ended;
	char comm[COMM_LEN];
	UT_hash_handle hh;
};

/* What stands in no entry, and how many entries that were. */
struct folded {
	struct ledger_other sum;
	uint64_t objects, wakers;
	unsigned int room; /* entries that each table may have */
};

struct rows {
	struct object_entry *objects;
	struct waker_entry *wakers;
	struct ident *idents;
	struct folded other;
	uint64_t ended, full, swept_ns; /* rows_poll() */
};

struct gather {
	struct object_entry *objects;
	struct waker_entry *wakers;
	struct folded other;
	struct ledger_blocked *blocked;
	size_t nblocked;
};

void rows_object_add(struct object_entry **table, const struct object_key *key,
		     const struct ledger_stat *stat, struct folded *other);
void rows_waker_add(struct waker_entry **table, const struct waker_key *key, uint64_t count,
		    uint64_t ns, struct folded *other);
int rows_objects_by_ns(struct object_entry *a, struct object_entry *b);
int rows_wakers_by_ns(struct waker_entry *a, struct waker_entry *b);

#endif
