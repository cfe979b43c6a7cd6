/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --alloc: mappings and the program break, from what the kernel side tells of each. Whose a
 * mapping is follows its pieces until the last is unmapped, or the process ends.
 */
#include <stdlib.h>
#include <string.h>

#include "alloc_user.h"

static struct alloc_process *process_of(struct alloc *a, uint32_t proc_id)
{
	struct alloc_process *p = NULL;

	HASH_FIND(hh, a->processes, &proc_id, sizeof(proc_id), p);
	if (p)
		return p;
	if (HASH_COUNT(a->processes) >= ALLOC_PROCESSES)
		return &a->other;
	p = calloc(1, sizeof(*p));
	if (!p)
		abort();
	p->proc_id = proc_id;
	HASH_ADD(hh, a->processes, proc_id, sizeof(p->proc_id), p);
	return p;
}

static struct alloc_site *site_of(struct alloc *a, const struct memory_change *e)
{
	struct memory_caller_key key = { e->stack, e->head.who.proc_id, e->image };
	struct alloc_site *site = NULL;

	if (!e->stack)
		return &a->other_site;
	/* clang's analyzer does not follow a struct's bytes: NOLINTNEXTLINE(clang-analyzer-*) */
	HASH_FIND(hh, a->sites, &key, sizeof(key), site);
	if (site)
		return site;
	if (HASH_COUNT(a->sites) >= ALLOC_SITES)
		return &a->other_site;
	site = calloc(1, sizeof(*site));
	if (!site)
		abort();
	site->key = key;
	HASH_ADD(hh, a->sites, key, sizeof(site->key), site);
	return site;
}

static struct alloc_owner *owner_of(struct alloc *a, struct alloc_process *p,
				    const struct memory_change *e, bool brk)
{
	struct alloc_owner_key key = { .site = site_of(a, e) };
	struct alloc_owner *o = NULL;

	if (e->allocator)
		key.kind = brk ? MAPPED_ALLOCATOR_BRK : MAPPED_ALLOCATOR_MMAP;
	else
		key.kind = brk ? MAPPED_BRK : MAPPED_MMAP;
	/* clang's analyzer does not follow a struct's bytes: NOLINTNEXTLINE(clang-analyzer-*) */
	HASH_FIND(hh, p->owners, &key, sizeof(key), o);
	if (o)
		return o;
	o = calloc(1, sizeof(*o));
	if (!o)
		abort();
	o->key = key;
	o->process = p;
	HASH_ADD(hh, p->owners, key, sizeof(o->key), o);
	return o;
}

/* ---- what they count ---- */

static void note_more(struct alloc_mapped *m, uint64_t bytes)
{
	m->count++;
	m->bytes += bytes;
	m->live_bytes += bytes;
	if (m->live_bytes > m->live_peak_bytes)
		m->live_peak_bytes = m->live_bytes;
}

static void note_less(struct alloc_mapped *m, uint64_t bytes, bool cleared)
{
	*(cleared ? &m->cleared_bytes : &m->released_bytes) += bytes;
	m->live_bytes -= bytes;
}

struct gone {
	struct alloc *a;
	bool cleared;
	uint64_t bytes;
};

static void piece_gone(void *ctx, const struct alloc_range *piece)
{
	struct gone *gone = ctx;
	struct alloc_owner *o = piece->owner;
	uint64_t bytes = piece->end - piece->start;

	note_less(&o->process->mapped[o->key.kind], bytes, gone->cleared);
	note_less(&o->key.site->mapped, bytes, gone->cleared);
	gone->a->mapped_now[o->key.kind] -= bytes;
	gone->bytes += bytes;
}

static void cut(struct alloc_process *p, uint64_t start, uint64_t end, struct gone *gone)
{
	if (!alloc_ranges_cut(&p->ranges, start, end, ALLOC_RANGES, piece_gone, gone))
		gone->a->ranges_lost++;
}

