/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Totals come from the tree's account, threads from the rows that the report still has; a
 * thread without a row (threads_cut) is in the totals only.
 */
#include "offcpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "states.h"

#define DOMINANT 50.0 /* percent of blocked time that names the bottleneck */
#define NOTABLE 10.0

/* --- shape --- */

static const struct shape thread_stats_shape[] = {
	SHAPE_IS(U32, offcpu_thread, tid, UNIT_NONE, INFO, "thread ID"),
	SHAPE_IS(U64, offcpu_thread, total_time_ns, UNIT_NS, COUNTER, "time off the CPU"),
	SHAPE_IS(U64, offcpu_thread, count, UNIT_COUNT, COUNTER, "stays"),
	SHAPE_IS(U64, offcpu_thread, avg_time_ns, UNIT_NS, GAUGE, "mean stay"),
	SHAPE_IS(U64, offcpu_thread, max_time_ns, UNIT_NS, GAUGE, "longest stay"),
	SHAPE_IS(U64, offcpu_thread, min_time_ns, UNIT_NS, GAUGE, "shortest stay"),
	{}
};

static const struct shape top_shape[] = {
	SHAPE_IS(U32, offcpu_thread, tid, UNIT_NONE, INFO, "thread ID"),
	SHAPE_IS(U32, offcpu_thread, pid, UNIT_NONE, INFO, "process ID"),
	SHAPE_IS(F64, offcpu_thread, time_ms, UNIT_MS, COUNTER, "time off the CPU"),
	SHAPE_IS(F64, offcpu_thread, percentage, UNIT_PERCENT, GAUGE,
		 "its share of all time off the CPU, two decimals"),
	{}
};

static const char *thread_key(const void *row, size_t i)
{
	(void)i;
	return ((const struct offcpu_thread *)row)->key;
}

const struct shape offcpu_shape[] = {
	SHAPE_IS(U64, offcpu, total_time_ns, UNIT_NS, COUNTER,
		 "time off the CPU: every state of the ledger but on_cpu"),
	SHAPE_IS(U64, offcpu, total_events, UNIT_COUNT, COUNTER,
		 "stays off the CPU; a block and the wait for a CPU after it are two"),
	SHAPE_IS(U64, offcpu, avg_time_ns, UNIT_NS, GAUGE, "mean stay"),
	SHAPE_IS(U64, offcpu, max_time_ns, UNIT_NS, GAUGE, "longest stay"),
	SHAPE_IS(U64, offcpu, min_time_ns, UNIT_NS, GAUGE, "shortest stay"),
	SHAPE_KEYED("thread_stats", offcpu, threads, nthreads, thread_key, thread_stats_shape,
		    "by PID:TID, the threads with the most time"),
	SHAPE_ROWS("top_blocking_threads", offcpu, threads, ntop, top_shape,
		   "at most ten, by time off the CPU"),
	{ .key = "bottlenecks",
	  .type = SHAPE_STRS,
	  .inline_array = true,
	  .offset = offsetof(struct offcpu, bottlenecks),
	  .count_offset = offsetof(struct offcpu, nbottlenecks),
	  .help = "the states with most of the time off the CPU, in words" },
	SHAPE_IS(STR, offcpu, bottleneck_type, UNIT_NONE, INFO,
		 "io_blocked, lock_contention, sleep, mixed or unknown"),
	SHAPE_IS(F64, offcpu, io_wait_percentage, UNIT_PERCENT, GAUGE,
		 "of all time off the CPU: disk, page_fault, pipe, socket, tty, io_uring"),
	SHAPE_IS(F64, offcpu, lock_contention_percentage, UNIT_PERCENT, GAUGE,
		 "of all time off the CPU: futex, kernel_lock, ipc"),
	SHAPE_IS(F64, offcpu, sleep_percentage, UNIT_PERCENT, GAUGE,
		 "of all time off the CPU: sleep, poll, signal, child"),
	{ .key = "optimization_hints",
	  .type = SHAPE_STRS,
	  .inline_array = true,
	  .offset = offsetof(struct offcpu, hints),
	  .count_offset = offsetof(struct offcpu, nhints),
	  .help = "what to look at first" },
	{}
};

/* --- figures --- */

struct sum {
	uint64_t ns, count, max_ns, min_ns;
};

static struct sum off_cpu(const struct account *a)
{
	struct sum s = {};

	for (int i = 0; i < LEDGER_STATES; i++) {
		const struct wait_stat *w = &a->states[i];

		if (i == STATE_ON_CPU || !w->count)
			continue;
		if (!s.count || w->min_ns < s.min_ns)
			s.min_ns = w->min_ns;
		if (w->max_ns > s.max_ns)
			s.max_ns = w->max_ns;
		s.ns += w->ns;
		s.count += w->count;
	}
	return s;
}

static void thread_add(struct offcpu_thread *t, const struct process_row *p,
		       const struct thread_row *row)
{
	struct sum s = off_cpu(&row->account);

	t->pid = p->pid;
	t->tid = row->tid;
	t->total_time_ns = s.ns;
	t->count = s.count;
	t->max_time_ns = s.max_ns;
	t->min_time_ns = s.min_ns;
}

static int by_id(const void *a, const void *b)
{
	const struct offcpu_thread *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->tid > y->tid) - (x->tid < y->tid);
}

static int by_time(const void *a, const void *b)
{
	const struct offcpu_thread *x = a, *y = b;

	if (x->total_time_ns != y->total_time_ns)
		return x->total_time_ns > y->total_time_ns ? -1 : 1;
	return by_id(a, b);
}

