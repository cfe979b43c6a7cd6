/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --alloc: the report. Figures of processes come from memory_heaps, those of callers from
 * memory_callers; what they have mapped is user space's own. A caller is one row for all
 * processes: what tells it is its place in a file.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_user.h"
#include "lookup.h"
#include "err.h"

#define ROWS 50 /* of each list of callers */

/* ---- figures ---- */

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void take_heap(struct alloc_figures *f, const struct memory_heap *h)
{
	memcpy(f->calls, h->calls, sizeof(f->calls));
	f->failed = h->failed;
	f->allocs = h->allocs;
	f->bytes = h->bytes;
	f->frees = h->frees;
	f->freed_bytes = h->freed_bytes;
	f->unknown = h->unknown;
	f->unknown_bytes = h->unknown_bytes;
	f->cleared = h->cleared;
	f->cleared_bytes = h->cleared_bytes;
	f->frees_null = h->frees_null;
	f->frees_before = h->frees_before;
	f->reused = h->reused;
	f->live = less(f->allocs, f->frees + f->unknown + f->cleared);
	f->live_bytes = less(f->bytes, f->freed_bytes + f->unknown_bytes + f->cleared_bytes);
	f->live_peak_bytes = h->live_peak_bytes;
}

void alloc_add_mapped(struct alloc_mapped *to, const struct alloc_mapped *from)
{
	to->count += from->count;
	to->bytes += from->bytes;
	to->released_bytes += from->released_bytes;
	to->cleared_bytes += from->cleared_bytes;
	to->live_bytes += from->live_bytes;
}

static void add_figures(struct alloc_figures *to, const struct alloc_figures *from)
{
	for (int i = 0; i < ALLOC_FUNCTIONS; i++)
		to->calls[i] += from->calls[i];
	to->failed += from->failed;
	to->allocs += from->allocs;
	to->bytes += from->bytes;
	to->frees += from->frees;
	to->freed_bytes += from->freed_bytes;
	to->unknown += from->unknown;
	to->unknown_bytes += from->unknown_bytes;
	to->cleared += from->cleared;
	to->cleared_bytes += from->cleared_bytes;
	to->frees_null += from->frees_null;
	to->frees_before += from->frees_before;
	to->reused += from->reused;
	to->live += from->live;
	to->live_bytes += from->live_bytes;
}

void alloc_add_heap(struct alloc_figures *to, const struct memory_heap *h)
{
	struct alloc_figures one = { 0 };

	take_heap(&one, h);
	add_figures(to, &one);
}

static void fill_tree(struct probe *p, struct alloc *a, struct alloc_report *out)
{
	int fd = probe_map_fd(p, "memory_heaps");
	struct alloc_process *process, *next;
	struct memory_heap heap;
	uint32_t id, *last = NULL, at;

	add_figures(&out->tree, &a->gone);
	for (; !bpf_map_get_next_key(fd, last, &id); at = id, last = &at)
		if (!bpf_map_lookup_elem(fd, &id, &heap))
			alloc_add_heap(&out->tree, &heap);
	HASH_ITER(hh, a->processes, process, next) {
		for (int kind = 0; kind < MAPPED_KINDS; kind++)
			alloc_add_mapped(&out->tree.mapped[kind], &process->mapped[kind]);
	}
	for (int kind = 0; kind < MAPPED_KINDS; kind++) {
		alloc_add_mapped(&out->tree.mapped[kind], &a->other.mapped[kind]);
		out->tree.mapped[kind].live_peak_bytes = a->mapped_peak[kind];
	}
	out->tree.live_peak_bytes = a->tree->live_peak_bytes;
}

static void fill_processes(struct probe *p, struct alloc *a, struct report *r)
{
	int fd = probe_map_fd(p, "memory_heaps");
	struct alloc_report *out = &r->memory.alloc;

	out->processes = report_alloc(r, (r->ledger.nprocesses + 1) * sizeof(*out->processes));
	for (size_t i = 0; i < r->ledger.nprocesses; i++) {
		const struct process_row *of = &r->ledger.processes[i];
		struct alloc_process_row *row = &out->processes[out->nprocesses];
		struct alloc_process *process = NULL;
		struct memory_heap heap;
		bool has = !bpf_map_lookup_elem(fd, &of->proc_id, &heap);

		HASH_FIND(hh, a->processes, &of->proc_id, sizeof(of->proc_id), process);
		if (!has && !process)
			continue;
		out->nprocesses++;
		row->pid = of->pid;
		row->proc_id = of->proc_id;
		memcpy(row->comm, of->comm, sizeof(row->comm));
		if (has)
			take_heap(&row->figures, &heap);
		if (process)
			memcpy(row->figures.mapped, process->mapped, sizeof(process->mapped));
	}
}

