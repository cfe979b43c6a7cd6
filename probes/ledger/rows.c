/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects and wakers; see rows.h. The report is made in rows_report.c. */
#include "rows_private.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "harvest.h"
#include "map_sweep.h"
#include "session.h"

struct rows *rows_new(void)
{
	struct rows *rows = calloc(1, sizeof(*rows));

	if (!rows)
		abort();
	rows->other.room = ROWS_KEPT;
	return rows;
}

static void objects_free(struct object_entry *table)
{
	struct object_entry *e, *next;

	HASH_ITER(hh, table, e, next) {
		HASH_DEL(table, e);
		free(e);
	}
}

static void wakers_free(struct waker_entry *table)
{
	struct waker_entry *e, *next;

	HASH_ITER(hh, table, e, next) {
		HASH_DEL(table, e);
		free(e);
	}
}

void rows_free(struct rows *rows)
{
	struct ident *i, *next;

	if (!rows)
		return;
	objects_free(rows->objects);
	wakers_free(rows->wakers);
	HASH_ITER(hh, rows->idents, i, next) {
		HASH_DEL(rows->idents, i);
		free(i);
	}
	free(rows);
}

int rows_objects_by_ns(struct object_entry *a, struct object_entry *b)
{
	return a->stat.ns > b->stat.ns ? -1 : a->stat.ns < b->stat.ns;
}

int rows_wakers_by_ns(struct waker_entry *a, struct waker_entry *b)
{
	return a->sum.ns > b->sum.ns ? -1 : a->sum.ns < b->sum.ns;
}

/* A full table keeps its larger half, so what comes late and is large finds its place. */
static void fold_objects(struct object_entry **table, struct folded *other)
{
	struct object_entry *e, *next;
	unsigned int n = 0;

	HASH_SORT(*table, rows_objects_by_ns);
	HASH_ITER(hh, *table, e, next) {
		if (n++ < other->room / 2)
			continue;
		stat_merge(&other->sum.objects, &e->stat);
		other->objects++;
		HASH_DEL(*table, e);
		free(e);
	}
}

static void fold_wakers(struct waker_entry **table, struct folded *other)
{
	struct waker_entry *e, *next;
	unsigned int n = 0;

	HASH_SORT(*table, rows_wakers_by_ns);
	HASH_ITER(hh, *table, e, next) {
		if (n++ < other->room / 2)
			continue;
		other->sum.wakers.count += e->sum.count;
		other->sum.wakers.ns += e->sum.ns;
		other->wakers++;
		HASH_DEL(*table, e);
		free(e);
	}
}

void rows_object_add(struct object_entry **table, const struct object_key *key,
		     const struct ledger_stat *stat, struct folded *other)
{
	struct object_entry *e = NULL;

	if (!stat->count)
		return;
	HASH_FIND(hh, *table, key, sizeof(*key), e);
	if (!e) {
		if (HASH_COUNT(*table) >= other->room)
			fold_objects(table, other);
		e = calloc(1, sizeof(*e));
		if (!e)
			abort();
		e->key = *key;
		HASH_ADD(hh, *table, key, sizeof(e->key), e);
	}
	stat_merge(&e->stat, stat);
}

void rows_waker_add(struct waker_entry **table, const struct waker_key *key, uint64_t count,
		    uint64_t ns, struct folded *other)
{
	struct waker_entry *e = NULL;

	if (!count)
		return;
	HASH_FIND(hh, *table, key, sizeof(*key), e);
	if (!e) {
		if (HASH_COUNT(*table) >= other->room)
			fold_wakers(table, other);
		e = calloc(1, sizeof(*e));
		if (!e)
			abort();
		e->key = *key;
		HASH_ADD(hh, *table, key, sizeof(e->key), e);
	}
	e->sum.count += count;
	e->sum.ns += ns;
}

static void ident_add(struct ident **table, const struct ledger_final *f)
{
	const struct target *who = &f->thread.who;
	struct ident *i = NULL;

	HASH_FIND(hh, *table, &who->thread_id, sizeof(who->thread_id), i);
	if (!i) {
		if (HASH_COUNT(*table) >= IDENTS_KEPT) { /* the head is the oldest */
			struct ident *oldest = *table;

			HASH_DEL(*table, oldest);
			free(oldest);
		}
		i = calloc(1, sizeof(*i));
		if (!i)
			abort();
		i->thread_id = who->thread_id;
		HASH_ADD(hh, *table, thread_id, sizeof(i->thread_id), i);
	}
	i->proc_id = who->proc_id;
	i->pid = who->pid;
	i->tid = who->tid;
	memcpy(i->comm, f->comm, COMM_LEN);
	i->ended = !f->alive;
}

static void add_thread(struct object_entry **objects, struct waker_entry **wakers,
		       struct folded *other, const struct ledger_thread *t)
{
	for (int i = 0; i < LEDGER_OBJECTS; i++)
		rows_object_add(objects, &t->objects[i].key, &t->objects[i].stat, other);
	for (int i = 0; i < LEDGER_WAKERS; i++)
		rows_waker_add(wakers, &t->wakers[i].key, t->wakers[i].count, t->wakers[i].ns,
			       other);
}

void rows_add_thread(struct rows *rows, const struct ledger_final *f)
{
	ident_add(&rows->idents, f);
	add_thread(&rows->objects, &rows->wakers, &rows->other, &f->thread);
}

