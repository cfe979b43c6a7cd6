/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Figures by process; see slots.h.
 *
 * Limits: SLOT_ROWS rows of every map (a row a slot and stripe) but at least MIN_SLOTS slots;
 * `--limit slot_owners=N` says how many. A process that finds none free counts in slot 0, so
 * in the tree only.
 */
#include "slots.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "packed.h"
#include "session.h"

#define SLOT_ROWS 2048 /* mapped, they are part of our own memory */
#define MIN_SLOTS 512
#define MAX_SHIFT 3 /* eight stripes; bpf/slot.bpf.h takes up to 7 */
#define USAGE_TRIES 4

/* ---- sizes ---- */

static void choose_size(struct session *s)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t shift = 0, slots;

	while (shift < MAX_SHIFT && 1 << shift < cpus)
		shift++;
	s->slots.cfg.shift = shift;
	s->slots.cfg.own = cpus > 0 && cpus <= 1 << shift;
	slots = SLOT_ROWS >> shift < MIN_SLOTS ? MIN_SLOTS : SLOT_ROWS >> shift;
	s->slots.cfg.count = 1 + probe_limit(&s->target, "slot_owners", slots);
	s->slots.cfg.wake = s->slots.cfg.count / 4 + 1;
}

static int resize(struct bpf_object *obj, const char *name, uint32_t entries)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, name);

	return map ? bpf_map__set_max_entries(map, entries)
		   : err_set(-ENOENT, "there is no map '%s'", name);
}

int slots_configure(struct session *s, struct bpf_object *obj)
{
	struct bpf_map *cfg = bpf_object__find_map_by_name(obj, ".rodata.slots");
	const struct slots_cfg *c = &s->slots.cfg;
	int err;

	if (!c->count)
		choose_size(s);
	err = cfg ? bpf_map__set_initial_value(cfg, c, sizeof(*c)) : -ENOENT;
	if (!err)
		err = resize(obj, "slot_owners", c->count);
	if (!err)
		err = resize(obj, "usage_slots", c->count << c->shift);
	if (!err)
		err = resize(obj, "slots_free", c->count);
	for (const struct probe_class *const *p = probe_classes; *p && !err; p++) {
		if ((*p)->slots.map)
			err = resize(obj, (*p)->slots.map, c->count << c->shift);
		if (!err && (*p)->hists.map)
			err = resize(obj, (*p)->hists.map, (*p)->hists.n << c->shift);
	}
	return err ? err_set(err, "cannot size the slots") : 0;
}

/* ---- maps ---- */

static int map_rows(struct probe *p, const char *name, struct map_window *w, size_t *stride)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = probe_map_fd(p, name);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return -ENOENT;
	*stride = (info.value_size + 7) & ~(size_t)7; /* kernel/bpf/arraymap.c: elem_size */
	return map_window_open(w, fd, *stride * info.max_entries);
}

static int add_map(struct session *s, struct probe *p, const struct slot_class *class)
{
	struct slots *sl = &s->slots;
	struct slot_map *m = &sl->maps[sl->nmaps];
	int err;

	if (sl->nmaps == SLOT_MAPS)
		return err_set(-E2BIG, "too many slot maps");
	m->probe = p == &s->target ? NULL : p;
	m->class = *class;
	err = map_rows(p, class->map, &m->rows, &m->stride);
	m->gone = calloc(1, class->size);
	m->sum = calloc(1, class->size);
	m->offset = sl->figures_size;
	sl->figures_size += class->size;
	sl->nmaps++;
	err = !err && !(m->gone && m->sum) ? -ENOMEM : err;
	return err ? err_set(err, "cannot map '%s'", class->map) : 0;
}

int slots_open(struct session *s)
{
	static const uint16_t maxima[] = { offsetof(struct usage_slot, max_rss_pages) };
	static const struct slot_class usage = { "usage_slots", sizeof(struct usage_slot), maxima,
						 1 };
	struct slots *sl = &s->slots;
	size_t stride;
	int err = add_map(s, &s->target, &usage);

	for (size_t i = 0; i < s->nprobes && !err; i++)
		if (s->probes[i].obj && s->probes[i].class->slots.map)
			err = add_map(s, &s->probes[i], &s->probes[i].class->slots);
	if (err)
		return err;
	err = map_rows(&s->target, "slot_owners", &sl->owners_at, &stride);
	if (err)
		return err_set(err, "cannot map the slots' owners");
	map_window_reach(&sl->owners_at, sl->owners_at.bytes);
	sl->owners = (uint64_t *)(void *)sl->owners_at.at;
	sl->free_fd = probe_map_fd(&s->target, "slots_free");
	return 0;
}

void slots_close(struct session *s)
{
	struct slots *sl = &s->slots;

	for (size_t i = 0; i < sl->nmaps; i++) {
		map_window_close(&sl->maps[i].rows);
		free(sl->maps[i].gone);
		free(sl->maps[i].sum);
	}
	map_window_close(&sl->owners_at);
	memset(sl, 0, sizeof(*sl));
}

