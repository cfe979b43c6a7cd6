/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The code paths with the most time. A path is what the program's own code was doing: its
 * functions from main on; the kernel's only where there are no others. Rows that differ in the
 * kernel, the thread or the line are one path.
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "format.h"
#include "stack_path.h"
#include "text_parts.h"

#define PATHS 10
#define NAME_LEAST 12 /* columns that one function's name of several has, or a third of all */
#define NOTE_INDENT 4
#define START_FRAMES 4 /* at most so many frames start a thread */

struct code_path {
	const struct stack_row *row;
	size_t leaf, root; /* frames[leaf .. root - 1] */
	uint64_t ns, count;
};

static bool is_code(const struct stack_frame *f)
{
	return f->kind == STACK_FRAME_USER || f->kind == STACK_FRAME_INLINED ||
	       f->kind == STACK_FRAME_JIT || f->kind == STACK_FRAME_PYTHON;
}

/* What every thread begins with. */
static bool is_start(const struct stack_frame *f)
{
	static const char *const names[] = {
		"_start",
		"__libc_start_main",
		"__libc_start_main_impl",
		"start_thread",
		"clone",
		"__libc_start_call_main",
		"clone3",
		"__clone",
		"__clone3",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(f->name, names[i]))
			return true;
	return false;
}

static bool is_unnamed(const struct stack_frame *f)
{
	return strstr(f->name, "+0x") != NULL;
}

/*
 * How many of n frames are the program's own: without what starts a thread, and frames beside it
 * that have lost their names, as in a stripped program.
 */
static size_t without_start(const struct stack_row *row, size_t n)
{
	const struct stack_frame *start = NULL; /* the last that is one */
	size_t root = n;

	for (size_t i = n; i > 1 && i + START_FRAMES > n; i--) {
		const struct stack_frame *f = row->frames[i - 1];
		bool beside = start && root == i && is_unnamed(f) && f->module && start->module &&
			      !strcmp(f->module, start->module);

		if (is_start(f))
			start = f;
		if (start == f || beside)
			root = i - 1;
	}
	return root;
}

static struct code_path path_of(const struct stack_row *row)
{
	struct code_path p = { .row = row, .root = row->nframes, .ns = row->ns };
	size_t marks = row->nframes;

	p.count = row->count;
	while (marks && row->frames[marks - 1]->kind == STACK_FRAME_MARK)
		marks--;
	p.root = marks;
	p.root = without_start(row, marks);
	while (p.leaf < p.root && !is_code(row->frames[p.leaf]))
		p.leaf++;
	if (p.leaf == p.root) { /* no code of its own: the kernel's, or the mark */
		p.leaf = 0;
		p.root = marks ? marks : row->nframes;
		while (p.leaf + 1 < p.root && row->frames[p.leaf]->kind == STACK_FRAME_WAKER)
			p.leaf++;
	}
	return p;
}

static int compare(const struct code_path *a, const struct code_path *b)
{
	size_t na = a->root - a->leaf, nb = b->root - b->leaf;
	int order = strcmp(a->row->comm ? a->row->comm : "", b->row->comm ? b->row->comm : "");

	if (!order)
		order = (a->row->state > b->row->state) - (a->row->state < b->row->state);
	for (size_t i = 1; !order && i <= na && i <= nb; i++) {
		const struct stack_frame *x = a->row->frames[a->root - i];
		const struct stack_frame *y = b->row->frames[b->root - i];

		if (x != y)
			order = strcmp(x->name, y->name);
	}
	return order ? order : (na > nb) - (na < nb);
}

static int by_code(const void *a, const void *b)
{
	const struct code_path *x = a, *y = b;
	int order = compare(x, y);

	return order ? order : (x->row > y->row) - (x->row < y->row);
}

static int by_time(const void *a, const void *b)
{
	const struct code_path *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return by_code(a, b);
}

/* Each path once, by time; NULL: none, or no memory. */
static struct code_path *find_paths(const struct stacks_report *s, size_t *n)
{
	struct code_path *paths = s->nrows ? calloc(s->nrows, sizeof(*paths)) : NULL;
	size_t rows = 0;