/* ---- the kernel's tables ---- */

#define SWEEP_NS 200000000ULL

struct sweeping {
	struct rows *rows;
	const struct session *session;
	int fd;
};

static bool object_is_gone(void *ctx, const void *key)
{
	return harvest_is_gone(((struct sweeping *)ctx)->session,
			       ((const struct object_key *)key)->proc_id);
}

static void take_object(void *ctx, const void *key)
{
	const struct sweeping *s = ctx;
	struct ledger_stat stat;

	if (!bpf_map_lookup_and_delete_elem(s->fd, key, &stat))
		rows_object_add(&s->rows->objects, key, &stat, &s->rows->other);
}

static bool waker_is_gone(void *ctx, const void *key)
{
	const struct rows *rows = ((struct sweeping *)ctx)->rows;
	uint32_t thread_id = ((const struct waker_key *)key)->sleeper_thread_id;
	struct ident *i = NULL;

	HASH_FIND(hh, rows->idents, &thread_id, sizeof(thread_id), i);
	return i && i->ended;
}

static void take_waker(void *ctx, const void *key)
{
	const struct sweeping *s = ctx;
	struct waker_sum sum;

	if (!bpf_map_lookup_and_delete_elem(s->fd, key, &sum))
		rows_waker_add(&s->rows->wakers, key, sum.count, sum.ns, &s->rows->other);
}

static void sweep(struct rows *rows, struct probe *p)
{
	struct sweeping objects = { rows, p->session, probe_map_fd(p, "ledger_objects") };
	struct sweeping wakers = { rows, p->session, probe_map_fd(p, "ledger_wakers") };

	map_sweep(&(struct map_sweep){ objects.fd, sizeof(struct object_key), object_is_gone,
				       take_object, &objects });
	map_sweep(&(struct map_sweep){ wakers.fd, sizeof(struct waker_key), waker_is_gone,
				       take_waker, &wakers });
}

void rows_poll(struct rows *rows, struct probe *p)
{
	const uint64_t *counters = p->session->counters;
	uint64_t ended = counters[COUNTER_THREADS_ENDED] + p->session->slots.collected,
		 now = session_clock();
	uint64_t full = counters[COUNTER_OTHER_OBJECT] + counters[COUNTER_OTHER_WAKER];

	if (ended == rows->ended || now - rows->swept_ns < SWEEP_NS ||
	    (full == rows->full && ended - rows->ended < IDENTS_KEPT / 8))
		return;
	sweep(rows, p);
	rows->ended = ended;
	rows->full = full;
	rows->swept_ns = now;
}

/* ---- a report begins ---- */

/* The block that a living thread is in the middle of belongs to its object too. */
static void add_present_object(struct gather *g, const struct ledger_final *f)
{
	const struct ledger_thread *t = &f->thread;
	struct ledger_stat now = { .count = 1 };

	if (!t->object || t->object > LEDGER_OBJECTS || f->now_ns <= t->since_ns)
		return;
	now.ns = now.max_ns = now.min_ns = f->now_ns - t->since_ns;
	rows_object_add(&g->objects, &t->objects[t->object - 1].key, &now, &g->other);
}

struct gather *rows_begin(const struct rows *rows)
{
	struct gather *g = calloc(1, sizeof(*g));
	struct object_entry *o, *onext;
	struct waker_entry *w, *wnext;

	if (!g)
		abort();
	g->other = rows->other;
	g->other.room = ROWS_GATHERED;
	HASH_ITER(hh, rows->objects, o, onext)
		rows_object_add(&g->objects, &o->key, &o->stat, &g->other);
	HASH_ITER(hh, rows->wakers, w, wnext)
		rows_waker_add(&g->wakers, &w->key, w->sum.count, w->sum.ns, &g->other);
	return g;
}

/* Who waits for a lock now; which one the kernel knows for the inner ones as well. */
static void add_blocked(struct gather *g, const struct ledger_final *f)
{
	const struct ledger_thread *t = &f->thread;
	struct ledger_blocked *b;

	if ((t->state != STATE_FUTEX && t->state != STATE_KERNEL_LOCK) ||
	    g->nblocked == LOCKS_SHOWN)
		return;
	if (!g->blocked)
		g->blocked = calloc(LOCKS_SHOWN, sizeof(*g->blocked));
	if (!g->blocked)
		abort();
	b = &g->blocked[g->nblocked++];
	b->pid = t->who.pid;
	b->tid = t->who.tid;
	b->proc_id = t->who.proc_id;
	memcpy(b->comm, f->comm, COMM_LEN);
	b->ns = f->now_ns > t->since_ns ? f->now_ns - t->since_ns : 0;
	if (t->state == STATE_FUTEX && t->object && t->object <= LEDGER_OBJECTS)
		b->address = t->objects[t->object - 1].key.a;
}

void rows_add_live(struct rows *rows, struct gather *g, const struct ledger_final *f)
{
	add_blocked(g, f);
	ident_add(&rows->idents, f);
	add_thread(&g->objects, &g->wakers, &g->other, &f->thread);
	add_present_object(g, f);
}

void rows_end(struct gather *g)
{
	if (!g)
		return;
	objects_free(g->objects);
	wakers_free(g->wakers);
	free(g->blocked);
	free(g);
}
