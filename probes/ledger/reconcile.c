/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ledger against what it did not count itself: each thread's states against its
 * lifetime, its on-CPU time against se.sum_exec_runtime, its switches against nvcsw +
 * nivcsw, and births against ends and the living. Differences go to trust.reconcile.
 */
#include "book.h"

static double percent(int64_t difference, uint64_t of)
{
	return of ? 100.0 * (double)difference / (double)of : 0;
}

static void fill(struct reconcile_row *row, const char *name, const char *unit,
		 const struct check *c, const char *bound)
{
	*row = (struct reconcile_row){
		.name = name,
		.unit = unit,
		.bound = bound,
		.ours = c->ours,
		.kernel = c->kernel,
		.difference = (int64_t)(c->ours - c->kernel),
		.explained = c->explained,
		.checked = c->checked,
		.broken = c->broken,
		.worst = c->worst,
	};
	row->percent = percent(row->difference, row->kernel);
	row->ok = !c->broken;
}

/* Threads and processes: born = ended + living, the living counted by the iterator. */
static void fill_births(struct reconcile_row *row, uint64_t told, const struct session *s)
{
	uint64_t born = s->counters[COUNTER_THREADS_BORN];

	*row = (struct reconcile_row){
		.name = "births",
		.unit = "count",
		.ours = told,
		.kernel = born,
		.difference = (int64_t)(told - born),
		.checked = born,
		.bound = "threads ended or living = threads born",
	};
	row->percent = percent(row->difference, born);
	row->broken = row->difference < 0 ? (uint64_t)-row->difference : (uint64_t)row->difference;
	row->worst = row->difference;
	row->ok = !row->difference;
}

void reconcile_fill(const struct checks *c, uint64_t told, const struct session *s,
		    struct report *r)
{
	struct reconcile_row *rows = report_alloc(r, 4 * sizeof(*rows));

	fill(&rows[0], "lifetime", "ns", &c->lifetime,
	     "states against kernel start time to exit: <= 5 us a thread, <= 0.1 % in all");
	fill(&rows[1], "on_cpu", "ns", &c->on_cpu,
	     "against se.sum_exec_runtime, less what is explained (stolen time, and the kernel's "
	     "clock not read at a switch): <= 1 % or 50 us a thread");
	fill(&rows[2], "switches", "count", &c->switches, "against nvcsw + nivcsw: exact");
	fill_births(&rows[3], told, s);
	r->trust.reconcile = rows;
	r->trust.nreconcile = 4;
	r->trust.reconcile_ok = true;
	for (int i = 0; i < 4; i++)
		r->trust.reconcile_ok &= rows[i].ok;
}
