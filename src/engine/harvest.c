/* SPDX-License-Identifier: BSD-2-Clause */
/* See harvest.h. A row that the kernel side makes anew for a dead process is added the next time. */
#include "harvest.h"

#include <bpf/bpf.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "map_sweep.h"
#include "session.h"

#define VALUE_MAX 256         /* bytes, of every class */
#define SWEEP_NS 200000000ULL /* a sweep of a full table takes 5 ms */

struct harvested {
	UT_hash_handle hh;
	unsigned char *value; /* behind the key */
	unsigned char key[];
};

bool harvest_is_gone(const struct session *s, uint32_t proc_id)
{
	const struct process *p = tree_find(&s->tree, proc_id);

	return !p || (p->dead && (p->collected || p->presumed));
}

static uint32_t proc_of(const struct harvest_class *c, const void *key)
{
	uint32_t proc_id;

	memcpy(&proc_id, (const unsigned char *)key + c->proc_id_at, sizeof(proc_id));
	return proc_id;
}

static void put(struct harvest *h, const void *key, const void *value)
{
	const struct harvest_class *c = h->class;
	struct harvested *row = NULL;

	/* clang's analyzer does not follow a struct's bytes: NOLINTNEXTLINE(clang-analyzer-*) */
	HASH_FIND(hh, h->rows, key, (unsigned)c->key_size, row);
	if (row) {
		c->add(row->value, value);
		return;
	}
	row = calloc(1, sizeof(*row) + ((c->key_size + 7) & ~(size_t)7) + c->value_size);
	if (!row)
		abort();
	row->value = row->key + ((c->key_size + 7) & ~(size_t)7);
	memcpy(row->key, key, c->key_size);
	memcpy(row->value, value, c->value_size);
	HASH_ADD_KEYPTR(hh, h->rows, row->key, (unsigned)c->key_size, row);
}

/* ---- too many ---- */

struct weighed {
	struct harvested *row;
	uint64_t weight;
};

static int by_weight(const void *a, const void *b)
{
	const struct weighed *x = a, *y = b;

	return x->weight < y->weight ? 1 : -(x->weight > y->weight);
}

static void fold(struct harvest *h, struct probe *p, struct harvested *row)
{
	const struct harvest_class *c = h->class;
	alignas(8) unsigned char from[MAP_KEY_MAX];
	bool stays;

	memcpy(from, row->key, c->key_size);
	/* a row of the table: NOLINTNEXTLINE(clang-analyzer-*) */
	HASH_DEL(h->rows, row);
	if (proc_of(c, row->key))
		p->session->counters[COUNTER_FOLDED_ROW]++;
	stays = c->fold(row->key, row->value);
	if (c->moved)
		c->moved(p, from, stays ? row->key : NULL);
	if (stays)
		put(h, row->key, row->value);
	free(row);
}

/* Half of them go, so that this is seldom. */
static void fold_lightest(struct harvest *h, struct probe *p)
{
	size_t n = HASH_COUNT(h->rows), at = 0;
	struct weighed *list = calloc(n, sizeof(*list));
	struct harvested *row;

	if (!list)
		abort();
	for (row = h->rows; row; row = row->hh.next)
		list[at++] = (struct weighed){ row, h->class->weight(row->value) };
	qsort(list, n, sizeof(*list), by_weight);
	for (size_t i = h->class->kept / 2; i < n; i++)
		fold(h, p, list[i].row);
	free(list);
}

/* ---- taking out ---- */

struct sweeping {
	struct harvest *harvest;
	struct probe *probe;
	int fd;
};

static bool is_gone(void *ctx, const void *key)
{
	const struct sweeping *s = ctx;
	uint32_t proc_id = proc_of(s->harvest->class, key);

	return proc_id && harvest_is_gone(s->probe->session, proc_id);
}

static void take_row(void *ctx, const void *key)
{
	const struct sweeping *s = ctx;
	struct harvest *h = s->harvest;
	alignas(8) unsigned char value[VALUE_MAX];

	if (bpf_map_lookup_and_delete_elem(s->fd, key, value))
		return;
	if (h->class->taken)
		h->class->taken(s->probe, key, value);
	put(h, key, value);
	if (HASH_COUNT(h->rows) > h->class->kept)
		fold_lightest(h, s->probe);
}

void harvest_sweep(struct harvest *h, struct probe *p)
{
	struct sweeping s = { h, p, probe_map_fd(p, h->class->map) };

	h->swept_ns = session_clock();
	h->ended = p->session->slots.collected;
	h->full = p->session->counters[h->class->full];
	map_sweep(&(struct map_sweep){ s.fd, h->class->key_size, is_gone, take_row, &s });
}

void harvest_poll(struct harvest *h, struct probe *p)
{
	const uint64_t *counters = p->session->counters;
	uint64_t ended = p->session->slots.collected, full = counters[h->class->full];
	uint64_t now = session_clock();
	struct bpf_map *map;

	if (ended == h->ended || now - h->swept_ns < SWEEP_NS)
		return;
	map = bpf_object__find_map_by_name(p->obj, h->class->map);
	if (!map || (full == h->full && ended - h->ended < bpf_map__max_entries(map) / 8))
		return;
	harvest_sweep(h, p);
}

/* ---- the report ---- */

void harvest_each(struct harvest *h, struct probe *p,
		  void (*take)(void *ctx, const void *key, const void *value), void *ctx)
{
	const struct harvest_class *c = h->class;
	int fd = probe_map_fd(p, c->map);
	alignas(8) unsigned char key[MAP_KEY_MAX], value[VALUE_MAX];
	unsigned char *last = NULL;
	struct harvested *row;

	while (!bpf_map_get_next_key(fd, last, key)) {
		last = key;
		if (bpf_map_lookup_elem(fd, key, value))
			continue;
		/* clang's analyzer does not follow a struct's bytes: NOLINTNEXTLINE(clang-analyzer-*) */
		HASH_FIND(hh, h->rows, key, (unsigned)c->key_size, row);
		if (row)
			c->add(value, row->value);
		take(ctx, key, value);
	}
	for (row = h->rows; row; row = row->hh.next)
		if (bpf_map_lookup_elem(fd, row->key, value))
			take(ctx, row->key, row->value);
}

void harvest_free(struct harvest *h)
{
	struct harvested *row, *next;

	HASH_ITER(hh, h->rows, row, next) {
		HASH_DEL(h->rows, row);
		free(row);
	}
}
