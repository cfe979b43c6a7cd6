/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects and wakers in a report; see rows.h. Names of objects are made in object_name.c. */
#include <bpf/bpf.h>
#include <string.h>

#include "object_name.h"
#include "rows_private.h"

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
			rows_object_add(&g->objects, &okey, &stat, &g->other);
	fd = probe_map_fd(p, "ledger_wakers");
	for (; !bpf_map_get_next_key(fd, wlast, &wkey); wlast = &wkey)
		if (!bpf_map_lookup_elem(fd, &wkey, &sum))
			rows_waker_add(&g->wakers, &wkey, sum.count, sum.ns, &g->other);
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

	HASH_SORT(g->objects, rows_objects_by_ns);
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

	HASH_SORT(g->wakers, rows_wakers_by_ns);
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