static void fill_sizes(const struct alloc *a, struct report *r)
{
	struct alloc_report *out = &r->memory.alloc;

	out->sizes = report_alloc(r, ALLOC_SIZES * sizeof(*out->sizes));
	for (int i = 0; i < ALLOC_SIZES; i++) {
		if (!a->tree->sizes[i])
			continue;
		out->sizes[out->nsizes++] = (struct alloc_size_row){
			.from = i ? 1ULL << (i - 1) : 0,
			.to = i == ALLOC_SIZES - 1 ? UINT64_MAX : (1ULL << i) - 1,
			.count = a->tree->sizes[i],
			.bytes = a->tree->size_bytes[i],
		};
	}
}

/* ---- callers ---- */

/* What tells a caller, whatever process it is in. */
struct place {
	uint64_t at; /* offset in the file, or address, or hash of a stack */
	uint64_t inode;
	uint32_t dev, proc_id; /* proc_id: of an address that is in no file */
};

struct caller {
	struct place place, site; /* site: of the return address */
	uint64_t stack;           /* hash; 0: none was taken */
	uint64_t address, top_bytes;
	uint32_t top_proc_id;
	bool other;
	uint64_t lived_ns;
	struct alloc_caller_row row;
	UT_hash_handle hh;
};

static struct caller *caller_of(struct caller **table, const struct place *place)
{
	struct caller *c = NULL;

	/* clang's analyzer does not follow a struct's bytes: NOLINTNEXTLINE(clang-analyzer-*) */
	HASH_FIND(hh, *table, place, sizeof(*place), c);
	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->place = *place;
	HASH_ADD(hh, *table, place, sizeof(c->place), c);
	return c;
}

static void take_caller(struct alloc *a, struct caller **table, const struct memory_caller_key *key,
			const struct memory_caller *v, bool cleared)
{
	struct place place = { .at = key->stack, .proc_id = key->proc_id }, at = { 0 };
	const struct alloc_mapped *mapped = key->stack ? NULL : &a->other_site.mapped;
	struct alloc_site *site = NULL;
	struct caller *c;

	/* clang's analyzer does not follow a struct's bytes: NOLINTNEXTLINE(clang-analyzer-*) */
	HASH_FIND(hh, a->sites, key, sizeof(*key), site);
	if (site)
		mapped = &site->mapped;
	if (!v->allocs && !(mapped && mapped->count))
		return;
	if (v->place.inode)
		at = (struct place){ v->address - v->place.start + v->place.offset, v->place.inode,
				     v->place.dev, 0 };
	if (v->stacked) /* the same in every process */
		place = (struct place){ .at = key->stack };
	else if (v->place.inode)
		place = at;
	c = caller_of(table, &place);
	c->address = v->address;
	c->stack = v->stacked ? key->stack : 0;
	c->site = at;
	c->other = !key->stack;
	c->lived_ns += v->lived_ns;
	c->row.processes += 1 + v->others;
	c->row.allocs += v->allocs;
	c->row.bytes += v->bytes;
	c->row.frees += v->frees;
	c->row.freed_bytes += v->freed_bytes;
	if (!cleared) {
		c->row.live += less(v->allocs, v->frees + v->unknown);
		c->row.live_bytes += less(v->bytes, v->freed_bytes + v->unknown_bytes);
	}
	c->row.live_peak_bytes += v->live_peak_bytes;
	if (mapped && mapped->count) {
		c->row.has_mapped = true;
		alloc_add_mapped(&c->row.mapped, mapped);
		c->row.mapped.live_peak_bytes += mapped->live_peak_bytes;
	}
	if (v->bytes + (mapped ? mapped->bytes : 0) >= c->top_bytes) {
		c->top_bytes = v->bytes + (mapped ? mapped->bytes : 0);
		c->top_proc_id = key->proc_id;
	}
}

bool alloc_is_cleared(struct probe *p, const struct memory_caller_key *key)
{
	struct memory_heap heap;

	return key->proc_id &&
	       !bpf_map_lookup_elem(probe_map_fd(p, "memory_heaps"), &key->proc_id, &heap) &&
	       heap.image != key->image;
}

struct reading {
	struct probe *probe;
	struct alloc *alloc;
	struct caller *table;
};

static void read_caller(void *ctx, const void *key, const void *value)
{
	struct reading *r = ctx;

	take_caller(r->alloc, &r->table, key, value, alloc_is_cleared(r->probe, key));
}

static int by_live(const void *x, const void *y)
{
	const struct caller *a = *(struct caller *const *)x, *b = *(struct caller *const *)y;

	if (a->row.live_bytes != b->row.live_bytes)
		return a->row.live_bytes < b->row.live_bytes ? 1 : -1;
	return (a->row.live < b->row.live) - (a->row.live > b->row.live);
}

static int by_bytes(const void *x, const void *y)
{
	const struct caller *a = *(struct caller *const *)x, *b = *(struct caller *const *)y;
	uint64_t left = a->row.bytes + a->row.mapped.bytes;
	uint64_t right = b->row.bytes + b->row.mapped.bytes;

	if (left != right)
		return left < right ? 1 : -1;
	return (a->row.allocs < b->row.allocs) - (a->row.allocs > b->row.allocs);
}

/* "parse (app)"; what has no function's name has its module in it already. */
static const char *frame_text(struct report *r, const struct stack_frame *frame)
{
	if (!frame->module || strchr(frame->name, '+') || frame->kind == STACK_FRAME_MARK)
		return frame->name;
	return report_printf(r, "%s (%s)", frame->name, frame->module);
}

