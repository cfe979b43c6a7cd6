/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects and wakers; see rows.h. Names of objects are made in object_name.c. */
#include "rows.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "object_name.h"
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
};

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

static int objects_by_ns(struct object_entry *a, struct object_entry *b)
{
	return a->stat.ns > b->stat.ns ? -1 : a->stat.ns < b->stat.ns;
}

static int wakers_by_ns(struct waker_entry *a, struct waker_entry *b)
{
	return a->sum.ns > b->sum.ns ? -1 : a->sum.ns < b->sum.ns;
}

/* A full table keeps its larger half, so what comes late and is large finds its place. */
static void fold_objects(struct object_entry **table, struct folded *other)
{
	struct object_entry *e, *next;
	unsigned int n = 0;

	HASH_SORT(*table, objects_by_ns);
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

	HASH_SORT(*table, wakers_by_ns);
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

static void object_add(struct object_entry **table, const struct object_key *key,
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

static void waker_add(struct waker_entry **table, const struct waker_key *key, uint64_t count,
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
}

static void add_thread(struct object_entry **objects, struct waker_entry **wakers,
		       struct folded *other, const struct ledger_thread *t)
{
	for (int i = 0; i < LEDGER_OBJECTS; i++)
		object_add(objects, &t->objects[i].key, &t->objects[i].stat, other);
	for (int i = 0; i < LEDGER_WAKERS; i++)
		waker_add(wakers, &t->wakers[i].key, t->wakers[i].count, t->wakers[i].ns, other);
}

void rows_add_thread(struct rows *rows, const struct ledger_final *f)
{
	ident_add(&rows->idents, f);
	add_thread(&rows->objects, &rows->wakers, &rows->other, &f->thread);
}

/* ---- the report ---- */

struct gather {
	struct object_entry *objects;
	struct waker_entry *wakers;
	struct folded other;
	struct ledger_blocked *blocked;
	size_t nblocked;
};

/* The block that a living thread is in the middle of belongs to its object too. */
static void add_present_object(struct gather *g, const struct ledger_final *f)
{
	const struct ledger_thread *t = &f->thread;
	struct ledger_stat now = { .count = 1 };

	if (!t->object || t->object > LEDGER_OBJECTS || f->now_ns <= t->since_ns)
		return;
	now.ns = now.max_ns = now.min_ns = f->now_ns - t->since_ns;
	object_add(&g->objects, &t->objects[t->object - 1].key, &now, &g->other);
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
		object_add(&g->objects, &o->key, &o->stat, &g->other);
	HASH_ITER(hh, rows->wakers, w, wnext)
		waker_add(&g->wakers, &w->key, w->sum.count, w->sum.ns, &g->other);
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

static void gather_kernel(struct gather *g, struct probe *p)
{
	struct object_key okey, *olast = NULL;
	struct waker_key wkey, *wlast = NULL;
	struct ledger_other other;
	struct ledger_stat stat;
	struct waker_sum sum;
	int fd = probe_map_fd(p, "ledger_objects");

	for (; !bpf_map_get_next_key(fd, olast, &okey); olast = &okey)
		if (!bpf_map_lookup_elem(fd, &okey, &stat))
			object_add(&g->objects, &okey, &stat, &g->other);
	fd = probe_map_fd(p, "ledger_wakers");
	for (; !bpf_map_get_next_key(fd, wlast, &wkey); wlast = &wkey)
		if (!bpf_map_lookup_elem(fd, &wkey, &sum))
			waker_add(&g->wakers, &wkey, sum.count, sum.ns, &g->other);
	fd = probe_map_fd(p, "ledger_others");
	for (uint32_t i = 0; i < LEDGER_STATES; i++) {
		if (bpf_map_lookup_elem(fd, &i, &other))
			continue;
		stat_merge(&g->other.sum.objects, &other.objects);
		g->other.sum.wakers.count += other.wakers.count;
		g->other.sum.wakers.ns += other.wakers.ns;
	}
}

static void report_objects(struct gather *g, struct probe *p, const struct tree *tree,
			   struct report *r)
{
	struct ledger_report *l = &r->ledger;
	struct object_entry *e, *next;
	struct object_row *row;

	HASH_SORT(g->objects, objects_by_ns);
	l->objects = report_alloc(r, (ROWS_SHOWN + 1) * sizeof(*l->objects));
	HASH_ITER(hh, g->objects, e, next) {
		const struct process *proc = tree_find(tree, e->key.proc_id);

		if (l->nobjects == ROWS_SHOWN) {
			stat_merge(&g->other.sum.objects, &e->stat);
			continue;
		}
		row = &l->objects[l->nobjects++];
		row->pid = proc ? proc->pid : 0;
		row->proc_id = e->key.proc_id;
		row->address = e->key.kind == OBJECT_FUTEX ? e->key.a : 0;
		if (proc)
			memcpy(row->comm, proc->comm, COMM_LEN);
		row->state = e->key.state;
		row->kind = object_kind_name(e->key.kind);
		row->name = object_name_make(r, p, &e->key);
		row->ns = e->stat.ns;
		row->count = e->stat.count;
		row->max_ns = e->stat.max_ns;
	}
	if (!g->other.sum.objects.count)
		return;
	row = &l->objects[l->nobjects++];
	*row = (struct object_row){
		.state = STATE_OTHER,
		.kind = "other",
		.name = "other",
		.ns = g->other.sum.objects.ns,
		.count = g->other.sum.objects.count,
		.max_ns = g->other.sum.objects.max_ns,
	};
}

static void report_locks(struct gather *g, struct report *r)
{
	struct ledger_report *l = &r->ledger;
	struct object_entry *e, *next;
	size_t n = 0;

	HASH_ITER(hh, g->objects, e, next)
		n += e->key.kind == OBJECT_FUTEX || e->key.kind == OBJECT_SYSV;
	n = n < LOCKS_SHOWN ? n : LOCKS_SHOWN;
	l->locks = report_alloc(r, (n + 1) * sizeof(*l->locks));
	HASH_ITER(hh, g->objects, e, next) {
		if ((e->key.kind != OBJECT_FUTEX && e->key.kind != OBJECT_SYSV) || l->nlocks == n)
			continue;
		l->locks[l->nlocks++] = (struct ledger_lock){
			.address = e->key.a,
			.proc_id = e->key.proc_id,
			.kind = e->key.kind,
			.ns = e->stat.ns,
			.count = e->stat.count,
			.max_ns = e->stat.max_ns,
		};
	}
	l->blocked = report_alloc(r, (g->nblocked + 1) * sizeof(*l->blocked));
	if (g->nblocked)
		memcpy(l->blocked, g->blocked, g->nblocked * sizeof(*l->blocked));
	l->nblocked = g->nblocked;
}

static const char *const waker_names[] = { "thread", "timer", "interrupt" };

static void report_waker(const struct waker_entry *e, const struct rows *rows, int names_fd,
			 struct waker_row *row)
{
	struct waker_name name;
	struct ident *who = NULL;

	HASH_FIND(hh, rows->idents, &e->key.sleeper_thread_id, sizeof(uint32_t), who);
	if (who) {
		row->pid = who->pid;
		row->tid = who->tid;
		memcpy(row->comm, who->comm, COMM_LEN);
	}
	row->state = e->key.state;
	row->waker = waker_names[e->key.kind <= WAKER_IRQ ? e->key.kind : WAKER_IRQ];
	row->count = e->sum.count;
	row->ns = e->sum.ns;
	if (e->key.kind != WAKER_THREAD)
		return;
	row->waker_tid = e->key.waker_tid;
	if (!bpf_map_lookup_elem(names_fd, &e->key.waker_tid, &name)) {
		row->waker_tid = name.tid;
		memcpy(row->waker_comm, name.comm, COMM_LEN);
	}
}

static void report_wakers(struct gather *g, struct probe *p, const struct rows *rows,
			  struct report *r)
{
	struct ledger_report *l = &r->ledger;
	int fd = probe_map_fd(p, "ledger_waker_names");
	struct waker_entry *e, *next;

	HASH_SORT(g->wakers, wakers_by_ns);
	l->wakers = report_alloc(r, (ROWS_SHOWN + 1) * sizeof(*l->wakers));
	HASH_ITER(hh, g->wakers, e, next) {
		if (l->nwakers == ROWS_SHOWN) {
			g->other.sum.wakers.count += e->sum.count;
			g->other.sum.wakers.ns += e->sum.ns;
			continue;
		}
		report_waker(e, rows, fd, &l->wakers[l->nwakers++]);
	}
	if (g->other.sum.wakers.count)
		l->wakers[l->nwakers++] = (struct waker_row){
			.state = STATE_OTHER,
			.waker = "other",
			.count = g->other.sum.wakers.count,
			.ns = g->other.sum.wakers.ns,
		};
}

void rows_report(const struct rows *rows, struct gather *g, struct probe *p,
		 const struct tree *tree, struct report *r)
{
	gather_kernel(g, p);
	report_objects(g, p, tree, r);
	report_locks(g, r);
	report_wakers(g, p, rows, r);
	r->ledger.objects_folded = g->other.objects;
	r->ledger.wakers_folded = g->other.wakers;
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
