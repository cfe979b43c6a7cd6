/* SPDX-License-Identifier: BSD-2-Clause */
/* See table_store.h. */
#include "table_store.h"

#include <errno.h>
#include <string.h>

#include "err.h"

/* ---- the arrays ---- */

static int map_array(struct probe *p, const char *name, size_t size, struct map_window *w,
		     size_t *n)
{
	struct bpf_map *map = bpf_object__find_map_by_name(p->obj, name);

	*n = map ? bpf_map__max_entries(map) : 0;
	return map ? map_window_open(w, bpf_map__fd(map), *n * size) : -ENOENT;
}

int table_store_open(struct table_store *s, struct probe *p)
{
	size_t blocks;
	int err = map_array(p, "stacks_files", sizeof(*s->files), &s->files_map, &s->nfiles);

	if (!err)
		err = map_array(p, "stacks_pages", sizeof(*s->pages), &s->pages_map, &s->npages);
	if (!err)
		err = map_array(p, "stacks_blocks", sizeof(struct stacks_block), &s->rows_map,
				&blocks);
	if (err)
		return err_set(err, "cannot map the unwind tables");
	s->nrows = blocks * STACKS_BLOCK;
	map_window_reach(&s->files_map, s->files_map.bytes); /* told in no order */
	s->files = (void *)s->files_map.at;
	s->pages = (void *)s->pages_map.at;
	s->rows_at = (void *)s->rows_map.at;
	return 0;
}

void table_store_close(struct table_store *s)
{
	struct table_known *k, *next;

	HASH_ITER(hh, s->known, k, next) {
		HASH_DEL(s->known, k);
		free(k);
	}
	map_window_close(&s->files_map);
	map_window_close(&s->pages_map);
	map_window_close(&s->rows_map);
}

/* ---- one table ---- */

bool table_store_is_ready(const struct table_store *s, uint32_t file)
{
	return s->files[file].flags & STACKS_FILE_READY;
}

static void mark_ready(struct stacks_file *f, uint32_t flags)
{
	__atomic_store_n(&f->flags, flags, __ATOMIC_RELEASE);
}

static void id_key(uint8_t key[BUILD_ID_MAX], const struct eh_table *t)
{
	memset(key, 0, BUILD_ID_MAX);
	memcpy(key, t->build_id, t->build_id_len);
}

bool table_store_shared(struct table_store *s, uint32_t file, int fd)
{
	struct stacks_file *f = &s->files[file];
	struct eh_table t = { 0 };
	struct table_known *k = NULL;
	uint8_t key[BUILD_ID_MAX];

	if (!eh_table_identify(&t, fd) && t.build_id_len) {
		id_key(key, &t);
		HASH_FIND(hh, s->known, key, sizeof(key), k);
	}
	eh_table_free(&t);
	if (!k)
		return false;
	f->page = s->files[k->file].page;
	f->npages = s->files[k->file].npages;
	f->nsegments = s->files[k->file].nsegments;
	memcpy(f->segments, s->files[k->file].segments, sizeof(f->segments));
	mark_ready(f, s->files[k->file].flags);
	return true;
}

static void remember(struct table_store *s, uint32_t file, const struct eh_table *t)
{
	struct table_known *k = t->build_id_len ? calloc(1, sizeof(*k)) : NULL;

	if (!k) /* made anew for the next one */
		return;
	id_key(k->build_id, t);
	k->file = file;
	HASH_ADD(hh, s->known, build_id, sizeof(k->build_id), k);
}

/* Where the rows of a table go: copied up to `copied`, each `shift` further on than there. */
struct copying {
	const struct eh_table *t;
	uint64_t next;   /* row in the store */
	uint64_t shift;  /* of this block's, store - table */
	uint32_t copied; /* row in the table */
	bool begun;
};

/*
 * The rows of a page are to lie in one block. Pages share a row at their border: when a block
 * is full, the next one begins with that row once more. Returns false when there is no room.
 */
