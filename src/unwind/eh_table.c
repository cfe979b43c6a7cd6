/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes unwind tables: FDEs in the order of their addresses, each run once, its states written
 * as rows; equal neighbours are one row. See eh_table.h.
 */
#include "eh_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cfa.h"
#include "eh_frame.h"
#include "elf_image.h"

/*
 * Padding between two functions: no code runs there, and a return address of a call that ends
 * a function is looked up one byte before. A row less for each function.
 */
#define PADDING 16

struct builder {
	struct eh_table *t;
	size_t room;
	uint64_t end; /* of the last function, less base */
};

static int grow(struct builder *b)
{
	size_t wanted = b->room ? b->room * 2 : 4096;
	struct unwind_row *rows;

	if (wanted > EH_ROWS_MAX)
		return -EFBIG;
	rows = reallocarray(b->t->rows, wanted, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	b->t->rows = rows;
	b->room = wanted;
	return 0;
}

static bool same_rule(const struct unwind_row *a, const struct unwind_row *b)
{
	return a->rule == b->rule && a->cfa == b->cfa && a->rbp == b->rbp && a->rbx == b->rbx;
}

/* The row holds from pc on, which is not below the last one's. */
static int add_row(struct builder *b, uint64_t pc, struct unwind_row row)
{
	struct eh_table *t = b->t;
	int err;

	row.pc = (uint32_t)pc;
	if (t->nrows && t->rows[t->nrows - 1].pc == row.pc)
		t->nrows--; /* of no length */
	if (t->nrows && same_rule(&t->rows[t->nrows - 1], &row))
		return 0;
	if (t->nrows == b->room) {
		err = grow(b);
		if (err)
			return err;
	}
	t->rows[t->nrows++] = row;
	return 0;
}

/* A function's rows; one of no rule when its program is broken. */
static int add_program(struct builder *b, const struct eh_frame *f, const struct eh_fde *fde,
		       uint64_t end, struct cfa_machine *m)
{
	const struct eh_cie *cie = &f->cies[fde->cie];
	const uint8_t *bytes = f->bytes + fde->program;
	struct eh_reader program = { .at = bytes, .end = bytes + fde->program_size };
	size_t before = b->t->nrows;
	uint64_t until;
	int more, err;

	cfa_begin(m, &cie->common, &cie->initial, program, fde->start, end);
	while ((more = cie->usable ? cfa_next(m, &until) : -EINVAL) > 0) {
		err = add_row(b, m->at - b->t->base, cfa_row(&m->now));
		if (err)
			return err;
		m->at = until;
	}
	if (!more)
		return 0;
	b->t->nrows = before;
	return add_row(b, fde->start - b->t->base,
		       (struct unwind_row){ .rule = UNWIND_UNSUPPORTED });
}

/* What lies before the function and belongs to none. */
static int add_gap(struct builder *b, uint64_t start)
{
	if (b->t->nrows && start < b->end + PADDING)
		return 0;
	return add_row(b, b->end, (struct unwind_row){ .rule = UNWIND_NONE });
}

static int add_rows(struct builder *b, const struct eh_frame *f)
{
	struct cfa_machine m; /* kept: its stack of states is big */
	struct eh_table *t = b->t;
	int err;

	for (size_t i = 0; i < f->nfdes; i++) {
		const struct eh_fde *fde = &f->fdes[i];
		uint64_t end = fde->start + fde->size;

		/* of two that overlap the one that begins later holds */
		if (i + 1 < f->nfdes && f->fdes[i + 1].start < end)
			end = f->fdes[i + 1].start;
		if (end == fde->start)
			continue;
		err = add_gap(b, fde->start - t->base);
		if (err)
			return err;
		if (fde->cie == EH_NO_CIE)
			err = add_row(b, fde->start - t->base,
				      (struct unwind_row){ .rule = UNWIND_END });
		else
			err = add_program(b, f, fde, end, &m);
		if (err)
			return err;
		b->end = end - t->base;
	}
	if (b->end >= t->span)
		return 0;
	return add_row(b, b->end, (struct unwind_row){ .rule = UNWIND_NONE });
}

/* The index: for each page the row in force at its start, up to the last that begins in it. */
static int add_pages(struct eh_table *t)
{
	size_t row = 0;

	t->npages = (t->span + UNWIND_PAGE - 1) >> UNWIND_PAGE_SHIFT;
	t->pages = calloc(t->npages, sizeof(*t->pages));
	if (!t->pages)
		return -ENOMEM;
	for (size_t i = 0; i < t->npages; i++) {
		uint64_t start = (uint64_t)i << UNWIND_PAGE_SHIFT;

		while (row < t->nrows && t->rows[row].pc <= start)
			row++;
		t->pages[i].low = (uint32_t)(row ? row - 1 : 0);
		while (row < t->nrows && t->rows[row].pc < start + UNWIND_PAGE)
			row++;
		t->pages[i].high = (uint32_t)row;
	}
	return 0;
}

static void count(struct eh_table *t)
{
	for (size_t i = 0; i < t->nrows; i++) {
		uint64_t end = i + 1 < t->nrows ? t->rows[i + 1].pc : t->span;
		uint64_t length = end - t->rows[i].pc;

		if (t->rows[i].rule != UNWIND_NONE)
			t->covered += length;
		if (t->rows[i].rule == UNWIND_UNSUPPORTED)
			t->unsupported += length;
	}
}

static void drop_rows(struct eh_table *t)
{
	free(t->rows);
	free(t->pages);
	t->rows = NULL;
	t->pages = NULL;
	t->nrows = t->npages = 0;
}

/* Rows and index of an image that is identified. */
static int make(struct eh_table *t, const struct elf_image *image)
{
	struct builder b = { .t = t };
	struct unwind_row *fitted;
	struct eh_frame f;
	int err;

	err = eh_frame_read(&f, image, t);
	if (!err && !f.nfdes)
		err = -ENOENT;
	if (!err)
		err = add_rows(&b, &f);
	eh_frame_free(&f);
	if (!err)
		err = add_pages(t);
	if (err) {
		drop_rows(t);
		return err;
	}
	fitted = reallocarray(t->rows, t->nrows, sizeof(*t->rows));
	if (fitted)
		t->rows = fitted;
	count(t);
	return 0;
}

static int read_table(struct eh_table *t, struct elf_image *image, int opened, bool rows)
{
	int err = opened;

	*t = (struct eh_table){ 0 };
	if (!err)
		err = elf_image_identify(image, t);
	if (!err && rows)
		err = make(t, image);
	elf_image_close(image);
	return err;
}

int eh_table_read(struct eh_table *t, int fd)
{
	struct elf_image image;

	return read_table(t, &image, elf_image_open(&image, fd), true);
}

int eh_table_read_image(struct eh_table *t, const void *memory, size_t size)
{
	struct elf_image image;

	return read_table(t, &image, elf_image_open_memory(&image, memory, size), true);
}

int eh_table_identify(struct eh_table *t, int fd)
{
	struct elf_image image;

	return read_table(t, &image, elf_image_open(&image, fd), false);
}

void eh_table_free(struct eh_table *t)
{
	drop_rows(t);
	*t = (struct eh_table){ 0 };
}

const struct unwind_row *eh_table_find(const struct eh_table *t, uint64_t vaddr)
{
	uint32_t low, high;
	uint64_t pc = vaddr - t->base;

	if (vaddr < t->base || pc >= t->span || !t->npages)
		return NULL;
	low = t->pages[pc >> UNWIND_PAGE_SHIFT].low;
	high = t->pages[pc >> UNWIND_PAGE_SHIFT].high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->rows[middle].pc <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &t->rows[low - 1] : NULL;
}
