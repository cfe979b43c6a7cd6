/* SPDX-License-Identifier: BSD-2-Clause */
/* The code paths with the most time (engine/code_paths.h), a row each and below it the path. */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "format.h"
#include "stack_path.h"
#include "text_parts.h"

#define NAME_LEAST 12 /* columns that one function's name of several has, or half of a line */
#define NOTE_INDENT 4
#define LINES 2

struct words {
	const struct code_path *path;
	const struct text_style *style;
	int columns; /* of a line */
	size_t from; /* the first, and then from here on */
};

/* The i-th function from the root, clean and not too long. */
static char *word(const struct words *w, size_t i, char buf[CELL_LEN])
{
	int columns = w->columns;

	if (w->path->n > 1)
		columns = columns / 2 > NAME_LEAST ? columns / 2 : NAME_LEAST;
	format_clean(buf, CELL_LEN, w->path->words[i], w->style->utf8);
	format_cut_function(buf, CELL_LEN, columns, w->style->utf8);
	return buf;
}

/* Writes the path, with line breaks; returns how many lines that are. */
static int put_path(FILE *f, const struct words *w)
{
	const char *gap = w->style->utf8 ? "…" : "...";
	int lines = 1, column = 0;
	char buf[CELL_LEN];

	for (size_t i = 0; i < w->path->n; i++) {
		bool last = i + 1 == w->path->n, cut = !i && w->from > 1;
		int need = format_columns(word(w, i, buf)) + (last ? 0 : 2);

		if (column && column + 1 + need > w->columns) {
			fprintf(f, "\n%*s", NOTE_INDENT + 2, "");
			column = 2;
			lines++;
		} else if (column) {
			fputc(' ', f);
			column++;
		}
		fprintf(f, "%s%s", buf, last ? "" : " >");
		column += need;
		if (cut) {
			fprintf(f, " %s >", gap);
			column += format_columns(gap) + 3;
			i = w->from - 1;
		}
	}
	return lines;
}

/* As many functions as fit: the first, and of the others the last. Freed by the caller. */
static char *path_text(const struct code_path *path, const struct text_style *style)
{
	struct words w = { path, style, text_width(style) - NOTE_INDENT, 1 };
	char *text = NULL;
	size_t size = 0;
	int lines = 0;

	do {
		FILE *f = open_memstream(&text, &size);

		if (!f)
			return NULL;
		lines = put_path(f, &w);
		fclose(f);
		if (lines <= LINES || w.from + 1 >= path->n)
			break;
		free(text);
		w.from++;
	} while (true);
	return text;
}

static void add_row(struct table *t, const struct code_path *p, uint64_t whole)
{
	enum { STATE, WHO, TIME, SHARE, SAMPLES };
	char buf[FORMAT_LEN], *path = path_text(p, t->style);

	table_text(t, STATE, text_state_color(p->state), "%s", stack_state_name(p->state));
	table_text(t, WHO, COLOR_DIM, "%s", p->comm);
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
	const struct stacks_report *s = &r->stacks;
	struct table *t =
		s->npaths ? table_new(style, columns, sizeof(columns) / sizeof(*columns)) : NULL;
	char heading[64] = "code paths", number[FORMAT_LEN];

	if (!t)
		return;
	for (size_t i = 0; i < s->npaths && table_row(t); i++)
		add_row(t, &s->paths[i], stack_rows_ns(s));
	if (s->npaths_all > s->npaths)
		snprintf(heading, sizeof(heading), "top code paths, of %s",
			 format_count(number, s->npaths_all));
	fputc('\n', f);
	table_print(f, t, heading);
	table_free(t);
}
