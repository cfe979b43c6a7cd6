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
		.checked = c->checked,
		.broken = c->broken,
		.worst = c->worst,
	};
	row->percent = percent(row->difference, row->kernel);
	row->ok = !c->broken;
}

/*
 * On-CPU time is held to its bound in sum, not thread by thread: after a wakeup that asks
 * for a reschedule the kernel does not read its clock again at the switch
 * (rq_clock_skip_update), so what passed in between moves from the thread that leaves to
 * the one that comes, milliseconds even; the sum over both is right.
 */
static void judge_sum(struct reconcile_row *row, const struct check *c)
{
	row->ok = row->difference <= (int64_t)c->bound &&
		  row->difference + (int64_t)c->more >= -(int64_t)c->bound;
	row->broken = row->ok ? 0 : c->broken;
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
	     "in sum, less stolen_ns, against se.sum_exec_runtime: <= 1 % or 50 us a thread, "
	     "beyond idle CPUs' wakeups and the scheduler's own work at a switch");
	judge_sum(&rows[1], &c->on_cpu);
	fill(&rows[2], "switches", "count", &c->switches, "against nvcsw + nivcsw: exact");
	fill_births(&rows[3], told, s);
	r->trust.reconcile = rows;
	r->trust.nreconcile = 4;
	r->trust.reconcile_ok = true;
	for (int i = 0; i < 4; i++)
		r->trust.reconcile_ok &= rows[i].ok;
}