static void add(struct alloc *a, struct alloc_process *p, const struct memory_change *e, bool brk)
{
	struct alloc_owner *o = owner_of(a, p, e, brk);
	struct alloc_range range = { e->start, e->end, o };
	struct gone gone = { .a = a };
	uint64_t kind = o->key.kind;

	cut(p, e->start, e->end, &gone);
	note_more(&p->mapped[kind], e->end - e->start);
	note_more(&o->key.site->mapped, e->end - e->start);
	a->mapped_now[kind] += e->end - e->start;
	if (a->mapped_now[kind] > a->mapped_peak[kind])
		a->mapped_peak[kind] = a->mapped_now[kind];
	if (p != &a->other && alloc_ranges_add(&p->ranges, &range, ALLOC_RANGES))
		return;
	/* when it is unmapped will not be known: it counts as made, not as there */
	piece_gone(&gone, &range);
	a->ranges_lost++;
}

/* mremap: a mapping of the whole new size, by who asks for it; what it was before is gone. */
static void move(struct alloc *a, struct alloc_process *p, const struct memory_change *e)
{
	struct gone gone = { .a = a };

	cut(p, e->from, e->from_end, &gone);
	if (gone.bytes)
		add(a, p, e, false);
	else
		cut(p, e->start, e->end, &gone); /* a file's: over what was there */
}

static void forget(struct alloc_process *p)
{
	struct alloc_owner *o, *next;

	alloc_ranges_free(&p->ranges);
	HASH_ITER(hh, p->owners, o, next) {
		HASH_DEL(p->owners, o);
		free(o);
	}
}

static void clear(struct alloc *a, struct alloc_process *p)
{
	struct gone gone = { .a = a, .cleared = true };

	cut(p, 0, UINT64_MAX, &gone);
	forget(p);
}

void alloc_change(struct alloc *a, const struct memory_change *e)
{
	struct alloc_process *p = process_of(a, e->head.who.proc_id);
	struct gone gone = { .a = a };

	switch (e->kind) {
	case CHANGE_MAP:
		add(a, p, e, false);
		break;
	case CHANGE_GROW:
		add(a, p, e, true);
		break;
	case CHANGE_UNMAP:
	case CHANGE_SHRINK:
		cut(p, e->start, e->end, &gone);
		break;
	case CHANGE_MOVE:
		move(a, p, e);
		break;
	case CHANGE_CLEAR:
		clear(a, p);
		break;
	case CHANGE_END:
		for (int kind = 0; kind < MAPPED_KINDS && p != &a->other; kind++)
			a->mapped_now[kind] -= p->mapped[kind].live_bytes;
		forget(p); /* its figures stay: what was there at its end */
		break;
	}
}

void alloc_site_move(struct alloc *a, const struct memory_caller_key *from,
		     const struct memory_caller_key *to)
{
	struct alloc_site *site = NULL, *there = NULL;

	HASH_FIND(hh, a->sites, from, sizeof(*from), site);
	if (!site)
		return;
	if (to->stack)
		HASH_FIND(hh, a->sites, to, sizeof(*to), there);
	else
		there = &a->other_site;
	HASH_DEL(a->sites, site);
	if (there) {
		alloc_add_mapped(&there->mapped, &site->mapped);
		free(site);
		return;
	}
	site->key = *to;
	HASH_ADD(hh, a->sites, key, sizeof(site->key), site);
}

void alloc_processes_trim(struct probe *p, struct alloc *a)
{
	struct alloc_process *process, *next;

	HASH_ITER(hh, a->processes, process, next) {
		if (tree_find(&p->session->tree, process->proc_id))
			continue;
		for (int kind = 0; kind < MAPPED_KINDS; kind++)
			alloc_add_mapped(&a->other.mapped[kind], &process->mapped[kind]);
		HASH_DEL(a->processes, process);
		forget(process);
		free(process);
	}
	forget(&a->other); /* without ranges nobody asks for an owner again */
}

void alloc_changes_free(struct alloc *a)
{
	struct alloc_process *p, *next;
	struct alloc_site *site, *after;

	HASH_ITER(hh, a->processes, p, next) {
		HASH_DEL(a->processes, p);
		forget(p);
		free(p);
	}
	forget(&a->other);
	HASH_ITER(hh, a->sites, site, after) {
		HASH_DEL(a->sites, site);
		free(site);
	}
}
