/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes in ended threads; see book.h. The report is made in book_report.c. */
#include "book.h"

#include <stdlib.h>
#include <string.h>

/* ---- reconciliation: ours against the kernel's own counts, thread by thread ---- */

#define RESIDUAL_MAX_NS 5000
#define ON_CPU_MAX_NS 50000

/* The kernel may have counted up to `more` more than we, for a reason that is known. */
static void check_add(struct check *c, uint64_t ours, uint64_t kernel, int64_t bound, uint64_t more)
{
	int64_t d = (int64_t)(ours - kernel), size = d < 0 ? -d : d;

	c->ours += ours;
	c->kernel += kernel;
	c->checked++;
	c->broken += d > bound || d + (int64_t)more < -bound;
	if (size > (c->worst < 0 ? -c->worst : c->worst))
		c->worst = d;
}

/*
 * The stays on a CPU by the kernel's own clock against what it charged. Ours, by
 * CLOCK_MONOTONIC, differ from those by what is known: stolen time, and its clock not being
 * read anew at each switch (rq_clock_skip_update: after a wakeup that asks for a reschedule
 * it charges from the wakeup on). present: of a run that still goes on it has counted some.
 */
static void check_on_cpu(struct check *c, const struct ledger_final *f, uint64_t present)
{
	const struct ledger_thread *t = &f->thread;
	uint64_t ours = t->states[STATE_ON_CPU].ns;
	int64_t bound = (int64_t)(f->exec_ns / 100);

	check_add(c, t->clock_ns, f->exec_ns, bound > ON_CPU_MAX_NS ? bound : ON_CPU_MAX_NS,
		  present);
	c->ours += ours - t->clock_ns;
	c->explained += (int64_t)(ours - t->clock_ns);
	c->high += t->stolen_ns;
	c->low += t->states[STATE_RUNQUEUE].ns + t->states[STATE_PREEMPTED].ns;
}

void check_thread(struct checks *c, const struct ledger_final *f)
{
	const struct ledger_thread *t = &f->thread;
	bool running = f->alive && t->state == STATE_ON_CPU;
	/* found perhaps in the middle of a switch, of which the kernel had counted its part */
	int64_t found = t->who.flags & TARGET_RUNNING ? 1 : 0;
	uint64_t present = f->alive && f->now_ns > t->since_ns ? f->now_ns - t->since_ns : 0;
	uint64_t sum = present;

	for (int i = 0; i < LEDGER_STATES; i++)
		sum += t->states[i].ns;
	check_add(&c->lifetime, sum, f->now_ns - ledger_begin(&t->who), RESIDUAL_MAX_NS, 0);
	check_on_cpu(&c->on_cpu, f, running ? present : 0);
	if (!running) /* one that runs may be on its way off, counted by one side already */
		check_add(&c->switches, t->switches, f->kernel_switches, found, 0);
}

/* ---- ended threads ---- */

bool book_reach(struct ledger_book *b, uint32_t block)
{
	if (block >= b->nblocks)
		return false;
	map_window_reach(&b->hists, (block + 1) * sizeof(*b->blocks));
	return true;
}

void book_reach_thread(struct ledger_book *b, struct ledger_thread *t)
{
	for (int i = 0; i < LEDGER_STATES; i++)
		if (t->hist[i] < HIST_UNASKED && !book_reach(b, t->hist[i]))
			t->hist[i] = HIST_NONE;
}

static void ledger_process_free(void *data)
{
	struct ledger_process *lp = data;

	if (!lp)
		return;
	*lp->threads_held -= lp->nthreads;
	if (lp->sum)
		sum_clear(lp->sum);
	free(lp->sum);
	free(lp->threads);
	free(lp->done);
	free(lp);
}

static struct ledger_process *process_part(struct ledger_book *b, struct process *p)
{
	struct ledger_process *lp = p->ledger;

	if (lp)
		return lp;
	lp = calloc(1, sizeof(*lp));
	if (!lp)
		abort();
	lp->threads_held = &b->threads_held;
	p->ledger = lp;
	p->free_ledger = ledger_process_free;
	return lp;
}

