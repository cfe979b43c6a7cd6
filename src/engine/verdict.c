/* SPDX-License-Identifier: BSD-2-Clause */
/* The verdict: groups, then sentences. The rules stand in verdict.h. */
#include "verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "states.h"
#include "verdict_probes.h"

#define PARKED_WAIT_NS 10000000ULL /* mean futex wait of a parked thread, at least */
#define WAKERS_READ 64             /* of the longest; the rest cannot decide */
#define SENTENCES 3

enum group_kind { GROUP_CPU, GROUP_QUEUE, GROUP_CAUSE, GROUP_HANDOFF };

struct group {
	enum group_kind kind;
	enum ledger_state state; /* of a cause, a handoff, an idle group */
	uint64_t ns, count;
	bool told;
};

#define MAX_GROUPS (LEDGER_STATES + 2)

struct judge {
	const struct report *r;
	const struct account *tree;
	struct group groups[MAX_GROUPS];
	size_t ngroups;
	uint64_t busy_ns;  /* of groups, without handoff */
	struct group idle; /* the longest idle group */
	uint64_t parked_ns, parked_waits, parked_threads;
	FILE *out;
	int sentences;
	bool told_idle;
	bool said_of_what; /* the first share has named its whole */
};

/* --- groups --- */

static bool is_idle(enum ledger_state s)
{
	return s == STATE_POLL || s == STATE_SLEEP || s == STATE_SIGNAL || s == STATE_TTY ||
	       s == STATE_STOPPED || s == STATE_CHILD;
}

static bool is_parked(const struct account *a)
{
	const struct wait_stat *w = &a->states[STATE_FUTEX];

	return w->count && w->ns >= a->lifetime_ns / 10 * 9 && w->ns / w->count >= PARKED_WAIT_NS;
}

static void find_parked(struct judge *j)
{
	const struct ledger_report *l = &j->r->ledger;

	for (size_t i = 0; i < l->nprocesses; i++) {
		const struct process_row *p = &l->processes[i];

		for (size_t k = 0; k < p->nthreads; k++) {
			if (!is_parked(&p->threads[k].account))
				continue;
			j->parked_ns += p->threads[k].account.states[STATE_FUTEX].ns;
			j->parked_waits += p->threads[k].account.states[STATE_FUTEX].count;
			j->parked_threads++;
		}
	}
	if (j->parked_ns > j->tree->states[STATE_FUTEX].ns)
		j->parked_ns = j->tree->states[STATE_FUTEX].ns;
}

static bool is_ours(const struct report *r, uint32_t tid)
{
	for (size_t i = 0; i < r->ledger.nprocesses; i++) {
		const struct process_row *p = &r->ledger.processes[i];

		if (p->pid == tid)
			return true;
		for (size_t k = 0; k < p->nthreads; k++)
			if (p->threads[k].tid == tid)
				return true;
	}
	return false;
}

/* Time and number of the waits in `state` that a thread of the target ended. */
static struct group find_handoff(const struct report *r, enum ledger_state state)
{
	const struct wait_stat *all = &r->ledger.tree.states[state];
	struct group g = { .kind = GROUP_HANDOFF, .state = state };

	for (size_t i = 0; i < r->ledger.nwakers && i < WAKERS_READ; i++) {
		const struct waker_row *w = &r->ledger.wakers[i];

		if (w->state != state || !w->waker_tid || !is_ours(r, w->waker_tid))
			continue;
		g.ns += w->ns;
		g.count += w->count;
	}
	g.ns = g.ns < all->ns ? g.ns : all->ns;
	g.count = g.count < all->count ? g.count : all->count;
	return g;
}

static void add_group(struct judge *j, struct group g)
{
	if (!g.ns)
		return;
	j->groups[j->ngroups++] = g;
	if (g.kind != GROUP_HANDOFF)
		j->busy_ns += g.ns;
}

