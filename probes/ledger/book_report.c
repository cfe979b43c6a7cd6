/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ledger's part of a report: the ended threads' sums with the living threads added
 * to copies of them.
 */
#include <stdlib.h>
#include <string.h>

#include "book.h"
#include "kernel_btf.h"

/* A process or command while the report is made: its dead part and its living threads. */
struct draft {
	uint32_t proc_id;
	struct process *process;
	const struct command_entry *command;
	struct ledger_sum sum;      /* living threads only */
	struct thread_row *threads; /* of the report */
	size_t nthreads, room;
	uint32_t threads_cut;
	UT_hash_handle hh;
};

struct snapshot {
	struct draft *drafts;
	struct gather *rows;
	struct checks checks; /* ended and living threads */
	size_t living, thread_rows;
};

static const uint32_t (*blocks_of(const struct ledger_book *b))[HIST_BUCKETS]
{
	return (const uint32_t(*)[HIST_BUCKETS])b->blocks;
}

static struct draft *draft_of(struct draft **table, struct process *p)
{
	struct draft *d = NULL;

	HASH_FIND(hh, *table, &p->proc_id, sizeof(p->proc_id), d);
	if (d)
		return d;
	d = calloc(1, sizeof(*d));
	if (!d)
		abort();
	d->proc_id = p->proc_id;
	d->process = p;
	HASH_ADD(hh, *table, proc_id, sizeof(d->proc_id), d);
	return d;
}

static void draft_thread(struct snapshot *snap, struct draft *d, const struct ledger_final *f,
			 const struct ledger_sum *one)
{
	struct thread_row *row;

	if (snap->thread_rows >= THREADS_KEPT) {
		d->threads_cut++;
		return;
	}
	snap->thread_rows++;
	if (d->nthreads == d->room) {
		d->room = d->room ? d->room * 2 : 4;
		d->threads = reallocarray(d->threads, d->room, sizeof(*d->threads));
		if (!d->threads)
			abort();
	}
	row = &d->threads[d->nthreads++];
	memset(row, 0, sizeof(*row));
	row->tid = f->thread.who.tid;
	row->alive = true;
	row->start_ns = f->thread.who.start_ns;
	memcpy(row->comm, f->comm, COMM_LEN);
	sum_account(one, &row->account);
}