/* ---- sums ---- */

static bool is_maximum(const struct slot_class *c, size_t i)
{
	for (size_t k = 0; k < c->nmaxima; k++)
		if (c->maxima[k] == i * sizeof(uint64_t))
			return true;
	return false;
}

static void add_row(const struct slot_class *c, uint64_t *to, const uint64_t *from)
{
	for (size_t i = 0; i < c->size / sizeof(*to); i++)
		to[i] += from[i];
	for (size_t k = 0; k < c->nmaxima; k++) {
		size_t i = c->maxima[k] / sizeof(*to);

		to[i] -= from[i];
		to[i] = from[i] > to[i] ? from[i] : to[i];
	}
}

/* Slots are handed out from the first on, so the rows that are mapped are those in use. */
static uint64_t *row_at(const struct slots *sl, struct slot_map *m, uint32_t slot, uint32_t stripe)
{
	size_t at = m->stride * (slot << sl->cfg.shift | stripe);

	map_window_reach(&m->rows, at + m->stride);
	return (uint64_t *)(void *)(m->rows.at + at);
}

static void add_slot(const struct slots *sl, struct slot_map *m, uint32_t slot, uint64_t *to)
{
	for (uint32_t i = 0; i < 1U << sl->cfg.shift; i++)
		add_row(&m->class, to, row_at(sl, m, slot, i));
}

/* Takes the figures out of the slot: what the kernel side adds meanwhile is in either. */
static void take_slot(struct slots *sl, struct slot_map *m, uint32_t slot, uint64_t *to)
{
	for (uint32_t stripe = 0; stripe < 1U << sl->cfg.shift; stripe++) {
		uint64_t *row = row_at(sl, m, slot, stripe);

		for (size_t i = 0; i < m->class.size / sizeof(*row); i++) {
			uint64_t v = row[i] ? __atomic_exchange_n(&row[i], 0, __ATOMIC_RELAXED) : 0;

			if (!is_maximum(&m->class, i))
				to[i] += v;
			else if (v > to[i])
				to[i] = v;
		}
	}
}

static int tell_probes(struct session *s, uint32_t proc_id, uint32_t slot)
{
	int err = 0;

	for (size_t i = 0; i < s->nprobes; i++) {
		struct probe *p = &s->probes[i];

		if (!p->obj || !p->class->collect || !p->class->collect(p, proc_id, slot))
			continue;
		session_note(s, "a process's figures are not taken: %s", err_text());
		err = -EIO;
	}
	return err;
}

static void collect(struct session *s, struct process *p)
{
	struct slots *sl = &s->slots;
	uint32_t slot = p->slot;
	uint64_t *all;

	p->collected = true;
	sl->collected++;
	if (!slot || slot >= sl->cfg.count || sl->owners[slot] != p->proc_id) {
		tell_probes(s, p->proc_id, 0);
		return;
	}
	all = calloc(1, sl->figures_size);
	if (!all)
		abort();
	__atomic_store_n(&sl->owners[slot], 0, __ATOMIC_SEQ_CST);
	for (size_t i = 0; i < sl->nmaps; i++) {
		struct slot_map *m = &sl->maps[i];
		uint64_t *to = all + m->offset / sizeof(*all);

		take_slot(sl, m, slot, to);
		add_row(&m->class, m->gone, to);
	}
	p->figures = packed_new(all, sl->figures_size / sizeof(*all));
	if (!p->figures)
		abort();
	packed_read(p->figures, 0, sizeof(p->usage) / sizeof(*all), (uint64_t *)&p->usage);
	free(all);
	if (!tell_probes(s, p->proc_id, slot))
		bpf_map_update_elem(sl->free_fd, NULL, &slot, 0);
}

void slots_retire(struct session *s, struct process *p)
{
	if (p->queued)
		return;
	p->queued = true;
	p->retired = s->slots.fresh;
	s->slots.fresh = p;
	s->slots.nfresh++;
}

static void collect_ripe(struct session *s)
{
	struct slots *sl = &s->slots;

	for (struct process *p = sl->ripe, *next; p; p = next) {
		next = p->retired;
		p->retired = NULL;
		collect(s, p);
	}
	sl->ripe = sl->fresh;
	sl->fresh = NULL;
	sl->nfresh = 0;
}

void slots_collect(struct session *s)
{
	struct slots *sl = &s->slots;
	bool many = sl->nfresh > sl->cfg.count / 8; /* others may be waiting for their slots */

	collect_ripe(s);
	if (many)
		collect_ripe(s);
}

/* ---- questions ---- */

static struct slot_map *map_of(struct session *s, const struct probe *p)
{
	struct slots *sl = &s->slots;

	for (size_t i = 0; i < sl->nmaps; i++)
		if (sl->maps[i].probe == p)
			return &sl->maps[i];
	return NULL;
}

static uint64_t *sum_tree(const struct session *s, struct slot_map *m)
{
	const struct slots *sl = &s->slots;
	uint64_t used = s->counters[COUNTER_NEXT_SLOT] + 1;

	memcpy(m->sum, m->gone, m->class.size);
	for (uint32_t slot = 0; slot < sl->cfg.count && slot < used; slot++)
		add_slot(sl, m, slot, m->sum);
	return m->sum;
}

