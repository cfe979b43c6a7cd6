/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks by address: what the calls counted, joined with the time that the ledger has for the
 * same address. A row is named when it is shown.
 */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "locks_user.h"
#include "object_name.h"

void locks_who(struct probe *p, uint32_t proc_id, uint32_t *pid, char comm[16])
{
	const struct process *proc = tree_find(&p->session->tree, proc_id);

	if (!proc)
		return;
	*pid = proc->pid;
	memcpy(comm, proc->comm, COMM_LEN);
}

uint32_t locks_living(struct probe *p, uint32_t proc_id)
{
	const struct process *proc = tree_find(&p->session->tree, proc_id);

	return proc && !proc->dead && !proc->exited ? proc->pid : 0;
}

static void path_of(struct probe *p, const struct locks_place *place, char *path, size_t size)
{
	struct {
		uint64_t a;
		uint32_t b, kind;
	} key = { place->inode, place->dev, OBJECT_FILE };
	struct object_name name;

	path[0] = '\0';
	if (place->inode && !bpf_map_lookup_elem(probe_map_fd(p, "ledger_names"), &key, &name))
		object_path(&name, path, size);
}

bool locks_facts(struct probe *p, struct lock_facts *f, uint32_t proc_id, uint64_t address,
		 uint32_t waiter)
{
	struct locks_key key = { .address = address, .proc_id = proc_id };
	uint32_t pid = locks_living(p, proc_id);

	if (pid && waiter && lock_facts_live(f, pid, waiter, address))
		return true;
	memset(f, 0, sizeof(*f));
	f->address = address;
	f->pid = pid;
	if (bpf_map_lookup_elem(probe_map_fd(p, "locks_marks"), &key, &f->mark))
		return pid && lock_facts_live(f, pid, 0, address);
	path_of(p, &f->mark.place, f->path, sizeof(f->path));
	path_of(p, &f->mark.code, f->code_path, sizeof(f->code_path));
	for (int i = 0; i < MARK_RETURNS; i++)
		path_of(p, &f->mark.returns[i].place, f->return_path[i], sizeof(f->return_path[i]));
	return true;
}

/* ---- futexes ---- */

struct entry {
	struct locks_key key;
	struct lock_row row;
	UT_hash_handle hh;
};

static struct entry *entry_of(struct entry **table, uint32_t proc_id, uint64_t address)
{
	struct locks_key key = { .address = address, .proc_id = proc_id };
	struct entry *e = NULL;

	/* clang's analyzer does not follow a struct's bytes: NOLINTNEXTLINE(clang-analyzer-*) */
	HASH_FIND(hh, *table, &key, sizeof(key), e);
	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		abort();
	e->key = key;
	e->row.address = address;
	e->row.proc_id = proc_id;
	HASH_ADD(hh, *table, key, sizeof(e->key), e);
	return e;
}

static int entries_by_time(struct entry *a, struct entry *b)
{
	if (a->row.ns != b->row.ns)
		return a->row.ns < b->row.ns ? 1 : -1;
	if (a->row.calls.waits != b->row.calls.waits)
		return a->row.calls.waits < b->row.calls.waits ? 1 : -1;
	return a->key.address < b->key.address ? -1 : 1;
}

static void take_futex(void *ctx, const void *key, const void *value)
{
	const struct locks_key *k = key;

	entry_of(ctx, k->proc_id, k->address)->row.calls = ((const struct locks_row *)value)->calls;
}

static struct entry *gather(struct probe *p, struct report *r)
{
	struct locks_data *d = p->data;
	struct entry *table = NULL, *e;

	harvest_each(&d->futexes, p, take_futex, &table);
	for (size_t i = 0; i < r->ledger.nlocks; i++) {
		const struct ledger_lock *l = &r->ledger.locks[i];

		if (l->kind != OBJECT_FUTEX)
			continue;
		e = entry_of(&table, l->proc_id, l->address);
		e->row.ns = l->ns;
		e->row.count = l->count;
		e->row.max_ns = l->max_ns;
	}
	HASH_SORT(table, entries_by_time);
	return table;
}

/* A thread that waits for it right now, by which a lock without a mark can be told. */
static uint32_t waiter_of(const struct report *r, const struct lock_row *row)
{
	for (size_t i = 0; i < r->ledger.nblocked; i++)
		if (r->ledger.blocked[i].proc_id == row->proc_id &&
		    r->ledger.blocked[i].address == row->address)
			return r->ledger.blocked[i].tid;
	return 0;
}

static void identify_row(struct probe *p, struct report *r, struct lock_row *row)
{
	struct locks_data *d = p->data;
	struct lock_identity id = { 0 };
	struct lock_facts facts;
	uint8_t bytes[MUTEX_BYTES];
	struct mutex_view view;
	uint32_t pid;

	locks_who(p, row->proc_id, &row->pid, row->comm);
	row->kind = lock_kind_names[LOCK_FUTEX];
	if (!locks_facts(p, &facts, row->proc_id, row->address, waiter_of(r, row)))
		return;
	lock_identify(d->modules, r, &facts, &id);
	row->name = id.name;
	row->module = id.module;
	row->symbol = id.symbol;
	row->offset = id.offset;
	row->kind = lock_kind_names[id.kind];
	row->evidence = id.evidence;
	row->caller = id.caller;
	pid = locks_living(p, row->proc_id);
	if (id.kind == LOCK_MUTEX && pid &&
	    process_memory(pid, row->address, bytes, sizeof(bytes)) &&
	    mutex_decode(bytes, sizeof(bytes), &view))
		row->owner_tid = view.owner;
}

