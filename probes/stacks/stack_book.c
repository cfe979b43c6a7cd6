/* SPDX-License-Identifier: BSD-2-Clause */
/* Bodies and rows of stacks; see stack_book.h. */
#include "stack_book.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "scale.h"

/* ---- bodies ---- */

bool stack_book_body(struct stack_book *b, const struct stacks_body *body, size_t size)
{
	size_t bytes = sizeof(struct stack_body) + body->n * sizeof(uint64_t);
	struct stack_body *to;

	if (body->n > STACK_FRAMES || body->end >= STACK_ENDS ||
	    size < sizeof(*body) + body->n * sizeof(uint64_t))
		return false;
	if (stack_book_find_body(b, body->hash))
		return false;
	if (b->body_bytes + bytes > BODY_BYTES) /* its samples are counted as stacks_not_told */
		return false;
	to = or_abort(malloc(bytes));
	memset(to, 0, sizeof(*to));
	to->hash = body->hash;
	to->proc_id = body->head.who.proc_id;
	to->n = body->n;
	to->end = body->end;
	memcpy(to->frames, body->frames, body->n * sizeof(uint64_t));
	HASH_ADD(hh, b->bodies, hash, sizeof(to->hash), to);
	b->body_bytes += bytes;
	return true;
}

const struct stack_body *stack_book_find_body(const struct stack_book *b, uint64_t hash)
{
	struct stack_body *body = NULL;

	if (hash)
		HASH_FIND(hh, b->bodies, &hash, sizeof(hash), body);
	return body;
}

/* ---- owners ---- */

static uint64_t owner_id(uint32_t proc_id, uint32_t thread_id)
{
	return (uint64_t)proc_id << 32 | thread_id;
}

struct stack_owner *stack_book_find_owner(const struct stack_book *b, uint32_t proc_id,
					  uint32_t thread_id)
{
	uint64_t id = owner_id(proc_id, thread_id);
	struct stack_owner *o = NULL;

	HASH_FIND(hh, b->owners, &id, sizeof(id), o);
	return o;
}

struct stack_owner *stack_book_owner(struct stack_book *b, uint32_t proc_id, uint32_t thread_id)
{
	struct stack_owner *o = stack_book_find_owner(b, proc_id, thread_id);

	if (o)
		return o;
	o = or_abort(calloc(1, sizeof(*o)));
	o->id = owner_id(proc_id, thread_id);
	o->proc_id = proc_id;
	o->thread_id = thread_id;
	HASH_ADD(hh, b->owners, id, sizeof(o->id), o);
	return o;
}

/* All forgotten processes of a name; `(other)` beyond COMMANDS_MAX names. */
static struct stack_owner *command_of(struct stack_book *b, const char comm[COMM_LEN])
{
	static const char other[COMM_LEN] = "(other)";
	struct stack_owner *o = NULL;

	HASH_FIND(hh, b->commands, comm, COMM_LEN, o);
	if (o)
		return o;
	if (HASH_COUNT(b->commands) >= COMMANDS_MAX && comm != other)
		return command_of(b, other);
	o = or_abort(calloc(1, sizeof(*o)));
	memcpy(o->comm, comm, COMM_LEN);
	o->thread_id = HASH_COUNT(b->commands) + 1;
	HASH_ADD(hh, b->commands, comm, COMM_LEN, o);
	return o;
}

/* ---- rows ---- */

static struct stack_entry *entry_of(struct stack_book *b, struct stack_owner *o,
				    const struct stacks_key *key)
{
	struct stack_entry *e = NULL;

	HASH_FIND(hh, b->entries, key, sizeof(*key), e);
	if (e)
		return e;
	if (HASH_COUNT(b->entries) >= ROWS_MAX && key->pad == ROW_STACK) {
		struct stacks_key cut = {
			.proc_id = key->proc_id,
			.thread_id = key->thread_id,
			.state = key->state,
			.pad = ROW_CUT,
		};

		return entry_of(b, o, &cut);
	}
	e = or_abort(calloc(1, sizeof(*e)));
	e->key = *key;
	e->next = o->rows;
	o->rows = e;
	HASH_ADD(hh, b->entries, key, sizeof(e->key), e);
	return e;
}

static void entry_add(struct stack_book *b, struct stack_owner *o, const struct stacks_key *key,
		      uint64_t ns, uint64_t count)
{
	struct stack_entry *e = entry_of(b, o, key);

	e->ns += ns;
	e->count += count;
	if (e->key.pad == ROW_CUT && key->pad != ROW_CUT)
		b->cut += count;
}

static void count_end(struct stack_book *b, uint64_t hash, uint64_t count)
{
	const struct stack_body *body = stack_book_find_body(b, hash);
	uint16_t end = body ? body->end : STACK_WHOLE;

	b->samples += count;
	b->ends[end] += count;
	if (end != STACK_WHOLE)
		b->truncated += count;
}

