/* SPDX-License-Identifier: BSD-2-Clause */
/* Totals of the tree and of processes from what the kernel side shows; see store.h. */
#include "store.h"

#include <stdlib.h>

static void *must_calloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

/* ---- processes ---- */

static struct calls_process *find_process(const struct store *s, uint32_t proc_id)
{
	struct calls_process *p = NULL;

	HASH_FIND(hh, s->processes, &proc_id, sizeof(proc_id), p);
	return p;
}

const struct calls_process *store_process(const struct store *s, uint32_t proc_id)
{
	return find_process(s, proc_id);
}

static void drop_process(struct store *s, struct calls_process *p)
{
	HASH_DEL(s->processes, p);
	tally_clear(&p->calls);
	free(p);
	s->nprocesses--;
}

struct candidate {
	struct calls_process *process;
	uint64_t worth;
};

static int by_worth(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return x->worth < y->worth ? -1 : x->worth > y->worth;
}

/*
 * Drops the dead that are worth nothing, at least an eighth of all the dead: in bulk, for
 * sorting at each birth would be quadratic.
 */
static void make_room(struct store *s)
{
	struct candidate *dead = must_calloc((s->nprocesses + 1) * sizeof(*dead));
	struct calls_process *p, *next;
	size_t n = 0, drop = 0;

	HASH_ITER(hh, s->processes, p, next) {
		if (!p->dead || p->has_rare)
			continue;
		dead[n].process = p;
		dead[n].worth = s->worth ? s->worth(s->ctx, p->proc_id) : tally_total(&p->calls);
		drop += !dead[n++].worth;
	}
	if (drop < (n + 7) / 8)
		drop = (n + 7) / 8;
	qsort(dead, n, sizeof(*dead), by_worth);
	for (size_t i = 0; i < drop; i++)
		drop_process(s, dead[i].process);
	s->processes_cut += drop;
	free(dead);
}

/* NULL: the table is full of the living. */
static struct calls_process *process_of(struct store *s, uint32_t proc_id)
{
	struct calls_process *p = find_process(s, proc_id);

	if (p)
		return p;
	if (s->nprocesses >= s->max_processes)
		make_room(s);
	if (s->nprocesses >= s->max_processes) {
		s->processes_cut++;
		return NULL;
	}
	p = must_calloc(sizeof(*p));
	p->proc_id = proc_id;
	HASH_ADD(hh, s->processes, proc_id, sizeof(p->proc_id), p);
	s->nprocesses++;
	return p;
}

static void add(struct store *s, struct calls_process *p, uint64_t key, uint64_t delta)
{
	tally_add(&s->tree, key, delta);
	if (p)
		tally_add(&p->calls, key, delta);
}

/* ---- threads ---- */

#define THREAD_ROWS (CALL_SLOTS + CALL_ERRORS)

static uint64_t error_key(const struct call_error *e)
{
	return tally_key(ABI_NATIVE, slot_call(e->slot), e->err);
}

static size_t short_rows(const struct syscalls_final_short *f, struct tally_row *rows)
{
	size_t n = 0;

	for (uint32_t i = 0; i < f->ncalls && i < CALLS_USED; i++)
		rows[n++] =
			(struct tally_row){ tally_key(ABI_NATIVE, slot_call(f->calls[i].slot), 0),
					    f->calls[i].count };
	for (uint32_t i = 0; i < f->nerrors && i < CALL_ERRORS_SHORT; i++)
		rows[n++] = (struct tally_row){ error_key(&f->errors[i]), f->errors[i].count };
	return n;
}

static size_t whole_rows(const struct syscalls_thread *t, struct tally_row *rows)
{
	size_t n = 0;

	for (uint32_t slot = 0; slot < CALL_SLOTS; slot++) {
		if (t->counts[slot])
			rows[n++] = (struct tally_row){ tally_key(ABI_NATIVE, slot_call(slot), 0),
							t->counts[slot] };
	}
	for (uint32_t i = 0; i < t->nerrors && i < CALL_ERRORS; i++)
		rows[n++] = (struct tally_row){ error_key(&t->errors[i]), t->errors[i].count };
	return n;
}

static struct calls_thread *find_thread(const struct store *s, uint32_t thread_id)
{
	struct calls_thread *t = NULL;

