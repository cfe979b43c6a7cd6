/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ledger against what it did not count itself: each thread's states against its
 * lifetime, its on-CPU time against se.sum_exec_runtime, its switches against nvcsw +
 * nivcsw, and births against ends and the living. Differences go to trust.reconcile.
 */
#include "book.h"

#include <stdlib.h>

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

/*
 * What explains a difference is bounded too: a kernel's late clock charges a thread for at
 * most what it waited for a CPU, and lets it go early by what passes before a switch.
 */
static bool can_be(const struct check *c)
{
	uint64_t slack = c->kernel / 5 + c->checked * 100000 + 5000000;

	return c->explained <= (int64_t)(c->high + slack) &&
	       c->explained >= -(int64_t)(c->low + slack);
}

/* Threads: born = ended + living, the living counted by the iterator. */
static void fill_births(struct reconcile_row *row, uint64_t told, uint64_t unsteady,
			const struct session *s)
{
	uint64_t born = s->counters[COUNTER_THREADS_BORN];

	*row = (struct reconcile_row){
		.name = "births",
		.unit = "count",
		.ours = told,
		.kernel = born,
		.difference = (int64_t)(told - born),
		.checked = born,
		.bound = "threads ended or living = threads born, but for those that were born or "
			 "ended while the report was made",
	};
	row->percent = percent(row->difference, born);
	row->worst = row->difference;
	row->ok = (uint64_t)(row->difference < 0 ? -row->difference : row->difference) <= unsteady;
	row->broken = row->ok ? 0 : 1;
}

void reconcile_fill(const struct checks *c, uint64_t told, uint64_t unsteady,
		    const struct session *s, struct report *r)
{
	struct reconcile_row *rows = report_alloc(r, 4 * sizeof(*rows));
	uint64_t slack;

	fill(&rows[0], "lifetime", "ns", &c->lifetime,
	     "states against kernel start time to exit: <= 5 us a thread, <= 0.1 % in all");
	slack = rows[0].kernel / 1000 + rows[0].checked * 5000;
	rows[0].ok &= (uint64_t)llabs(rows[0].difference) <= slack;
	fill(&rows[1], "on_cpu", "ns", &c->on_cpu,
	     "against se.sum_exec_runtime, less what is explained (stolen time, and the kernel's "
	     "clock not read at a switch): <= 1 % or 50 us a thread; explained: in sum not more "
	     "than was stolen or waited, and 20 %");
	rows[1].ok &= can_be(&c->on_cpu);
	fill(&rows[2], "switches", "count", &c->switches,
	     "against nvcsw + nivcsw: exact, but for one of a thread that was found "
	     "running at the attach");
	fill_births(&rows[3], told, unsteady, s);
	r->trust.reconcile = rows;
	r->trust.nreconcile = 4;
	r->trust.reconcile_ok = true;
	for (int i = 0; i < 4; i++)
		r->trust.reconcile_ok &= rows[i].ok;
}