struct command_entry *book_command(struct ledger_book *b, const char comm[COMM_LEN])
{
	static const char other[COMM_LEN] = "(other)";
	struct command_entry *c = NULL;

	HASH_FIND(hh, b->commands, comm, COMM_LEN, c);
	if (c)
		return c;
	if (HASH_COUNT(b->commands) >= COMMANDS_KEPT && comm != other)
		return book_command(b, other);
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	memcpy(c->comm, comm, COMM_LEN);
	HASH_ADD(hh, b->commands, comm, COMM_LEN, c);
	return c;
}

static void keep_thread(struct ledger_book *b, struct ledger_process *lp,
			const struct ledger_final *f, const struct ledger_sum *one)
{
	struct thread_row *row;

	if (b->threads_held >= THREADS_KEPT) {
		lp->threads_cut++;
		return;
	}
	if (!(lp->nthreads & (lp->nthreads - 1))) { /* room doubles at each power of two */
		size_t room = lp->nthreads ? lp->nthreads * 2 : 1;

		lp->threads = reallocarray(lp->threads, room, sizeof(*lp->threads));
		if (!lp->threads)
			abort();
	}
	row = &lp->threads[lp->nthreads++];
	b->threads_held++;
	memset(row, 0, sizeof(*row));
	row->tid = f->thread.who.tid;
	row->start_ns = f->thread.who.start_ns;
	memcpy(row->comm, f->comm, COMM_LEN);
	sum_account(one, &row->account);
}

void book_add_done(struct ledger_sum *sum, const struct packed *done)
{
	struct account a;

	packed_read(done, 0, ACCOUNT_WORDS, (uint64_t *)&a);
	sum_add_account(sum, &a);
}

/* The sum of a process's dead threads; of one that was done already, made of its account. */
static struct ledger_sum *process_sum(struct ledger_process *lp)
{
	if (lp->sum)
		return lp->sum;
	lp->sum = calloc(1, sizeof(*lp->sum));
	if (!lp->sum)
		abort();
	if (lp->done) /* this end came after the others had been told */
		book_add_done(lp->sum, lp->done);
	free(lp->done);
	lp->done = NULL;
	return lp->sum;
}

/* A dead process needs its percentiles only, not the buckets they came from. */
static void process_done(struct ledger_process *lp)
{
	struct account a = { 0 };

	sum_account(lp->sum, &a);
	lp->done = packed_new((uint64_t *)&a, ACCOUNT_WORDS);
	if (!lp->done)
		abort();
	sum_clear(lp->sum);
	free(lp->sum);
	lp->sum = NULL;
}

void book_final(struct ledger_book *b, struct tree *tree, const struct ledger_final *f)
{
	struct process *p = tree_process(tree, &f->thread.who);
	struct ledger_process *lp = process_part(b, p);
	const uint32_t(*blocks)[HIST_BUCKETS] = (const uint32_t(*)[HIST_BUCKETS])b->blocks;
	struct command_entry *c = book_command(b, p->comm);
	struct ledger_sum one = { 0 };

	sum_add_thread(&one, f, blocks);
	sum_add(&b->tree, &one);
	sum_add(&c->sum, &one);
	sum_add(process_sum(lp), &one);
	if (p->threads_born > 1)
		keep_thread(b, lp, f, &one);
	sum_clear(&one);
	check_thread(&b->checks, f);
	rows_add_thread(b->rows, f);
	if (tree_thread_ended(tree, p, f->now_ns)) {
		c->processes++;
		process_done(lp);
	}
}

void book_presume_dead(struct ledger_book *b, struct tree *tree, struct process *p)
{
	struct ledger_process *lp = p->ledger;

	if (!tree_presume_dead(tree, p, session_clock()))
		return;
	book_command(b, p->comm)->processes++;
	if (lp && lp->sum)
		process_done(lp);
}

void book_free(struct ledger_book *b)
{
	struct command_entry *c, *next;

	HASH_ITER(hh, b->commands, c, next) {
		HASH_DEL(b->commands, c);
		sum_clear(&c->sum);
		free(c);
	}
	sum_clear(&b->tree);
	rows_free(b->rows);
	cpu_time_close(&b->cpu_time);
	book_end(b);
	free(b);
}