void stack_book_row(struct stack_book *b, const struct stacks_key *key,
		    const struct stacks_value *v)
{
	struct stacks_key own = *key;

	own.pad = ROW_STACK;
	count_end(b, key->user, v->count);
	entry_add(b, stack_book_owner(b, key->proc_id, key->thread_id), &own, v->ns, v->count);
}

static void owner_free(struct stack_book *b, struct stack_owner *o)
{
	struct stack_entry *e, *next;

	for (e = o->rows; e; e = next) {
		next = e->next;
		/* a row of the table: NOLINTNEXTLINE(clang-analyzer-*) */
		HASH_DEL(b->entries, e);
		free(e);
	}
	free(o);
}

/* ---- exact sums ---- */

/* Scales the rows of one state, to its time. */
static void scale_state(const struct stack_owner *o, uint64_t *ns, uint32_t state, uint64_t total)
{
	uint64_t *weights = NULL;
	size_t n = 0, i = 0, k = 0;

	for (const struct stack_entry *e = o->rows; e; e = e->next)
		n += e->key.state == state;
	if (!n)
		return;
	weights = or_abort(calloc(n, sizeof(*weights)));
	for (const struct stack_entry *e = o->rows; e; e = e->next, i++)
		if (e->key.state == state)
			weights[k++] = ns[i];
	scale_to(weights, n, total);
	i = k = 0;
	for (const struct stack_entry *e = o->rows; e; e = e->next, i++)
		if (e->key.state == state)
			ns[i] = weights[k++];
	free(weights);
}

uint64_t *stack_book_scaled(const struct stack_owner *o, const struct stack_account_copy *a,
			    size_t *n)
{
	uint64_t *ns;
	size_t i = 0;

	*n = 0;
	for (const struct stack_entry *e = o->rows; e; e = e->next)
		++*n;
	ns = or_abort(calloc(*n + 1, sizeof(*ns)));
	for (const struct stack_entry *e = o->rows; e; e = e->next)
		ns[i++] = e->ns;
	for (uint32_t state = 0; state < LEDGER_STATES; state++)
		scale_state(o, ns, state, a->ns[state]);
	return ns;
}

/* Time of states in which no sample of the thread's fell. */
static void add_not_sampled(struct stack_book *b, const struct stack_owner *from,
			    struct stack_owner *to, const struct stack_account_copy *a)
{
	uint32_t sampled = 0;

	for (const struct stack_entry *e = from ? from->rows : NULL; e; e = e->next)
		sampled |= 1U << e->key.state;
	for (uint32_t state = 0; state < LEDGER_STATES; state++) {
		struct stacks_key key = {
			.proc_id = a->proc_id,
			.state = state,
			.pad = ROW_NOT_SAMPLED,
		};

		if (a->ns[state] && !(sampled & 1U << state))
			entry_add(b, to, &key, a->ns[state], 0);
	}
}

void stack_book_end_thread(struct stack_book *b, const struct stack_account_copy *a)
{
	struct stack_owner *from = stack_book_find_owner(b, a->proc_id, a->thread_id);
	struct stack_owner *to = stack_book_owner(b, a->proc_id, 0);
	size_t n, i = 0;
	uint64_t *ns;

	if (a->pid)
		to->pid = a->pid;
	add_not_sampled(b, from, to, a);
	if (!from)
		return;
	ns = stack_book_scaled(from, a, &n);
	for (const struct stack_entry *e = from->rows; e; e = e->next) {
		struct stacks_key key = e->key;

		key.thread_id = 0;
		entry_add(b, to, &key, ns[i++], e->count);
	}
	free(ns);
	HASH_DEL(b->owners, from);
	owner_free(b, from);
}

void stack_book_forget(struct stack_book *b, struct stack_owner *o)
{
	struct stack_owner *to = command_of(b, o->comm);

	for (const struct stack_entry *e = o->rows; e; e = e->next) {
		struct stacks_key key = e->key;

		key.proc_id = 0;
		key.thread_id = to->thread_id;
		entry_add(b, to, &key, e->ns, e->count);
	}
	HASH_DEL(b->owners, o);
	owner_free(b, o);
}

void stack_book_clear(struct stack_book *b)
{
	struct stack_owner *o, *onext;
	struct stack_body *body, *bnext;

	HASH_ITER(hh, b->owners, o, onext) {
		HASH_DEL(b->owners, o);
		owner_free(b, o);
	}
	HASH_ITER(hh, b->commands, o, onext) {
		HASH_DEL(b->commands, o);
		owner_free(b, o);
	}
	HASH_ITER(hh, b->bodies, body, bnext) {
		HASH_DEL(b->bodies, body);
		free(body);
	}
	memset(b, 0, sizeof(*b));
}