static void offer_idle(struct judge *j, enum ledger_state state, uint64_t ns, uint64_t count)
{
	/* a child's life is told by the child: only when there is nothing else */
	bool better = ns > j->idle.ns;

	if (j->idle.ns && (state == STATE_CHILD) != (j->idle.state == STATE_CHILD))
		better = j->idle.state == STATE_CHILD;
	if (ns && better)
		j->idle = (struct group){ .state = state, .ns = ns, .count = count };
}

static void add_cause(struct judge *j, enum ledger_state s)
{
	const struct wait_stat *w = &j->tree->states[s];
	struct group g = { .kind = GROUP_CAUSE, .state = s, .ns = w->ns, .count = w->count };

	if (s == STATE_FUTEX) {
		find_parked(j);
		g.ns -= j->parked_ns;
		g.count -= j->parked_waits < g.count ? j->parked_waits : g.count;
		offer_idle(j, STATE_FUTEX, j->parked_ns, j->parked_threads);
	} else if (s == STATE_PIPE || s == STATE_SOCKET) {
		struct group handoff = find_handoff(j->r, s);

		g.ns -= handoff.ns;
		g.count -= handoff.count;
		add_group(j, handoff);
	}
	add_group(j, g);
}

static int by_time(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : (int)x->kind - (int)y->kind;
}

static void make_groups(struct judge *j)
{
	const struct wait_stat *s = j->tree->states;

	add_group(j, (struct group){ .kind = GROUP_CPU, .ns = s[STATE_ON_CPU].ns });
	add_group(j, (struct group){ .kind = GROUP_QUEUE,
				     .ns = s[STATE_RUNQUEUE].ns + s[STATE_PREEMPTED].ns });
	for (enum ledger_state c = STATE_BLOCKED; c < LEDGER_STATES; c++) {
		if (is_idle(c))
			offer_idle(j, c, s[c].ns, s[c].count);
		else
			add_cause(j, c);
	}
	qsort(j->groups, j->ngroups, sizeof(*j->groups), by_time);
}

/* --- words --- */

static const char *const waiting_for[LEDGER_STATES] = {
	[STATE_DISK] = "the disk",
	[STATE_PAGE_FAULT] = "page faults",
	[STATE_FUTEX] = "locks (futex)",
	[STATE_PIPE] = "pipes",
	[STATE_SOCKET] = "sockets",
	[STATE_IPC] = "System V or POSIX queues and semaphores",
	[STATE_IO_URING] = "io_uring completions",
	[STATE_KERNEL_LOCK] = "locks inside the kernel",
	[STATE_OTHER] = "something without a class of its own",
};

static const char *const idle_words[LEDGER_STATES] = {
	[STATE_FUTEX] = "parked on a futex as threads without work are",
	[STATE_POLL] = "waiting for events in poll",
	[STATE_SLEEP] = "sleeping",
	[STATE_CHILD] = "waiting for children",
	[STATE_SIGNAL] = "waiting for a signal",
	[STATE_TTY] = "waiting for the terminal",
	[STATE_STOPPED] = "stopped",
};

static void put_duration(FILE *f, uint64_t ns)
{
	char buf[FORMAT_LEN];

	fputs(format_duration(buf, ns, false), f);
}

static void put_count(FILE *f, uint64_t n)
{
	char buf[FORMAT_LEN];

	fputs(format_count(buf, n), f);
}

static void put_share(FILE *f, uint64_t part, uint64_t whole)
{
	char buf[FORMAT_LEN];

	fputs(format_share(buf, part, whole), f);
}

/* "91.2 % of 12.3 s of busy thread time"; only the first says of what. */
static void put_of_busy(struct judge *j, uint64_t ns)
{
	put_share(j->out, ns, j->busy_ns);
	if (j->said_of_what)
		return;
	j->said_of_what = true;
	fputs(" of ", j->out);
	put_duration(j->out, j->busy_ns);
	fprintf(j->out, " of busy%s time", j->r->threads_born > 1 ? " thread" : "");
}

static void begin_sentence(struct judge *j)
{
	if (j->sentences++)
		fputc(' ', j->out);
}

