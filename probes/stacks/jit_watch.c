/* SPDX-License-Identifier: BSD-2-Clause */
/* When to look at which process; see jit_watch.h. */
#include "jit_watch.h"

#include <stdlib.h>
#include <uthash.h>

#include "../../src/symbol/names.h"

#define LOOK_NS 1000000000ULL /* a process is looked at again so long after, if it is still at it */

struct jit_watched {
	uint32_t proc_id;
	struct jit_owner who;
	uint64_t looked_ns;
	UT_hash_handle hh;
};

static bool has_code_of_no_file(const struct stacks_body *body)
{
	for (uint16_t i = 0; i < body->n; i++)
		if (body->frames[i] >> FRAME_KIND_SHIFT == FRAME_RAW)
			return true;
	return false;
}

/* NULL: there are too many. */
static struct jit_watched *watched(struct jit_watch *w, const struct jit_owner *owner)
{
	struct jit_watched *p = NULL;

	HASH_FIND(hh, w->list, &owner->proc_id, sizeof(owner->proc_id), p);
	if (p || HASH_COUNT(w->list) >= JIT_PROCESSES)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	p->proc_id = owner->proc_id;
	p->who = *owner;
	HASH_ADD(hh, w->list, proc_id, sizeof(p->proc_id), p);
	return p;
}

void jit_watch_body(struct jit_watch *w, struct names *names, const struct stacks_body *body)
{
	const struct target *who = &body->head.who;
	struct jit_owner owner = {
		.proc_id = who->proc_id,
		.pid = (pid_t)who->pid,
		.start_ns = who->proc_start_ns,
	};
	uint64_t now = session_clock();
	struct jit_watched *p;

	if (!who->pid || !has_code_of_no_file(body))
		return;
	p = watched(w, &owner);
	if (p && p->looked_ns && now - p->looked_ns < LOOK_NS)
		return;
	if (p)
		p->looked_ns = now;
	names_process(names, &owner); /* also one too many: it is counted there */
}

void jit_watch_report(struct jit_watch *w, struct names *names, const struct tree *tree)
{
	struct jit_watched *p, *next;

	if (w->reported)
		return;
	w->reported = true;
	HASH_ITER(hh, w->list, p, next) {
		const struct process *process = tree_find(tree, p->proc_id);

		p->who.ended = !process || process->dead || process->exited;
		names_process(names, &p->who);
	}
}

void jit_watch_clear(struct jit_watch *w)
{
	struct jit_watched *p, *next;

	HASH_ITER(hh, w->list, p, next) {
		HASH_DEL(w->list, p);
		free(p);
	}
}