static uint64_t *sum_process(const struct session *s, struct slot_map *m, uint32_t proc_id)
{
	const struct slots *sl = &s->slots;
	struct process *p = tree_find(&s->tree, proc_id);

	if (!p)
		return NULL;
	packed_read(p->figures, m->offset / sizeof(*m->sum), m->class.size / sizeof(*m->sum),
		    m->sum);
	if (!p->collected && p->slot && p->slot < sl->cfg.count && sl->owners[p->slot] == proc_id)
		add_slot(sl, m, p->slot, m->sum);
	return m->sum;
}

const void *slots_tree(const struct probe *p)
{
	struct slot_map *m = map_of(p->session, p);

	return m ? sum_tree(p->session, m) : NULL;
}

const void *slots_process(const struct probe *p, uint32_t proc_id)
{
	struct slot_map *m = map_of(p->session, p);

	return m ? sum_process(p->session, m, proc_id) : NULL;
}

void slots_hist(struct probe *p, unsigned which, uint64_t buckets[HIST_BUCKETS])
{
	int fd = p->obj && p->class->hists.map ? probe_map_fd(p, p->class->hists.map) : -1;
	uint64_t stripe[HIST_BUCKETS];

	memset(buckets, 0, HIST_BUCKETS * sizeof(*buckets));
	for (uint32_t i = 0; fd >= 0 && i < 1U << p->session->slots.cfg.shift; i++) {
		uint32_t row = which << p->session->slots.cfg.shift | i;

		if (bpf_map_lookup_elem(fd, &row, stripe))
			continue;
		for (int b = 0; b < HIST_BUCKETS; b++)
			buckets[b] += stripe[b];
	}
}

/* ---- what task_struct counts ---- */

static void take_usage(void *ctx, const void *data, size_t size)
{
	struct session *s = ctx;
	struct slot_map *m = &s->slots.maps[0];
	const struct usage_live *row = data;

	for (; size >= sizeof(*row); size -= sizeof(*row), row++) {
		struct process *p = tree_find(&s->tree, row->proc_id);

		add_row(&m->class, (uint64_t *)&s->usage_now, (const uint64_t *)&row->usage);
		if (p)
			add_row(&m->class, (uint64_t *)&p->usage_now,
				(const uint64_t *)&row->usage);
	}
}

static void begin_usage(struct session *s)
{
	struct process *p, *next;

	memset(&s->usage_now, 0, sizeof(s->usage_now));
	HASH_ITER(hh, s->tree.processes, p, next)
		memset(&p->usage_now, 0, sizeof(p->usage_now));
}

/* What ended threads have left in the slots, on top of the living. */
static void add_ended(struct session *s)
{
	struct slot_map *m = &s->slots.maps[0];
	struct process *p, *next;

	add_row(&m->class, (uint64_t *)&s->usage_now, sum_tree(s, m));
	HASH_ITER(hh, s->tree.processes, p, next)
		if (!p->collected)
			add_row(&m->class, (uint64_t *)&p->usage_now,
				sum_process(s, m, p->proc_id));
}

/* Of two readings the larger, member by member: a total never falls. */
static void raise_usage(struct usage_slot *to, const struct usage_slot *from)
{
	uint64_t *t = (uint64_t *)to;
	const uint64_t *f = (const uint64_t *)from;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*t); i++)
		t[i] = f[i] > t[i] ? f[i] : t[i];
}

static void accept_usage(struct session *s)
{
	struct process *p, *next;

	raise_usage(&s->usage, &s->usage_now);
	HASH_ITER(hh, s->tree.processes, p, next)
		raise_usage(&p->usage, &p->usage_now);
}

static uint64_t counter(const struct session *s, enum counter which)
{
	return __atomic_load_n(&s->counters[which], __ATOMIC_ACQUIRE);
}

/*
 * A thread that ends meanwhile would be missing or counted twice: then again. A reading that
 * never was steady is not taken: the one before stands until the next.
 */
int slots_read_usage(struct session *s, bool final)
{
	bool steady = false;
	int err = 0;

	for (int i = 0; i < USAGE_TRIES && !err && !steady; i++) {
		uint64_t ended = counter(s, COUNTER_THREADS_ENDED);

		begin_usage(s);
		err = session_iterate(&s->target, "target_usage", take_usage, s);
		add_ended(s);
		steady = ended == counter(s, COUNTER_THREADS_ENDED) &&
			 ended == counter(s, COUNTER_THREADS_EXITED);
	}
	if (!err && (steady || final))
		accept_usage(s);
	return err;
}

const struct usage_slot *usage_tree(const struct session *s)
{
	return &s->usage;
}

const struct usage_slot *usage_process(const struct session *s, uint32_t proc_id)
{
	struct process *p = tree_find(&s->tree, proc_id);

	return p ? &p->usage : NULL;
}
