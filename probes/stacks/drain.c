/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes rows out of the kernel's two tables. The kernel side is told to use the other one; when
 * nothing can still be writing to the first (it does so with preemption off: FLIP_NS, or a grace
 * period of RCU's, which membarrier waits for) that one is read and emptied. Threads that had
 * ended by the flip are then complete.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "stacks_user.h"

#define FLIP_NS 50000000ULL
#define DRAIN_NS 200000000ULL /* between two flips, unless a table fills up */
#define BATCH 512

static void flip(struct stacks_data *d, uint64_t now)
{
	__atomic_store_n(&d->control->table, !d->control->table, __ATOMIC_SEQ_CST);
	__atomic_store_n(&d->control->used, 0, __ATOMIC_SEQ_CST);
	d->flipped_ns = now;
	d->ended.due = d->ended.n;
	d->full = false;
}

static void grace_period(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(FLIP_NS / 1000); /* refused where CPUs run without ticks */
}

/* All rows of a table, which it then is without. */
static int empty(struct stacks_data *d, int fd)
{
	static struct stacks_key keys[BATCH];
	static struct stacks_value values[BATCH];
	uint32_t token, n;
	void *at = NULL;
	int err;

	do {
		n = BATCH;
		err = bpf_map_lookup_and_delete_batch(fd, at, &token, keys, values, &n, NULL);
		if (err && errno != ENOENT)
			return err_set(-errno, "cannot read the table of stacks");
		for (uint32_t i = 0; i < n; i++)
			stack_book_row(&d->book, &keys[i], &values[i]);
		at = &token;
	} while (!err);
	return 0;
}

static void name_owner(struct session *s, struct stack_owner *o)
{
	const struct process *p = tree_find(&s->tree, o->proc_id);

	if (!p)
		return;
	o->pid = p->pid;
	memcpy(o->comm, p->comm, COMM_LEN);
}

static void end_due(struct probe *p)
{
	struct stacks_data *d = p->data;
	struct ended_list *e = &d->ended;

	for (size_t i = 0; i < e->due; i++) {
		stack_book_end_thread(&d->book, &e->list[i]);
		name_owner(p->session, stack_book_owner(&d->book, e->list[i].proc_id, 0));
	}
	memmove(e->list, e->list + e->due, (e->n - e->due) * sizeof(*e->list));
	e->n -= e->due;
	e->due = 0;
}

/* Processes that the session has forgotten. */
static void forget(struct probe *p)
{
	struct stacks_data *d = p->data;
	struct stack_owner *o, *next;

	if (!p->session->tree.cut)
		return;
	HASH_ITER(hh, d->book.owners, o, next)
		if (!o->thread_id && !tree_find(&p->session->tree, o->proc_id))
			stack_book_forget(&d->book, o);
}

static int finish_flip(struct probe *p)
{
	struct stacks_data *d = p->data;
	int err = empty(d, d->tables[!d->control->table]);

	d->flipped_ns = 0;
	d->drained_ns = session_clock();
	end_due(p);
	forget(p);
	return err;
}

int stacks_drain(struct probe *p, bool all)
{
	struct stacks_data *d = p->data;
	uint64_t now = session_clock();
	bool soon = all || d->full;
	int err = 0;

	if (d->flipped_ns && soon && now - d->flipped_ns < FLIP_NS &&
	    session_live_threads(p->session)) /* else nobody is left to write */
		grace_period();
	if (d->flipped_ns && (soon || now - d->flipped_ns >= FLIP_NS))
		err = finish_flip(p);
	if (!d->flipped_ns && (soon || now - d->drained_ns >= DRAIN_NS))
		flip(d, now);
	if (!all)
		return err;
	if (session_live_threads(p->session))
		grace_period();
	return finish_flip(p) ?: err;
}
