/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree of followed processes; see tree.h. */
#include "tree.h"

#include <stdlib.h>
#include <string.h>

struct process *tree_find(const struct tree *t, uint32_t proc_id)
{
	struct process *p = NULL;

	HASH_FIND(hh, t->processes, &proc_id, sizeof(proc_id), p);
	return p;
}

struct process *tree_process(struct tree *t, const struct target *who)
{
	struct process *p = tree_find(t, who->proc_id);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	p->proc_id = who->proc_id;
	p->pid = who->pid;
	p->start_ns = who->proc_start_ns;
	p->root_flags = who->flags;
	p->slot = who->slot;
	HASH_ADD(hh, t->processes, proc_id, sizeof(p->proc_id), p);
	if ((who->flags & TARGET_ROOT) && !t->root_proc_id)
		t->root_proc_id = p->proc_id;
	return p;
}

void tree_birth(struct tree *t, const struct birth_event *e)
{
	struct process *p = tree_process(t, &e->head.who);

	p->threads_born++;
	if (p->threads_born > 1 && e->head.who.tid != p->pid)
		return;
	p->ppid = e->ppid;
	p->parent_proc_id = e->parent_proc_id;
	memcpy(p->comm, e->comm, COMM_LEN);
}

void tree_exec(struct tree *t, const struct exec_event *e)
{
	memcpy(tree_process(t, &e->head.who)->comm, e->comm, COMM_LEN);
}

void tree_exit(struct tree *t, const struct exit_event *e)
{
	struct process *p = tree_process(t, &e->head.who);
	bool leader = e->head.who.tid == p->pid;

	/* wait() gives the group's code when it exits as one, else the leader's */
	if (e->group_exit || leader || !p->has_status) {
		p->status = (int)e->exit_code;
		p->has_status = true;
	}
	if (leader)
		memcpy(p->comm, e->comm, COMM_LEN); /* prctl may have changed it */
	if (e->group_dead)
		p->exited = true;
}

static void die(struct tree *t, struct process *p)
{
	p->dead = true;
	t->dead++;
	if (t->on_dead)
		t->on_dead(t->on_dead_ctx, p);
}

bool tree_thread_ended(struct tree *t, struct process *p, uint64_t now_ns)
{
	p->threads_ended++;
	p->end_ns = now_ns;
	if (!p->exited || p->threads_ended < p->threads_born || p->dead)
		return false;
	die(t, p);
	return true;
}

bool tree_presume_dead(struct tree *t, struct process *p, uint64_t now_ns)
{
	if (p->dead)
		return false;
	if (!p->end_ns)
		p->end_ns = now_ns;
	/* it may live all the same: its slot stays its own */
	p->dead = p->presumed = true;
	t->dead++;
	return true;
}

static void process_free(struct tree *t, struct process *p)
{
	HASH_DEL(t->processes, p);
	if (p->free_ledger)
		p->free_ledger(p->ledger);
	free(p->figures);
	free(p);
}

static int by_lifetime(const void *a, const void *b)
{
	const struct process *x = *(struct process *const *)a, *y = *(struct process *const *)b;
	uint64_t lx = x->end_ns - x->start_ns, ly = y->end_ns - y->start_ns;

	return lx < ly ? -1 : lx > ly;
}

void tree_trim(struct tree *t)
{
	struct process **dead, *p, *next;
	size_t n = 0, drop;

	if (t->dead <= TREE_MAX + TREE_MAX / 8) /* in bulk: sorting for each would be quadratic */
		return;
	dead = calloc(t->dead, sizeof(*dead));
	if (!dead)
		return;
	HASH_ITER(hh, t->processes, p, next)
		if (p->dead && (p->collected || p->presumed || !t->on_dead) && n < t->dead)
			dead[n++] = p;
	qsort(dead, n, sizeof(*dead), by_lifetime);
	drop = n > TREE_MAX ? n - TREE_MAX : 0;
	for (size_t i = 0; i < drop; i++)
		process_free(t, dead[i]);
	t->dead -= drop;
	t->cut += drop;
	free(dead);
}

void tree_free(struct tree *t)
{
	struct process *p, *next;

	HASH_ITER(hh, t->processes, p, next)
		process_free(t, p);
}
