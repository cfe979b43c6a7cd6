/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --alloc: processes that have ended. Callers are taken out of the kernel's table as they are, or
 * added to the row that the same place has for all the dead; figures of processes that have no
 * row in the report any more are added to one sum.
 */
#include <bpf/bpf.h>

#include "alloc_user.h"
#include "map_sweep.h"
#include "memory_user.h"

#define CALLERS_KEPT 4096

/* ---- callers ---- */

static uint64_t weight(const void *value)
{
	const struct memory_caller *v = value;

	return v->bytes;
}

static void add(void *to, const void *value)
{
	struct memory_caller *sum = to;
	const struct memory_caller *v = value;

	sum->allocs += v->allocs;
	sum->bytes += v->bytes;
	sum->frees += v->frees;
	sum->freed_bytes += v->freed_bytes;
	sum->unknown += v->unknown;
	sum->unknown_bytes += v->unknown_bytes;
	sum->lived_ns += v->lived_ns;
	sum->live_peak_bytes += v->live_peak_bytes;
	sum->others += 1 + v->others;
}

/* One place of a file, whatever its addresses were in each process. */
static bool fold(void *key, const void *value)
{
	const struct memory_caller *v = value;
	struct memory_caller_key *k = key;
	uint64_t stack = 0;

	if (k->proc_id && v->stacked)
		stack = k->stack;
	else if (k->proc_id && v->place.inode)
		stack = ((v->address - v->place.start + v->place.offset) ^ v->place.inode << 32 ^
			 v->place.dev) *
				0x9e3779b97f4a7c15 |
			1;
	*k = (struct memory_caller_key){ .stack = stack };
	return true;
}

/* What an exec has put an end to lives no more, though nobody freed it. */
static void taken(struct probe *p, const void *key, void *value)
{
	struct memory_caller *v = value;

	if (!alloc_is_cleared(p, key))
		return;
	v->unknown = v->allocs > v->frees ? v->allocs - v->frees : 0;
	v->unknown_bytes = v->bytes > v->freed_bytes ? v->bytes - v->freed_bytes : 0;
}

/* What user space keeps under the same key. */
static void moved(struct probe *p, const void *from, const void *to)
{
	alloc_site_move(((struct memory_data *)p->data)->alloc, from, to);
}

const struct harvest_class alloc_callers_class = {
	.map = "memory_callers",
	.key_size = sizeof(struct memory_caller_key),
	.value_size = sizeof(struct memory_caller),
	.proc_id_at = offsetof(struct memory_caller_key, proc_id),
	.kept = CALLERS_KEPT,
	.full = COUNTER_OTHER_CALLER,
	.weight = weight,
	.add = add,
	.fold = fold,
	.taken = taken,
	.moved = moved,
};

/* ---- processes ---- */

struct sweeping {
	struct probe *probe;
	struct alloc *alloc;
	int fd;
	bool full;
};

/* Not in the tree any more, so in no report either. When there is no room: ended. */
static bool may_go(void *ctx, const void *key)
{
	const struct sweeping *s = ctx;
	uint32_t proc_id = *(const uint32_t *)key;

	if (!proc_id)
		return false;
	return s->full ? harvest_is_gone(s->probe->session, proc_id)
		       : !tree_find(&s->probe->session->tree, proc_id);
}

static void take_heap(void *ctx, const void *key)
{
	const struct sweeping *s = ctx;
	struct memory_heap heap;

	/* nothing is known of one whose birth is still to be told */
	if (bpf_map_lookup_elem(s->fd, key, &heap) || !heap.ended)
		return;
	alloc_add_heap(&s->alloc->gone, &heap);
	bpf_map_delete_elem(s->fd, key);
}

void alloc_poll(struct probe *p, struct alloc *a)
{
	const uint64_t *counters = p->session->counters;
	uint64_t ended = p->session->slots.collected, full = counters[COUNTER_OTHER_HEAP];
	struct bpf_map *map = bpf_object__find_map_by_name(p->obj, "memory_heaps");
	bool was_full = full != a->full;
	struct sweeping s = { p, a, bpf_map__fd(map), was_full };

	harvest_poll(&a->callers, p);
	if (ended == a->ended || (!was_full && ended - a->ended < bpf_map__max_entries(map) / 8))
		return;
	a->ended = ended;
	a->full = full;
	harvest_sweep(&a->callers, p); /* it asks the heaps which image they are of */
	map_sweep(&(struct map_sweep){ s.fd, sizeof(uint32_t), may_go, take_heap, &s });
	alloc_processes_trim(p, a);
}