/* denet's key is PID:TID, which the kernel may use again: such rows become one. */
static size_t merge_same(struct offcpu_thread *t, size_t n)
{
	size_t kept = 0;

	qsort(t, n, sizeof(*t), by_id);
	for (size_t i = 0; i < n; i++) {
		struct offcpu_thread *to = kept ? &t[kept - 1] : NULL;

		if (!to || by_id(to, &t[i])) {
			t[kept++] = t[i];
			continue;
		}
		if (t[i].count && (!to->count || t[i].min_time_ns < to->min_time_ns))
			to->min_time_ns = t[i].min_time_ns;
		if (t[i].max_time_ns > to->max_time_ns)
			to->max_time_ns = t[i].max_time_ns;
		to->total_time_ns += t[i].total_time_ns;
		to->count += t[i].count;
	}
	return kept;
}

static double two_decimals(double v)
{
	return (double)(uint64_t)(v * 100 + 0.5) / 100;
}

static void add_threads(struct offcpu *o, const struct ledger_report *l)
{
	size_t n = 0, at = 0;

	for (size_t i = 0; i < l->nprocesses; i++)
		n += l->processes[i].nthreads;
	o->threads = n ? calloc(n, sizeof(*o->threads)) : NULL;
	if (!o->threads)
		return;
	for (size_t i = 0; i < l->nprocesses; i++)
		for (size_t k = 0; k < l->processes[i].nthreads; k++)
			thread_add(&o->threads[at++], &l->processes[i],
				   &l->processes[i].threads[k]);
	n = merge_same(o->threads, n);
	qsort(o->threads, n, sizeof(*o->threads), by_time);
	o->nthreads = n < OFFCPU_THREADS ? n : OFFCPU_THREADS;
	o->ntop = n < OFFCPU_TOP ? n : OFFCPU_TOP;
	for (size_t i = 0; i < o->nthreads; i++) {
		struct offcpu_thread *t = &o->threads[i];

		snprintf(t->key, sizeof(t->key), "%u:%u", t->pid, t->tid);
		t->avg_time_ns = t->count ? t->total_time_ns / t->count : 0;
		t->time_ms = (double)t->total_time_ns / 1e6;
		if (o->total_time_ns)
			t->percentage = two_decimals(100.0 * (double)t->total_time_ns /
						     (double)o->total_time_ns);
	}
}

/* --- the analysis that denet named and never filled --- */

static double share(const struct offcpu *o, const struct account *a, const int *states, size_t n)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < n; i++)
		ns += a->states[states[i]].ns;
	return o->total_time_ns ? 100.0 * (double)ns / (double)o->total_time_ns : 0;
}

static void classify(struct offcpu *o, const struct account *a)
{
	static const int io[] = { STATE_DISK,   STATE_PAGE_FAULT, STATE_PIPE,
				  STATE_SOCKET, STATE_TTY,        STATE_IO_URING };
	static const int lock[] = { STATE_FUTEX, STATE_KERNEL_LOCK, STATE_IPC };
	static const int sleep[] = { STATE_SLEEP, STATE_POLL, STATE_SIGNAL, STATE_CHILD };
	static const int cpu[] = { STATE_RUNQUEUE, STATE_PREEMPTED };
	double wait = share(o, a, cpu, 2);

	o->io_wait_percentage = share(o, a, io, 6);
	o->lock_contention_percentage = share(o, a, lock, 3);
	o->sleep_percentage = share(o, a, sleep, 4);
	if (!o->total_time_ns)
		o->bottleneck_type = "unknown";
	else if (o->io_wait_percentage > DOMINANT)
		o->bottleneck_type = "io_blocked";
	else if (o->lock_contention_percentage > DOMINANT)
		o->bottleneck_type = "lock_contention";
	else if (o->sleep_percentage > DOMINANT)
		o->bottleneck_type = "sleep";
	else
		o->bottleneck_type = "mixed";
	if (o->io_wait_percentage > DOMINANT)
		o->hints[o->nhints++] = "look at the files, pipes and sockets under ledger.objects";
	if (o->lock_contention_percentage > NOTABLE)
		o->hints[o->nhints++] =
			"look at the futexes under ledger.objects and who ends the waits "
			"under ledger.wakers";
	if (wait > NOTABLE)
		o->hints[o->nhints++] = "threads wait for a CPU: fewer of them, or more CPUs";
}

static void name_bottlenecks(struct offcpu *o, const struct account *a)
{
	bool told[LEDGER_STATES] = {};

	while (o->nbottlenecks < 3) {
		int most = -1;
		double percent;

		for (int i = STATE_ON_CPU + 1; i < LEDGER_STATES; i++)
			if (!told[i] && (most < 0 || a->states[i].ns > a->states[most].ns))
				most = i;
		percent = 100.0 * (double)a->states[most].ns / (double)o->total_time_ns;
		if (!(percent >= NOTABLE))
			return;
		told[most] = true;
		snprintf(o->lines[o->nbottlenecks], sizeof(o->lines[0]),
			 "%s: %.1f %% of the time off the CPU (%s)", ledger_state_names[most],
			 percent, ledger_state_help[most]);
		o->bottlenecks[o->nbottlenecks] = o->lines[o->nbottlenecks];
		o->nbottlenecks++;
	}
}

void offcpu_make(struct offcpu *o, const struct report *r)
{
	const struct account *a = &r->ledger.tree;
	struct sum s = off_cpu(a);

	memset(o, 0, sizeof(*o));
	o->total_time_ns = s.ns;
	o->total_events = s.count;
	o->avg_time_ns = s.count ? s.ns / s.count : 0;
	o->max_time_ns = s.max_ns;
	o->min_time_ns = s.min_ns;
	add_threads(o, &r->ledger);
	classify(o, a);
	name_bottlenecks(o, a);
}

void offcpu_release(struct offcpu *o)
{
	free(o->threads);
	memset(o, 0, sizeof(*o));
}
