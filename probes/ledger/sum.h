/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sum of accounts: of the threads of a process, of a command name, of the tree. Plain
 * numbers add; a histogram per state, made when first needed, keeps the percentiles.
 */
#ifndef DWELL_SUM_H
#define DWELL_SUM_H

#include <stddef.h>
#include <stdint.h>

#include "hist.h"
#include "ledger.h"
#include "report.h"

struct ledger_sum {
	uint64_t threads;
	uint64_t lifetime_ns;
	uint64_t utime_ns, stime_ns;
	uint64_t switches, voluntary;
	uint64_t stolen_ns;
	struct ledger_stat states[LEDGER_STATES];
	uint64_t *hist[LEDGER_STATES];  /* HIST_BUCKETS each, or NULL */
	uint64_t untold[LEDGER_STATES]; /* intervals counted in the shared blocks: no percentiles */
};

void stat_merge(struct ledger_stat *to, const struct ledger_stat *from);
/*
 * Adds a thread's account. blocks: the mapped ledger_hists. A living thread's present
 * state counts up to f->now_ns.
 */
void sum_add_thread(struct ledger_sum *sum, const struct ledger_final *f,
		    const uint32_t (*blocks)[HIST_BUCKETS]);
void sum_add(struct ledger_sum *to, const struct ledger_sum *from);
void sum_hist_add(struct ledger_sum *sum, int state, const uint32_t *buckets);
/* Times, residual, user and system split, percentiles. */
void sum_account(const struct ledger_sum *sum, struct account *a);
/* An account as a sum again, but for the percentiles. */
void sum_add_account(struct ledger_sum *sum, const struct account *a);
/* Deep copy; the copy is the caller's. */
struct ledger_sum *sum_clone(const struct ledger_sum *sum);
void sum_clear(struct ledger_sum *sum); /* frees histograms, zeroes the rest */
/* The value below which `q` of the counts lie: its bucket's middle, within min and max. */
uint64_t hist_quantile(const uint64_t *buckets, double q, uint64_t min_ns, uint64_t max_ns);

/* Where a thread's account begins: the kernel's start time, or our attach. */
static inline uint64_t ledger_begin(const struct target *who)
{
	return who->flags & TARGET_ATTACHED ? who->born_ns : who->start_ns;
}

#endif
