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
	s->crowded = !drop;
	free(dead);
}

/* NULL: the table is full of the living. */
static struct calls_process *process_of(struct store *s, uint32_t proc_id)
{
	struct calls_process *p = find_process(s, proc_id);

	if (p)
		return p;
	if (s->nprocesses >= s->max_processes && !s->crowded)
		make_room(s);
	if (s->nprocesses >= s->max_processes)
		return NULL;
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

/* ---- rows ---- */

static struct calls_seen *find_seen(const struct store *s, uint32_t proc_id)
{
	struct calls_seen *seen = NULL;

	HASH_FIND(hh, s->seen, &proc_id, sizeof(proc_id), seen);
	return seen;
}

static struct calls_seen *new_seen(struct store *s, uint32_t proc_id)
{
	struct calls_seen *seen = must_calloc(sizeof(*seen));

	seen->proc_id = proc_id;
	HASH_ADD(hh, s->seen, proc_id, sizeof(seen->proc_id), seen);
	return seen;
}

static void drop_seen(struct store *s, struct calls_seen *seen)
{
	HASH_DEL(s->seen, seen);
	tally_clear(&seen->seen);
	free(seen);
}

/* The stripes' sum: a call stands in one place of each, an error in its own of some. */
static void sum_rows(const struct syscalls_row *rows, size_t n, struct tally *sum)
{
	for (uint32_t slot = 0; slot < CALL_SLOTS; slot++) {
		uint64_t count = 0;

		for (size_t i = 0; i < n; i++)
			count += rows[i].counts[slot];
		tally_add(sum, tally_key(ABI_NATIVE, slot_call(slot), 0), count);
	}
	for (size_t i = 0; i < n * CALL_ERRORS; i++) {
		const struct call_error *e = &rows[i / CALL_ERRORS].errors[i % CALL_ERRORS];

		tally_add(sum,
			  tally_key(ABI_NATIVE, slot_call((uint32_t)(e->key >> 32)),
				    (uint32_t)e->key),
			  e->count);
	}
}

bool store_rows(struct store *s, uint32_t proc_id, const struct syscalls_row *rows, size_t n)
{
	struct calls_seen *seen = find_seen(s, proc_id);
	struct tally sum = { 0 };
	struct calls_process *p;

	sum_rows(rows, n, &sum);
	if (!sum.n)
		return false;
	p = proc_id ? process_of(s, proc_id) : NULL;
	if (!seen) {
		seen = new_seen(s, proc_id);
		s->processes_cut += proc_id && !p;
	}
	for (uint32_t i = 0; i < sum.n; i++)
		add(s, p, sum.rows[i].key, tally_set(&seen->seen, sum.rows[i].key, sum.rows[i].n));
	tally_clear(&sum);
	return true;
}

void store_end(struct store *s, uint32_t proc_id)
{
	struct calls_process *p = find_process(s, proc_id);
	struct calls_seen *seen = find_seen(s, proc_id);

	if (seen)
		drop_seen(s, seen);
	if (p)
		p->dead = true;
	s->crowded = false;
}

/* ---- what has no room in a row ---- */

bool store_rare(struct store *s, const struct rare_key *key, uint64_t n)
{
	struct calls_process *p = find_process(s, key->proc_id);
	bool dead = p ? p->dead : s->gone && s->gone(s->ctx, key->proc_id);
	struct calls_rare *r = NULL;

	if (!p && !dead)
		p = process_of(s, key->proc_id);
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
	struct calls_seen *seen, *next_seen;
	struct calls_rare *r, *next_r;

	HASH_ITER(hh, s->processes, p, next_p)
		drop_process(s, p);
	HASH_ITER(hh, s->seen, seen, next_seen)
		drop_seen(s, seen);
	HASH_ITER(hh, s->rare, r, next_r) {
		HASH_DEL(s->rare, r);
		free(r);
	}
	tally_clear(&s->tree);
}