static void tell_cpu(struct judge *j, const struct group *g)
{
	uint64_t split = j->tree->user_ns + j->tree->system_ns;
	/* who is idle for most of the time is not bound by the CPU */
	bool bound = g->ns >= j->busy_ns / 2 && !j->told_idle;

	fputs(bound ? "CPU-bound: " : "On a CPU: ", j->out);
	put_of_busy(j, g->ns);
	if (bound)
		fputs(" was on a CPU", j->out);
	if (split && g->ns >= SPLIT_MIN_NS) {
		fputs(" (", j->out);
		put_share(j->out, j->tree->user_ns, split);
		fputs(" of that user code, ", j->out);
		put_share(j->out, j->tree->system_ns, split);
		fputs(" kernel)", j->out);
	}
	verdict_code(j->out, j->r, STATE_ON_CPU);
}

static void tell_queue(struct judge *j, const struct group *g)
{
	double runnable = (double)(j->tree->states[STATE_ON_CPU].ns + g->ns);
	double wanted = j->r->wall_ns ? runnable / (double)j->r->wall_ns : 0;

	fputs("Waiting for a CPU: ", j->out);
	put_of_busy(j, g->ns);
	/* an average over the run says nothing of moments: only a machine that is full is told */
	if (!j->r->cpus || wanted <= 0.9 * j->r->cpus)
		return;
	fprintf(j->out,
		"; on average %.1f of its threads wanted to run, and the machine has %u CPU%s",
		wanted, j->r->cpus, j->r->cpus == 1 ? "" : "s");
}

/* The thread that ended most of the time waited in `state`: "; most of it ended by …". */
static void tell_waker(struct judge *j, enum ledger_state state)
{
	const struct waker_row *rows = j->r->ledger.wakers, *best = NULL;
	size_t n = j->r->ledger.nwakers < WAKERS_READ ? j->r->ledger.nwakers : WAKERS_READ;
	uint64_t all = 0, best_ns = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t ns = 0;

		if (rows[i].state != state)
			continue;
		all += rows[i].ns;
		for (size_t k = 0; k < n; k++)
			if (rows[k].state == state && rows[k].waker_tid == rows[i].waker_tid)
				ns += rows[k].ns;
		if (rows[i].waker_tid && ns > best_ns) {
			best = &rows[i];
			best_ns = ns;
		}
	}
	if (!best || best_ns < all / 5)
		return;
	fprintf(j->out, ", woken most by %.*s (thread %u)", COMM_LEN, best->waker_comm,
		best->waker_tid);
}

static void tell_object(struct judge *j, const struct group *g)
{
	enum ledger_state state = g->state;
	/* an object's time is not told apart by handoff, but what is larger is a parking place */
	uint64_t all = state == STATE_FUTEX ? g->ns : j->tree->states[state].ns;

	for (size_t i = 0; i < j->r->ledger.nobjects; i++) {
		const struct object_row *o = &j->r->ledger.objects[i];

		if (o->state != state || !o->name || o->ns > all)
			continue;
		if (o->ns < all / 5)
			return;
		fputs("; ", j->out);
		put_share(j->out, o->ns, all);
		fprintf(j->out, " of it on %s (%.*s %u)", o->name, COMM_LEN, o->comm, o->pid);
		return; /* they come by time: the first is the top one */
	}
}

static void tell_waits(struct judge *j, const struct group *g)
{
	if (g->count) {
		fputs(", ", j->out);
		put_count(j->out, g->count);
		fputs(g->count == 1 ? " wait of " : " waits of ", j->out);
		put_duration(j->out, g->ns / g->count);
		fputs(g->count == 1 ? "" : " on average", j->out);
	}
	tell_object(j, g);
}

static void tell_cause(struct judge *j, const struct group *g)
{
	fprintf(j->out, "Waiting for %s: ", waiting_for[g->state]);
	put_of_busy(j, g->ns);
	if (g->state != STATE_DISK || !verdict_syncs(j->out, j->r, g->ns))
		tell_waits(j, g);
	/* the stacks do not tell parked threads and handoffs apart */
	if (g->ns / 9 >= j->tree->states[g->state].ns / 10)
		verdict_code(j->out, j->r, g->state);
	if (g->state == STATE_SOCKET)
		verdict_network(j->out, j->r);
	if (g->state == STATE_DISK || g->state == STATE_PAGE_FAULT)
		verdict_swap(j->out, j->r);
	if (g->state == STATE_KERNEL_LOCK)
		verdict_kernel_locks(j->out, j->r);
	if (g->state == STATE_FUTEX)
		tell_waker(j, g->state);
}