static int threads_by_lifetime(const void *a, const void *b)
{
	const struct thread_row *x = a, *y = b;

	if (x->account.lifetime_ns != y->account.lifetime_ns)
		return x->account.lifetime_ns < y->account.lifetime_ns ? 1 : -1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static int processes_by_lifetime(const void *a, const void *b)
{
	const struct process_row *x = a, *y = b;

	if (x->account.lifetime_ns != y->account.lifetime_ns)
		return x->account.lifetime_ns < y->account.lifetime_ns ? 1 : -1;
	return x->proc_id < y->proc_id ? -1 : x->proc_id > y->proc_id;
}

static int commands_by_lifetime(const void *a, const void *b)
{
	const struct command_row *x = a, *y = b;

	if (x->account.lifetime_ns != y->account.lifetime_ns)
		return x->account.lifetime_ns < y->account.lifetime_ns ? 1 : -1;
	return strncmp(x->comm, y->comm, COMM_LEN);
}

static void fill_threads(struct report *r, const struct ledger_process *lp, const struct draft *d,
			 struct process_row *row)
{
	size_t dead = lp ? lp->nthreads : 0, live = d ? d->nthreads : 0;

	row->threads = report_alloc(r, (dead + live + 1) * sizeof(*row->threads));
	if (dead)
		memcpy(row->threads, lp->threads, dead * sizeof(*row->threads));
	if (live)
		memcpy(row->threads + dead, d->threads, live * sizeof(*row->threads));
	row->nthreads = dead + live;
	row->threads_cut = (lp ? lp->threads_cut : 0) + (d ? d->threads_cut : 0);
	if (!row->nthreads && !row->threads_cut && !row->alive) { /* its one thread: all of it */
		struct thread_row *t = &row->threads[row->nthreads++];

		t->tid = row->pid;
		t->start_ns = row->start_ns;
		memcpy(t->comm, row->comm, COMM_LEN);
		t->account = row->account;
	}
	qsort(row->threads, row->nthreads, sizeof(*row->threads), threads_by_lifetime);
}

static void fill_process(struct report *r, const struct process *p, const struct draft *d,
			 struct process_row *row)
{
	const struct ledger_process *lp = p->ledger;

	row->pid = p->pid;
	row->ppid = p->ppid;
	row->proc_id = p->proc_id;
	row->alive = !p->dead;
	row->has_exit = p->dead && p->has_status;
	row->exit_signal = row->has_exit ? p->status & 0x7f : 0;
	row->exit_code = row->has_exit ? (p->status >> 8) & 0xff : 0;
	memcpy(row->comm, p->comm, COMM_LEN);
	row->start_ns = p->start_ns;
	row->end_ns = p->dead ? p->end_ns : 0;
	row->threads_born = p->threads_born;
	row->threads_live = d ? (uint32_t)d->sum.threads : 0;
	if (lp && lp->done && !d) {
		packed_read(lp->done, 0, ACCOUNT_WORDS, (uint64_t *)&row->account);
	} else {
		struct ledger_sum sum = { 0 };

		if (lp && lp->sum)
			sum_add(&sum, lp->sum);
		else if (lp && lp->done)
			book_add_done(&sum, lp->done);
		if (d)
			sum_add(&sum, &d->sum);
		sum_account(&sum, &row->account);
		sum_clear(&sum);
	}
	fill_threads(r, lp, d, row);
}

static void report_processes(struct session *s, struct draft *drafts, struct report *r)
{
	struct ledger_report *l = &r->ledger;
	struct process *p, *next;

	l->processes = report_alloc(r, (HASH_COUNT(s->tree.processes) + 1) * sizeof(*l->processes));
	HASH_ITER(hh, s->tree.processes, p, next) {
		struct draft *d = NULL;

		HASH_FIND(hh, drafts, &p->proc_id, sizeof(p->proc_id), d);
		fill_process(r, p, d, &l->processes[l->nprocesses++]);
	}
	qsort(l->processes, l->nprocesses, sizeof(*l->processes), processes_by_lifetime);
	l->processes_cut = s->tree.cut;
}

static void fill_command(const struct command_entry *c, struct draft *drafts,
			 struct command_row *row)
{
	struct ledger_sum sum = { 0 };
	struct draft *d, *next;

	memcpy(row->comm, c->comm, COMM_LEN);
	row->processes = c->processes;
	sum_add(&sum, &c->sum);
	HASH_ITER(hh, drafts, d, next) {
		if (d->command != c)
			continue;
		row->processes += !d->process->dead;
		sum_add(&sum, &d->sum);
	}
	row->threads = sum.threads;
	sum_account(&sum, &row->account);
	sum_clear(&sum);
}

/* Command names that only living processes have so far get an entry of their own here. */
static void report_commands(struct ledger_book *b, struct draft *drafts, struct report *r)
{
	struct ledger_report *l = &r->ledger;
	struct command_entry *c, *cnext;
	struct draft *d, *dnext;

	HASH_ITER(hh, drafts, d, dnext)
		d->command = book_command(b, d->process->comm);
	l->commands = report_alloc(r, (HASH_COUNT(b->commands) + 1) * sizeof(*l->commands));
	HASH_ITER(hh, b->commands, c, cnext) {
		fill_command(c, drafts, &l->commands[l->ncommands]);
		l->ncommands += l->commands[l->ncommands].threads > 0;
	}
	qsort(l->commands, l->ncommands, sizeof(*l->commands), commands_by_lifetime);
}

/* Threads whose end the ring refused: in the tree's sums only. */
static void add_spill(struct ledger_sum *sum, const struct ledger_spill *spill)
{
	sum->threads += spill->threads;
	sum->lifetime_ns += spill->lifetime_ns;
	sum->switches += spill->switches;
	sum->voluntary += spill->voluntary;
	for (int i = 0; i < LEDGER_STATES; i++)
		stat_merge(&sum->states[i], &spill->states[i]);
}

static void report_tree(struct ledger_book *b, struct draft *drafts, struct report *r)
{
	struct ledger_sum *tree = sum_clone(&b->tree);
	struct draft *d, *next;

	add_spill(tree, &b->spill);
	HASH_ITER(hh, drafts, d, next)
		sum_add(tree, &d->sum);
	for (int i = 0; i < LEDGER_STATES; i++) {
		tree->untold[i] = 0;
		for (int k = 0; k < HIST_BUCKETS; k++)
			if (b->blocks[i][k]) {
				sum_hist_add(tree, i, b->blocks[i]);
				break;
			}
	}
	sum_account(tree, &r->ledger.tree);
	r->ledger.has_stolen = kernel_btf_has_stolen();
	r->ledger.stolen_ns = tree->stolen_ns;
	if (tree->hist[STATE_RUNQUEUE])
		r->ledger.runqueue =
			report_hist(r, tree->hist[STATE_RUNQUEUE], &r->ledger.nrunqueue);
	sum_clear(tree);
	free(tree);
}

void book_begin(struct ledger_book *b)
{
	book_end(b);
	b->snapshot = calloc(1, sizeof(*b->snapshot));
	if (!b->snapshot)
		abort();
	b->snapshot->checks = b->checks;
	b->snapshot->rows = rows_begin(b->rows);
}

void book_live(struct ledger_book *b, struct session *s, struct ledger_final *f)
{
	struct snapshot *snap = b->snapshot;
	struct draft *d = draft_of(&snap->drafts, tree_process(&s->tree, &f->thread.who));
	struct ledger_sum one = { 0 };

	book_reach_thread(b, &f->thread);
	if (f->thread.who.tid == d->process->pid)
		memcpy(d->process->comm, f->comm, COMM_LEN);
	sum_add_thread(&one, f, blocks_of(b));
	sum_add(&d->sum, &one);
	draft_thread(snap, d, f, &one);
	sum_clear(&one);
	check_thread(&snap->checks, f);
	rows_add_live(b->rows, snap->rows, f);
	snap->living++;
}

/*
 * When the ring was full, ends of threads are missing, and their processes would seem to live
 * for ever. The iterator knows better: who has no thread in two reports, or in the last one,
 * is dead.
 */
static void bury(struct ledger_book *b, struct session *s, bool final)
{
	struct process *p, *next;

	if (!session_lost_ends(s))
		return;
	HASH_ITER(hh, s->tree.processes, p, next) {
		struct draft *d = NULL;

		HASH_FIND(hh, b->snapshot->drafts, &p->proc_id, sizeof(p->proc_id), d);
		p->absent = d ? 0 : p->absent + 1;
		if (d && p->dead) { /* it was not, and a draft points to it */
			p->dead = p->presumed = false;
			s->tree.dead--;
		}
		if (p->absent > !final)
			book_presume_dead(b, &s->tree, p);
	}
	tree_trim(&s->tree);
}

void book_report(struct ledger_book *b, struct probe *p, struct report *r)
{
	struct snapshot *snap = b->snapshot;
	struct session *s = p->session;

	bury(b, s, r->final);
	report_processes(s, snap->drafts, r);
	report_commands(b, snap->drafts, r);
	report_tree(b, snap->drafts, r);
	reconcile_fill(&snap->checks,
		       b->tree.threads + b->spill.threads + snap->living +
			       s->counters[COUNTER_UNTOLD_END],
		       b->unsteady, s, r);
	rows_report(b->rows, snap->rows, p, &s->tree, r);
}

void book_end(struct ledger_book *b)
{
	struct draft *d, *next;

	if (!b->snapshot)
		return;
	HASH_ITER(hh, b->snapshot->drafts, d, next) {
		HASH_DEL(b->snapshot->drafts, d);
		sum_clear(&d->sum);
		free(d->threads);
		free(d);
	}
	rows_end(b->snapshot->rows);
	free(b->snapshot);
	b->snapshot = NULL;
}
