/* SPDX-License-Identifier: BSD-2-Clause */
/* See jit_watch.h. */
#include "jit_watch.h"

#include <stdlib.h>

#include "../../src/symbol/names.h"

static void look(struct jit_watched *p, struct names *names, uint64_t now_ns)
{
	if (names_process(names, p->proc_id, (pid_t)p->pid)) {
		p->next_ns = 0;
		return;
	}
	p->next_ns = now_ns + p->wait_ns;
	p->wait_ns = p->wait_ns < JIT_LAST_NS / 2 ? p->wait_ns * 2 : JIT_LAST_NS;
}

static void sooner(struct jit_watch *w, const struct jit_watched *p)
{
	if (p->next_ns && (!w->next_ns || p->next_ns < w->next_ns))
		w->next_ns = p->next_ns;
}

void jit_watch_told(struct jit_watch *w, struct names *names, const struct target *who,
		    uint64_t now_ns)
{
	struct jit_watched *p = NULL;

	HASH_FIND(hh, w->list, &who->proc_id, sizeof(who->proc_id), p);
	if (!p) {
		p = HASH_COUNT(w->list) < JIT_WATCHED ? calloc(1, sizeof(*p)) : NULL;
		if (!p) {
			w->lost++;
			return;
		}
		p->proc_id = who->proc_id;
		p->pid = who->pid;
		HASH_ADD(hh, w->list, proc_id, sizeof(p->proc_id), p);
	}
	p->wait_ns = JIT_FIRST_NS;
	look(p, names, now_ns);
	sooner(w, p);
}

void jit_watch_poll(struct jit_watch *w, struct names *names, uint64_t now_ns, bool all)
{
	struct jit_watched *p, *next;

	if (!w->next_ns || (now_ns < w->next_ns && !all))
		return;
	w->next_ns = 0;
	HASH_ITER(hh, w->list, p, next) {
		if (p->next_ns && (all || p->next_ns <= now_ns))
			look(p, names, now_ns);
		sooner(w, p);
	}
}

void jit_watch_clear(struct jit_watch *w)
{
	struct jit_watched *p, *next;

	HASH_ITER(hh, w->list, p, next) {
		HASH_DEL(w->list, p);
		free(p);
	}
	*w = (struct jit_watch){ 0 };
}