static void tell_handoff(struct judge *j, const struct group *g)
{
	fprintf(j->out, "Its own threads waited for each other over %s for ",
		waiting_for[g->state]);
	put_share(j->out, g->ns, j->tree->lifetime_ns);
	fputs(" of all thread time", j->out);
	if (!g->count)
		return;
	fputs(", ", j->out);
	put_count(j->out, g->count);
	fputs(g->count == 1 ? " time for " : " times for ", j->out);
	put_duration(j->out, g->ns / g->count);
	fputs(g->count == 1 ? "" : " on average", j->out);
}

static void tell(struct judge *j, struct group *g)
{
	if (g->told || j->sentences == SENTENCES)
		return;
	begin_sentence(j);
	switch (g->kind) {
	case GROUP_CPU:
		tell_cpu(j, g);
		break;
	case GROUP_QUEUE:
		tell_queue(j, g);
		break;
	case GROUP_CAUSE:
		tell_cause(j, g);
		break;
	case GROUP_HANDOFF:
		tell_handoff(j, g);
		break;
	}
	fputc('.', j->out);
	g->told = true;
}

static void tell_idle(struct judge *j)
{
	const struct group *g = &j->idle;

	begin_sentence(j);
	j->told_idle = true;
	fputs("Mostly idle: busy for at most ", j->out);
	put_share(j->out, j->busy_ns, j->r->wall_ns);
	fputs(" of ", j->out);
	put_duration(j->out, j->r->wall_ns);
	fprintf(j->out, "; most of all it was %s (", idle_words[g->state]);
	put_duration(j->out, g->ns);
	fputs(" of thread time", j->out);
	if (g->state == STATE_FUTEX)
		fprintf(j->out, " in %llu thread%s", (unsigned long long)g->count,
			g->count == 1 ? "" : "s");
	fputs(")", j->out);
	verdict_code(j->out, j->r, g->state);
	fputc('.', j->out);
}

static bool is_large(const struct judge *j, const struct group *g)
{
	if (g->kind == GROUP_HANDOFF)
		return g->ns >= j->tree->lifetime_ns / 5;
	return g->ns >= j->busy_ns / 5 || (g->kind == GROUP_QUEUE && g->ns >= j->busy_ns / 10);
}

char *verdict_make(struct report *r)
{
	struct judge j = { .r = r, .tree = &r->ledger.tree };
	char *text = NULL, *kept;
	size_t size = 0;
	bool hung;

	if (!r->ledger.present || !j.tree->lifetime_ns)
		return NULL;
	j.out = open_memstream(&text, &size);
	if (!j.out)
		return NULL;
	make_groups(&j);
	hung = verdict_deadlock(j.out, r);
	j.sentences += hung;
	j.sentences += verdict_oom(j.out, r, hung ? " " : "");
	if (!hung && j.busy_ns < r->wall_ns / 2 && j.idle.ns)
		tell_idle(&j); /* who is in a deadlock is not idle */
	for (size_t i = 0; i < j.ngroups && j.busy_ns >= r->wall_ns / 200; i++) {
		if (j.groups[i].kind == GROUP_HANDOFF)
			continue;
		tell(&j, &j.groups[i]);
		break;
	}
	for (size_t i = 0; i < j.ngroups && j.busy_ns >= r->wall_ns / 200; i++)
		if (is_large(&j, &j.groups[i]))
			tell(&j, &j.groups[i]);
	verdict_throttled(j.out, r, j.sentences ? " " : "");
	verdict_reclaim(j.out, r, j.sentences ? " " : "");
	fclose(j.out);
	kept = text && *text ? report_printf(r, "%s", text) : NULL;
	free(text);
	return kept;
}