static bool copy_page(struct table_store *s, struct copying *c, struct unwind_page *page)
{
	uint32_t low = page->low, high = page->high;
	bool fits = c->begun && low >= c->copied - (c->copied > 0) &&
		    (low + c->shift) / STACKS_BLOCK == (high - 1 + c->shift) / STACKS_BLOCK;

	if (!fits) {
		if (c->next % STACKS_BLOCK + (high - low) > STACKS_BLOCK)
			c->next = (c->next / STACKS_BLOCK + 1) * STACKS_BLOCK;
		c->shift = c->next - low;
		c->copied = low;
		c->begun = true;
	}
	if (high + c->shift > s->nrows)
		return false;
	if (high > c->copied) {
		map_window_reach(&s->rows_map, (high + c->shift) * sizeof(*s->rows_at));
		memcpy(s->rows_at + c->copied + c->shift, c->t->rows + c->copied,
		       (high - c->copied) * sizeof(*c->t->rows));
		c->copied = high;
		c->next = high + c->shift;
	}
	page->low = (uint32_t)(low + c->shift);
	page->high = (uint32_t)(high + c->shift);
	return true;
}

static int copy_rows(struct table_store *s, struct stacks_file *f, const struct eh_table *t)
{
	struct copying c = { .t = t, .next = s->rows };

	if (s->page + t->npages > s->npages)
		return -ENOSPC;
	map_window_reach(&s->pages_map, (s->page + t->npages) * sizeof(*s->pages));
	for (size_t i = 0; i < t->npages; i++) {
		struct unwind_page page = t->pages[i];

		if (page.low < page.high && !copy_page(s, &c, &page))
			return -ENOSPC;
		s->pages[s->page + i] = page;
	}
	f->page = (uint32_t)s->page;
	f->npages = (uint32_t)t->npages;
	s->page += t->npages;
	s->rows = c.next;
	return 0;
}

/* It has no table, and why: limits of the table itself are a matter of room, too. */
static void mark_without(struct table_store *s, struct stacks_file *f, int err)
{
	bool room = err == -ENOSPC || err == -EFBIG || err == -ENOMEM;

	s->lost += err != -ESTALE;
	mark_ready(f, STACKS_FILE_READY | STACKS_FILE_CODE | STACKS_FILE_NO_TABLE |
			      (room ? STACKS_FILE_NO_ROOM : 0));
}

void table_store_put(struct table_store *s, uint32_t file, const struct eh_table *t, int read)
{
	struct stacks_file *f = &s->files[file];
	int err = 0;

	if (read == -ENOEXEC) { /* a JIT's code, it may be */
		mark_ready(f, STACKS_FILE_READY);
		return;
	}
	if (read && read != -ENOENT)
		err = read;
	f->nsegments = 0;
	for (size_t i = 0; i < t->nsegments && i < STACKS_SEGMENTS && !err; i++) {
		f->segments[i].offset = t->segments[i].offset;
		f->segments[i].size = t->segments[i].size;
		f->segments[i].at = t->segments[i].vaddr - t->base;
		f->nsegments = (uint32_t)i + 1;
	}
	if (!err && t->npages)
		err = copy_rows(s, f, t);
	if (err) {
		mark_without(s, f, err);
		return;
	}
	mark_ready(f, STACKS_FILE_READY | STACKS_FILE_CODE);
	remember(s, file, t);
}

/* ---- as the kernel side reads it ---- */

static const struct unwind_row *row_in(const struct table_store *s, const struct unwind_page *p,
				       uint64_t at)
{
	uint32_t low = p->low, high = p->high;

	if (low >= high || high > s->nrows)
		return NULL;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (s->rows_at[middle].pc <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low > p->low ? &s->rows_at[low - 1] : NULL;
}

const struct unwind_row *table_store_find(const struct table_store *s, const struct stacks_file *f,
					  uint64_t offset)
{
	for (uint32_t i = 0; i < STACKS_SEGMENTS && i < f->nsegments; i++) {
		uint64_t at = offset - f->segments[i].offset + f->segments[i].at;

		if (offset - f->segments[i].offset >= f->segments[i].size)
			continue;
		if (at >> UNWIND_PAGE_SHIFT >= f->npages)
			return NULL;
		return row_in(s, &s->pages[f->page + (at >> UNWIND_PAGE_SHIFT)], at);
	}
	return NULL;
}
