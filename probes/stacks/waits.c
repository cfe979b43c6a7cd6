/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waits that go on as the report is made. Such a wait is one sample more of its thread, with the
 * kernel stack of now; it stands for all of its time so far.
 */
#include <string.h>

#include "stacks_user.h"

/* Frames that the kernel side has no hash for: told to the book under one of our own. */
static uint64_t keep_body(struct stack_book *b, const __u64 *frames, uint32_t n, uint16_t end)
{
	union {
		struct stacks_body body;
		char room[sizeof(struct stacks_body) + STACK_FRAMES * sizeof(*frames)];
	} told = { .body = { .n = (uint16_t)n, .end = end } };
	uint64_t hash = end;

	for (uint32_t i = 0; i < n; i++)
		hash = (hash ^ frames[i]) * 0x100000001b3ULL;
	told.body.hash = hash | 1;
	if (n)
		memcpy(told.body.frames, frames, n * sizeof(*frames));
	stack_book_body(b, &told.body, sizeof(told));
	return told.body.hash;
}

static void take_wait(struct stacks_data *d, const struct stacks_wait *w)
{
	const struct stack_account_copy *a = stacks_living(d, w->thread_id);
	struct stacks_key key = { .thread_id = w->thread_id, .proc_id = w->proc_id };
	struct stacks_value value = { .count = 1 };

	/* the ledger's account was read a moment before: is it the same stay? */
	if (!a || a->since_ns != w->since_ns || a->state == STATE_ON_CPU || w->n > STACK_FRAMES)
		return;
	key.state = a->state;
	if (w->n)
		key.kernel = keep_body(&d->book, w->frames, w->n, STACK_WHOLE);
	key.user = w->user_from == USER_TAKEN ? w->user
					      : keep_body(&d->book, NULL, 0, STACK_NOT_TAKEN);
	value.ns = a->now_ns > a->since_ns ? a->now_ns - a->since_ns : 0;
	stack_book_row(&d->book, &key, &value);
}

static void take(void *ctx, const void *data, size_t size)
{
	struct stacks_wait w;

	for (size_t at = 0; at + sizeof(w) <= size; at += sizeof(w)) {
		memcpy(&w, (const char *)data + at, sizeof(w));
		take_wait(ctx, &w);
	}
}

int stacks_waiting(struct probe *p)
{
	return session_iterate(p, "stacks_waits", take, p->data);
}