	HASH_FIND(hh, s->threads, &thread_id, sizeof(thread_id), t);
	return t;
}

static void drop_thread(struct store *s, struct calls_thread *t)
{
	HASH_DEL(s->threads, t);
	tally_clear(&t->seen);
	free(t);
}

bool store_final(struct store *s, const struct event_head *head, size_t size)
{
	bool is_short = head->flags & FINAL_SHORT;
	struct tally_row rows[THREAD_ROWS];
	struct calls_thread *t;
	struct calls_process *p;
	size_t n;

	if (size < (is_short ? sizeof(struct syscalls_final_short) : sizeof(struct syscalls_final)))
		return false;
	n = is_short ? short_rows((const void *)head, rows)
		     : whole_rows(&((const struct syscalls_final *)(const void *)head)->thread,
				  rows);
	p = process_of(s, head->who.proc_id);
	t = find_thread(s, head->who.thread_id);
	for (size_t i = 0; i < n; i++)
		add(s, p, rows[i].key, t ? tally_set(&t->seen, rows[i].key, rows[i].n) : rows[i].n);
	if (t)
		drop_thread(s, t);
	if (p && (head->flags & FINAL_GROUP_DEAD))
		p->dead = true;
	return true;
}

void store_live(struct store *s, const struct syscalls_live *live)
{
	struct calls_process *p = process_of(s, live->proc_id);
	struct calls_thread *t = find_thread(s, live->thread_id);
	struct tally_row rows[THREAD_ROWS];
	size_t n = whole_rows(&live->thread, rows);

	if (!t) {
		t = must_calloc(sizeof(*t));
		t->thread_id = live->thread_id;
		t->proc_id = live->proc_id;
		HASH_ADD(hh, s->threads, thread_id, sizeof(t->thread_id), t);
	}
	for (size_t i = 0; i < n; i++)
		add(s, p, rows[i].key, tally_set(&t->seen, rows[i].key, rows[i].n));
}

void store_spilled_thread(struct store *s, uint32_t thread_id)
{
	struct calls_thread *t = find_thread(s, thread_id);

	if (!t)
		return;
	for (uint32_t i = 0; i < t->seen.n; i++)
		tally_add(&s->tree, t->seen.rows[i].key, -t->seen.rows[i].n);
	drop_thread(s, t);
}

/* ---- what has no room in a thread's record ---- */

bool store_rare(struct store *s, const struct rare_key *key, uint64_t n)
{
	struct calls_process *p = process_of(s, key->proc_id);
	struct calls_rare *r = NULL;
	bool dead = p && p->dead;

	HASH_FIND(hh, s->rare, key, sizeof(*key), r);
	add(s, p, tally_key(key->abi, key->nr, key->err), n - (r ? r->seen : 0));
	if (dead && r) {
		HASH_DEL(s->rare, r);
		free(r);
	} else if (!dead && !r) {
		r = must_calloc(sizeof(*r));
		r->key = *key;
		HASH_ADD(hh, s->rare, key, sizeof(r->key), r);
	}
	if (p)
		p->has_rare = !dead;
	if (!dead)
		r->seen = n;
	return dead;
}

void store_spill(struct store *s, uint32_t entry, const struct spill *sum)
{
	struct spill *seen = &s->spilled[entry];
	uint32_t abi = entry < CALL_SLOTS     ? ABI_NATIVE
		       : entry == SPILL_URING ? ABI_URING
					      : ABI_UNKNOWN;
	uint32_t nr = entry < CALL_SLOTS ? slot_call(entry) : UINT32_MAX;

	tally_add(&s->tree, tally_key(abi, nr, 0), sum->calls - seen->calls);
	tally_add(&s->tree, tally_key(abi, nr, ERR_UNKNOWN), sum->errors - seen->errors);
	*seen = *sum;
}

void store_free(struct store *s)
{
	struct calls_process *p, *next_p;
	struct calls_thread *t, *next_t;
	struct calls_rare *r, *next_r;

	HASH_ITER(hh, s->processes, p, next_p)
		drop_process(s, p);
	HASH_ITER(hh, s->threads, t, next_t)
		drop_thread(s, t);
	HASH_ITER(hh, s->rare, r, next_r) {
		HASH_DEL(s->rare, r);
		free(r);
	}
	tally_clear(&s->tree);
}