	*n = 0;
	if (!paths)
		return NULL;
	for (size_t i = 0; i < s->nrows; i++)
		if (s->rows[i].count && s->rows[i].nframes)
			paths[rows++] = path_of(&s->rows[i]);
	qsort(paths, rows, sizeof(*paths), by_code);
	for (size_t i = 0; i < rows; i++) {
		if (*n && !compare(&paths[*n - 1], &paths[i])) {
			paths[*n - 1].ns += paths[i].ns;
			paths[*n - 1].count += paths[i].count;
		} else {
			paths[(*n)++] = paths[i];
		}
	}
	qsort(paths, *n, sizeof(*paths), by_time);
	return paths;
}

/* --- on the screen --- */

struct words {
	const struct code_path *path;
	const struct text_style *style;
	size_t n; /* functions */
};

/* The i-th function from the root, clean and not too long. */
static char *word(const struct words *w, size_t i, int columns, char buf[CELL_LEN])
{
	const struct stack_frame *f = w->path->row->frames[w->path->root - 1 - i];

	if (w->n > 1)
		columns = columns / 3 > NAME_LEAST ? columns / 3 : NAME_LEAST;
	format_clean(buf, CELL_LEN, f->name, w->style->utf8);
	format_cut(buf, CELL_LEN, columns, CUT_MIDDLE, w->style->utf8);
	return buf;
}

/* The first function and as many of the last as fit, the leaf always. Freed by the caller. */
static char *path_text(const struct words *w, int columns)
{
	const char *gap = w->style->utf8 ? "… > " : "... > ";
	char buf[CELL_LEN], *text;
	int room = columns - format_columns(gap);
	size_t from = w->n, size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	if (w->n > 1)
		room -= format_columns(word(w, 0, columns, buf)) + 3;
	while (from) {
		int need = format_columns(word(w, from - 1, columns, buf)) + (from < w->n ? 3 : 0);

		if (from < w->n && need > room)
			break;
		room -= need;
		from--;
	}
	if (from && (room >= 0 || from < w->n - 1))
		fprintf(f, "%s > ", word(w, 0, columns, buf));
	if (from > 1)
		fputs(gap, f);
	for (size_t i = from; i < w->n; i++)
		fprintf(f, "%s%s", i > from ? " > " : "", word(w, i, columns, buf));
	fclose(f);
	return text;
}

static void add_row(struct table *t, const struct code_path *p, uint64_t whole)
{
	enum { STATE, WHO, TIME, SHARE, SAMPLES };
	struct words w = { p, t->style, p->root - p->leaf };
	uint32_t state = p->row->state < LEDGER_STATES ? p->row->state : STATE_OTHER;
	char buf[FORMAT_LEN], *path = path_text(&w, text_width(t->style) - NOTE_INDENT);

	table_text(t, STATE, text_state_color(state), "%s", stack_state_name(state));
	table_text(t, WHO, COLOR_DIM, "%s", p->row->comm ? p->row->comm : "");
	table_text(t, TIME, COLOR_NONE, "%s", format_duration(buf, p->ns, t->style->utf8));
	table_text(t, SHARE, COLOR_NONE, "%s", format_share(buf, p->ns, whole));
	table_text(t, SAMPLES, COLOR_NONE, "%s", format_count(buf, p->count));
	if (path)
		table_note(t, NOTE_INDENT, path);
	free(path);
}

void text_stacks(FILE *f, const struct report *r, const struct text_style *style)
{
	static const struct table_column columns[] = {
		{},
		{ .flex = true },
		{ .title = "time", .right = true },
		{ .title = "share", .right = true },
		{ .title = "samples", .right = true, .drop = 1 },
	};
	size_t n, shown;
	struct code_path *paths = find_paths(&r->stacks, &n);
	struct table *t = n ? table_new(style, columns, sizeof(columns) / sizeof(*columns)) : NULL;
	uint64_t whole = stack_rows_ns(&r->stacks);
	char heading[64], number[FORMAT_LEN];

	shown = n < PATHS ? n : PATHS;
	for (size_t i = 0; t && i < shown && table_row(t); i++)
		add_row(t, &paths[i], whole);
	if (t) {
		if (n > shown)
			snprintf(heading, sizeof(heading), "top code paths, of %s",
				 format_count(number, n));
		else
			snprintf(heading, sizeof(heading), "code paths");
		fputc('\n', f);
		table_print(f, t, heading);
	}
	table_free(t);
	free(paths);
}
