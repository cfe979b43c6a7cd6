/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waits that go on as the report is made. Such a wait is one sample more of its thread, with the
 * kernel stack of now; it stands for all of its time so far. The user's stack, if it was not taken
 * as the thread left its CPU, is read from its memory: true if the thread is in the same wait
 * still after that.
 */
#include <stdlib.h>
#include <string.h>

#include "stacks_user.h"

/* Memory was read of it, it is to be seen again. */
struct waiting {
	uint32_t thread_id;
	uint64_t since_ns;
	bool still;
	struct stacks_key key;
	struct stacks_value value;
};

struct collected {
	struct stacks_data *data;
	const struct tree *tree;
	struct stacks_copy *copy;
	struct waiting *list;
	size_t n, room;
};

/* Frames that the kernel side has no hash for: told to the book under one of our own. */
static uint64_t keep_body(struct stacks_data *d, struct stacks_copy_body *b)
{
	struct stacks_body *body = &b->body;
	uint64_t hash = body->end ^ (uint64_t)body->head.who.proc_id << 8;

	for (uint32_t i = 0; i < body->n; i++)
		hash = (hash ^ body->frames[i]) * 0x100000001b3ULL;
	body->hash = hash | 1;
	if (stack_book_body(&d->book, body, sizeof(*b)))
		jit_watch_body(&d->jits, d->names, body);
	return body->hash;
}

static uint64_t keep_kernel(struct stacks_data *d, const struct stacks_wait *w)
{
	struct stacks_copy_body b = { .body = { .n = (uint16_t)w->n } };

	if (!w->n)
		return 0;
	memcpy(b.body.frames, w->frames, w->n * sizeof(w->frames[0]));
	return keep_body(d, &b);
}

static uint64_t keep_not_taken(struct stacks_data *d)
{
	struct stacks_copy_body b = { .body = { .end = STACK_NOT_TAKEN } };

	return keep_body(d, &b);
}

static struct waiting *add(struct collected *c)
{
	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 64;
		c->list = reallocarray(c->list, c->room, sizeof(*c->list));
		if (!c->list)
			abort();
	}
	return &c->list[c->n++];
}

/* The user's stack from its memory; 0: it cannot be read. */
static uint64_t walk(struct collected *c, const struct stacks_wait *w,
		     const struct stack_account_copy *a)
{
	const struct process *p = tree_find(c->tree, a->proc_id);
	struct stacks_copy *copy = c->copy;
	struct stacks_copy_body b;

	copy->head = (struct event_head){ .who.proc_id = a->proc_id, .who.pid = a->pid };
	copy->head.who.proc_start_ns = p ? p->start_ns : 0;
	copy->pc = w->ip;
	copy->sp = w->sp;
	copy->bp = w->bp;
	copy->di = w->di;
	if (!a->tid || !stacks_files_walk(c->data->files, &b, copy, (pid_t)a->tid))
		return 0;
	return keep_body(c->data, &b);
}

static void take_wait(struct collected *c, const struct stacks_wait *w)
{
	struct stacks_data *d = c->data;
	const struct stack_account_copy *a = stacks_living(d, w->thread_id);
	struct waiting wait = { .thread_id = w->thread_id, .since_ns = w->since_ns };

	/* the ledger's account was read a moment before: is it the same stay? */
	if (!a || a->since_ns != w->since_ns || a->state == STATE_ON_CPU || w->n > STACK_FRAMES)
		return;
	wait.key = (struct stacks_key){
		.thread_id = w->thread_id,
		.proc_id = w->proc_id,
		.state = a->state,
		.kernel = keep_kernel(d, w),
	};
	wait.value.count = 1;
	wait.value.ns = a->now_ns > a->since_ns ? a->now_ns - a->since_ns : 0;
	if (w->user_from == USER_TAKEN) {
		wait.key.user = w->user;
		wait.key.python = w->python;
	} else {
		wait.key.user = walk(c, w, a);
	}
	if (wait.key.user && w->user_from != USER_TAKEN) {
		*add(c) = wait;
		return;
	}
	if (!wait.key.user)
		wait.key.user = keep_not_taken(d);
	stack_book_row(&d->book, &wait.key, &wait.value);
}

static int by_thread(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	return (x->thread_id > y->thread_id) - (x->thread_id < y->thread_id);
}

static void take_again(struct collected *c, const struct stacks_wait *w)
{
	const struct waiting key = { .thread_id = w->thread_id };
	struct waiting *found = bsearch(&key, c->list, c->n, sizeof(key), by_thread);

	if (found && found->since_ns == w->since_ns)
		found->still = true;
}

static void each(const void *data, size_t size, struct collected *c,
		 void (*take)(struct collected *c, const struct stacks_wait *w))
{
	struct stacks_wait w;

	for (size_t at = 0; at + sizeof(w) <= size; at += sizeof(w)) {
		memcpy(&w, (const char *)data + at, sizeof(w));
		take(c, &w);
	}
}

static void first(void *ctx, const void *data, size_t size)
{
	each(data, size, ctx, take_wait);
}

static void second(void *ctx, const void *data, size_t size)
{
	each(data, size, ctx, take_again);
}

int stacks_waiting(struct probe *p)
{
	struct stacks_data *d = p->data;
	struct collected c = {
		.data = d,
		.tree = &p->session->tree,
		.copy = calloc(1, sizeof(*c.copy)), /* no other register is known */
	};
	int err;

	if (!c.copy)
		abort();
	err = session_iterate(p, "stacks_waits", first, &c);
	if (c.n) {
		qsort(c.list, c.n, sizeof(*c.list), by_thread);
		err = session_iterate(p, "stacks_waits", second, &c) ?: err;
	}
	for (size_t i = 0; i < c.n; i++) {
		if (!c.list[i].still)
			c.list[i].key.user = keep_not_taken(d);
		stack_book_row(&d->book, &c.list[i].key, &c.list[i].value);
	}
	free(c.list);
	free(c.copy);
	return err;
}