static void calls_sum(struct locks_calls *to, const struct locks_calls *add, bool minus)
{
	uint64_t *a = (uint64_t *)to;
	const uint64_t *b = (const uint64_t *)add;

	for (size_t i = 0; i < sizeof(*to) / sizeof(uint64_t); i++)
		a[i] = minus ? a[i] - (b[i] < a[i] ? b[i] : a[i]) : a[i] + b[i];
}

/* All that has no row: it is what the rows leave of the tree's own figures. */
static void add_other(struct locks_report *l)
{
	struct lock_row other = {
		.name = "other",
		.kind = "other",
		.calls = l->tree.counted.futex,
		.ns = l->tree.futex_ns,
		.count = l->tree.futex_blocks,
	};

	for (size_t i = 0; i < l->nlocks; i++) {
		const struct lock_row *row = &l->locks[i];

		calls_sum(&other.calls, &row->calls, true);
		other.ns -= row->ns < other.ns ? row->ns : other.ns;
		other.count -= row->count < other.count ? row->count : other.count;
	}
	if (other.calls.waits || other.calls.wakes || other.calls.requeues || other.count)
		l->locks[l->nlocks++] = other;
}

void locks_table(struct probe *p, struct report *r)
{
	struct entry *table = gather(p, r), *e, *next;
	struct locks_report *l = &r->locks;

	l->locks = report_alloc(r, (LOCK_ROWS + 1) * sizeof(*l->locks));
	HASH_ITER(hh, table, e, next) {
		if (l->nlocks < LOCK_ROWS) {
			identify_row(p, r, &e->row);
			l->locks[l->nlocks++] = e->row;
		}
		HASH_DEL(table, e);
		free(e);
	}
	add_other(l);
}

/* ---- System V semaphores ---- */

static int sysv_by_time(const void *a, const void *b)
{
	const struct locks_sysv_row *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? 1 : -1;
	return x->calls.operations < y->calls.operations   ? 1
	       : x->calls.operations > y->calls.operations ? -1
							   : 0;
}

static void join_sysv(const struct report *r, struct locks_sysv_row *row)
{
	for (size_t i = 0; i < r->ledger.nlocks; i++) {
		const struct ledger_lock *l = &r->ledger.locks[i];

		if (l->kind != OBJECT_SYSV || l->proc_id != row->proc_id ||
		    l->address != row->semid)
			continue;
		row->ns = l->ns;
		row->count = l->count;
		row->max_ns = l->max_ns;
	}
}

#define SYSV_KEPT 512
#define SYSV_MAX (1024 + SYSV_KEPT) /* locks_sysv's own size, and the dead */

static void take_sysv(void *ctx, const void *key, const void *value)
{
	const struct locks_key *k = key;
	struct report *r = ctx;
	struct locks_report *l = &r->locks;
	struct locks_sysv_row *row = &l->sysv[l->nsysv];

	if (l->nsysv == SYSV_MAX)
		return;
	row->calls = *(const struct locks_sems *)value;
	row->semid = k->address;
	row->proc_id = k->proc_id;
	join_sysv(r, row);
	l->nsysv++;
}

void locks_sysv_table(struct probe *p, struct report *r)
{
	struct locks_data *d = p->data;
	struct locks_report *l = &r->locks;

	l->sysv = report_alloc(r, SYSV_MAX * sizeof(*l->sysv));
	harvest_each(&d->sysv, p, take_sysv, r);
	for (size_t i = 0; i < l->nsysv; i++)
		locks_who(p, l->sysv[i].proc_id, &l->sysv[i].pid, l->sysv[i].comm);
	qsort(l->sysv, l->nsysv, sizeof(*l->sysv), sysv_by_time);
	if (l->nsysv > LOCK_ROWS)
		l->nsysv = LOCK_ROWS;
}

/* ---- of processes that have ended ---- */

static uint64_t futex_weight(const void *value)
{
	return ((const struct locks_row *)value)->calls.waits;
}

static void futex_add(void *to, const void *value)
{
	calls_sum(&((struct locks_row *)to)->calls, &((const struct locks_row *)value)->calls,
		  false);
}

/* add_other() has what has no row. */
static bool futex_fold(void *key, const void *value)
{
	(void)key;
	(void)value;
	return false;
}

static void futex_moved(struct probe *p, const void *from, const void *to)
{
	(void)to;
	bpf_map_delete_elem(probe_map_fd(p, "locks_marks"), from);
}

const struct harvest_class locks_futexes_class = {
	.map = "locks_futexes",
	.key_size = sizeof(struct locks_key),
	.value_size = sizeof(struct locks_row),
	.proc_id_at = offsetof(struct locks_key, proc_id),
	.kept = 1024,
	.full = COUNTER_OTHER_LOCK,
	.weight = futex_weight,
	.add = futex_add,
	.fold = futex_fold,
	.moved = futex_moved,
};

static uint64_t sysv_weight(const void *value)
{
	return ((const struct locks_sems *)value)->operations;
}

static void sysv_add(void *to, const void *value)
{
	uint64_t *sum = to;

	for (size_t i = 0; i < sizeof(struct locks_sems) / sizeof(*sum); i++)
		sum[i] += ((const uint64_t *)value)[i];
}

/* A set is the machine's: it may be the same of many processes. */
static bool sysv_fold(void *key, const void *value)
{
	struct locks_key *k = key;
	bool folded = !k->proc_id;

	(void)value;
	k->proc_id = 0;
	return !folded;
}

const struct harvest_class locks_sysv_class = {
	.map = "locks_sysv",
	.key_size = sizeof(struct locks_key),
	.value_size = sizeof(struct locks_sems),
	.proc_id_at = offsetof(struct locks_key, proc_id),
	.kept = SYSV_KEPT,
	.full = COUNTER_OTHER_LOCK,
	.weight = sysv_weight,
	.add = sysv_add,
	.fold = sysv_fold,
};