static void name_frames(struct probe *p, struct alloc *a, struct report *r, struct caller *c)
{
	struct alloc_caller_row *row = &c->row;
	size_t n = 0;
	const struct stack_frame *const *frames =
		c->stack ? stacks_frames(p->session, r, c->stack, &n) : NULL;

	row->frames = report_alloc(r, (n + 1) * sizeof(*row->frames));
	/* the allocator's own function is left out */
	for (size_t i = n > 1 && row->allocs ? 1 : 0; i < n; i++)
		row->frames[row->nframes++] = frame_text(r, frames[i]);
	if (!row->nframes)
		row->frames[row->nframes++] =
			c->other ? "other"
				 : alloc_name(p, a->names, r, c->site.inode, c->site.dev,
					      c->site.at, c->address);
}

static void finish_row(struct probe *p, struct alloc *a, struct report *r, struct caller *c)
{
	const struct process *process = tree_find(&p->session->tree, c->top_proc_id);
	struct alloc_caller_row *row = &c->row;

	if (row->frames)
		return;
	name_frames(p, a, r, c);
	row->lived_ns = row->frees ? c->lived_ns / row->frees : 0;
	if (process) {
		row->pid = process->pid;
		row->comm = report_printf(r, "%.*s", COMM_LEN, process->comm);
	}
}

/*
 * What `other` has of a process is not cleared by its exec: the row is of all processes. At most
 * what the others leave of the tree lives.
 */
static void bound_other(const struct alloc_figures *tree, struct caller **list, size_t n)
{
	uint64_t live = tree->live, live_bytes = tree->live_bytes;
	struct alloc_caller_row *other = NULL;

	for (size_t i = 0; i < n; i++) {
		if (list[i]->other) {
			other = &list[i]->row;
			continue;
		}
		live = less(live, list[i]->row.live);
		live_bytes = less(live_bytes, list[i]->row.live_bytes);
	}
	if (!other)
		return;
	if (other->live > live)
		other->live = live;
	if (other->live_bytes > live_bytes)
		other->live_bytes = live_bytes;
}

static void fill_callers(struct probe *p, struct alloc *a, struct report *r, struct caller **list,
			 size_t n)
{
	struct alloc_report *out = &r->memory.alloc;

	out->leaks = report_alloc(r, ROWS * sizeof(*out->leaks));
	out->callers = report_alloc(r, ROWS * sizeof(*out->callers));
	qsort(list, n, sizeof(struct caller *), by_live);
	for (size_t i = 0; i < n && i < ROWS && list[i]->row.live; i++) {
		finish_row(p, a, r, list[i]);
		out->leaks[out->nleaks++] = list[i]->row;
	}
	qsort(list, n, sizeof(struct caller *), by_bytes);
	for (size_t i = 0; i < n && i < ROWS; i++) {
		finish_row(p, a, r, list[i]);
		out->callers[out->ncallers++] = list[i]->row;
	}
	out->callers_cut = n - out->ncallers;
}

static void fill_lists(struct probe *p, struct alloc *a, struct report *r)
{
	struct reading reading = { .probe = p, .alloc = a };
	struct caller *table, *c, *next, **list;
	size_t n = 0;

	harvest_each(&a->callers, p, read_caller, &reading);
	table = reading.table;
	list = calloc(HASH_COUNT(table) + 1, sizeof(struct caller *));
	if (!list)
		abort();
	for (c = table; c; c = c->hh.next)
		list[n++] = c;
	bound_other(&r->memory.alloc.tree, list, n);
	fill_callers(p, a, r, list, n);
	free(list);
	HASH_ITER(hh, table, c, next) {
		HASH_DEL(table, c);
		free(c);
	}
}

static void fill_files(const struct alloc *a, struct report *r)
{
	struct alloc_report *out = &r->memory.alloc;

	out->files = report_alloc(r, (a->nfiles + 1) * sizeof(*out->files));
	for (size_t i = 0; i < a->nfiles; i++)
		out->files[out->nfiles++] = (struct alloc_file_row){
			.path = report_printf(r, "%s", a->files[i].path),
			.functions = a->files[i].functions,
			.late_ns = a->files[i].late_ns,
		};
}

int alloc_fill(struct probe *p, struct alloc *a, struct report *r)
{
	const uint64_t *counters = p->session->counters;
	struct alloc_report *out = &r->memory.alloc;

	out->present = true;
	out->sampled = p->session->options->sample_interval;
	fill_tree(p, a, out);
	/* a process that has no heap of its own is not cleared by its exec */
	out->incomplete = out->tree.unknown || a->ranges_lost || counters[COUNTER_LOST_CHANGE] ||
			  counters[COUNTER_LOST_CALL] || counters[COUNTER_OTHER_HEAP];
	if (!r->final)
		return 0;
	fill_processes(p, a, r);
	fill_sizes(a, r);
	fill_files(a, r);
	fill_lists(p, a, r);
	return 0;
}
