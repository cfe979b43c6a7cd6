/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables on the screen: measure, fit, print. See text_table.h. */
#include "text_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define INDENT 2
#define GAP 2
#define FLEX_MIN 8
#define BAR_MIN 6

static const char *const color_codes[COLORS] = {
	[COLOR_NONE] = "",   [COLOR_BOLD] = "1",     [COLOR_DIM] = "2",
	[COLOR_RED] = "31",  [COLOR_GREEN] = "32",   [COLOR_YELLOW] = "33",
	[COLOR_BLUE] = "34", [COLOR_MAGENTA] = "35", [COLOR_CYAN] = "36",
};

int text_width(const struct text_style *style)
{
	return style->width < TABLE_MAX_WIDTH ? style->width : TABLE_MAX_WIDTH;
}

void text_colored(FILE *f, const struct text_style *style, enum text_color color, const char *text)
{
	if (style->color && color != COLOR_NONE && *text)
		fprintf(f, "\033[%sm%s\033[0m", color_codes[color], text);
	else
		fputs(text, f);
}

struct table *table_new(const struct text_style *style, const struct table_column *columns,
			size_t ncolumns)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->style = style;
	t->columns = columns;
	t->ncolumns = ncolumns;
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t r = 0; r < t->nrows; r++) {
		for (size_t c = 0; c < t->ncolumns; c++)
			free(t->cells[r][c].text);
		free(t->notes[r]);
	}
	free(t);
}

bool table_row(struct table *t)
{
	if (t->nrows == TABLE_ROWS)
		return false;
	t->nrows++;
	return true;
}

static struct table_cell *present_cell(struct table *t, size_t column)
{
	return &t->cells[t->nrows - 1][column];
}

void table_text(struct table *t, size_t column, enum text_color color, const char *fmt, ...)
{
	struct table_cell *cell = present_cell(t, column);
	char raw[CELL_LEN], clean[CELL_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	free(cell->text);
	cell->text = strdup(format_clean(clean, sizeof(clean), raw, t->style->utf8));
	cell->color = color;
}

void table_indent(struct table *t, size_t column, int indent)
{
	present_cell(t, column)->indent = indent;
}

void table_bar(struct table *t, size_t column, enum text_color color, double ratio)
{
	struct table_cell *cell = present_cell(t, column);

	cell->ratio = ratio < 0 ? 0 : ratio > 1 ? 1 : ratio;
	cell->color = color;
}

void table_note(struct table *t, int indent, const char *text)
{
	char **note = &t->notes[t->nrows - 1];

	free(*note);
	if (asprintf(note, "%*s%s", indent, "", text) < 0)
		*note = NULL;
}

/* --- fitting --- */

struct fit {
	int widths[TABLE_COLUMNS]; /* 0: left out */
	int total;
};

static int column_content(const struct table *t, size_t c)
{
	const char *title = t->columns[c].title;
	int wide = 0;

	if (t->columns[c].bar)
		return 0;
	for (size_t r = 0; r < t->nrows; r++) {
		const struct table_cell *cell = &t->cells[r][c];
		int w = cell->text ? format_columns(cell->text) + cell->indent : 0;

		if (w > wide)
			wide = w;
	}
	if (wide && title && format_columns(title) > wide)
		wide = format_columns(title);
	return wide;
}

static void add_up(struct fit *fit, size_t n)
{
	fit->total = INDENT - GAP;
	for (size_t c = 0; c < n; c++)
		if (fit->widths[c])
			fit->total += fit->widths[c] + GAP;
}

/* Leaves out the column that is the first to go; false when none may. */
static bool drop_column(const struct table *t, struct fit *fit)
{
	size_t worst = t->ncolumns;

	for (size_t c = 0; c < t->ncolumns; c++)
		if (fit->widths[c] && t->columns[c].drop &&
		    (worst == t->ncolumns || t->columns[c].drop > t->columns[worst].drop))
			worst = c;
	if (worst == t->ncolumns)
		return false;
	fit->widths[worst] = 0;
	return true;
}

/* Columns over which the heading runs: those before the first title. */
static int heading_room(const struct table *t, const struct fit *fit, size_t *first_title)
{
	int room = INDENT - GAP;
	size_t c = 0;

	for (; c < t->ncolumns && (!fit->widths[c] || !t->columns[c].title); c++)
		if (fit->widths[c])
			room += fit->widths[c] + GAP;
	*first_title = c;
	return room;
}

static void fit_columns(const struct table *t, struct fit *fit, const char *heading)
{
	int width = text_width(t->style), spare, more;
	size_t flex = t->ncolumns, first;

	for (size_t c = 0; c < t->ncolumns; c++) {
		fit->widths[c] = column_content(t, c);
		if (t->columns[c].flex)
			flex = c;
	}
	/* a flexible column under the heading makes room by itself */
	more = format_columns(heading) - heading_room(t, fit, &first);
	if (t->ncolumns && more > 0 && flex >= first)
		fit->widths[0] += more;
	for (;;) {
		add_up(fit, t->ncolumns);
		spare = width - fit->total;
		if (flex < t->ncolumns && fit->widths[flex]) {
			int least = fit->widths[flex] < FLEX_MIN ? fit->widths[flex] : FLEX_MIN;

			if (spare >= 0 || fit->widths[flex] + spare >= least) {
				fit->widths[flex] += spare;
				break;
			}
		} else if (spare >= 0) {
			break;
		}
		if (!drop_column(t, fit))
			break;
	}
	if (flex < t->ncolumns && t->columns[flex].bar && spare - GAP >= BAR_MIN)
		fit->widths[flex] = spare - GAP;
	add_up(fit, t->ncolumns);
}

/* --- printing --- */

static void pad(struct table *t, int columns)
{
	t->blanks += columns > 0 ? columns : 0;
}

static void put(FILE *f, struct table *t, enum text_color color, const char *text)
{
	if (!*text)
		return;
	fprintf(f, "%*s", t->blanks, "");
	t->blanks = 0;
	text_colored(f, t->style, color, text);
}

static void end_line(FILE *f, struct table *t)
{
	fputc('\n', f);
	t->blanks = 0;
}

/* Eighths of a block in UTF-8, else '#'; what is there but small shows as a sliver. */
static void print_bar(FILE *f, struct table *t, const struct table_cell *cell, int width)
{
	static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	char bar[4 * TABLE_MAX_WIDTH + 4] = "";
	int steps = (int)(cell->ratio * width * 8 + 0.5), columns = 0;
	size_t used = 0;

	if (!t->style->utf8) {
		steps = (int)(cell->ratio * width + 0.5) * 8;
		for (; columns < steps / 8; columns++)
			bar[used++] = '#';
		if (!columns && cell->ratio > 0)
			bar[columns++] = '.';
	} else {
		if (!steps && cell->ratio > 0)
			steps = 1;
		for (; columns < steps / 8; columns++, used += strlen("█"))
			memcpy(bar + used, "█", sizeof("█"));
		memcpy(bar + used, eighths[steps % 8], strlen(eighths[steps % 8]) + 1);
		columns += steps % 8 != 0;
	}
	put(f, t, cell->color, bar);
	pad(t, width - columns);
}

static void print_text(FILE *f, struct table *t, size_t column, const char *cell_text,
		       enum text_color color, int width)
{
	const struct table_column *col = &t->columns[column];
	char text[CELL_LEN];
	int room;

	snprintf(text, sizeof(text), "%s", cell_text ? cell_text : "");
	format_cut(text, sizeof(text), width, col->cut, t->style->utf8);
	room = width - format_columns(text);
	pad(t, col->right ? room : 0);
	put(f, t, color, text);
	pad(t, col->right ? 0 : room);
}

static void print_row(FILE *f, struct table *t, const struct fit *fit, size_t row)
{
	pad(t, INDENT);
	for (size_t c = 0; c < t->ncolumns; c++) {
		const struct table_cell *cell = &t->cells[row][c];

		if (!fit->widths[c])
			continue;
		if (t->columns[c].bar) {
			print_bar(f, t, cell, fit->widths[c]);
		} else {
			pad(t, cell->indent);
			print_text(f, t, c, cell->text, cell->color, fit->widths[c] - cell->indent);
		}
		pad(t, GAP);
	}
	end_line(f, t);
}

/* The heading over the columns without a title, then the other titles. */
static void print_heading(FILE *f, struct table *t, const struct fit *fit, const char *heading)
{
	char text[CELL_LEN];
	size_t c;
	int room = heading_room(t, fit, &c);

	format_clean(text, sizeof(text), heading, t->style->utf8);
	format_cut(text, sizeof(text), room, CUT_END, t->style->utf8);
	put(f, t, COLOR_BOLD, text);
	pad(t, room - format_columns(text));
	for (; c < t->ncolumns; c++) {
		if (!fit->widths[c])
			continue;
		pad(t, GAP);
		print_text(f, t, c, t->columns[c].title, COLOR_DIM, fit->widths[c]);
	}
	end_line(f, t);
}

void table_print(FILE *f, struct table *t, const char *heading)
{
	struct fit fit;

	fit_columns(t, &fit, heading);
	print_heading(f, t, &fit, heading);
	for (size_t r = 0; r < t->nrows; r++) {
		print_row(f, t, &fit, r);
		if (t->notes[r])
			fprintf(f, "%s\n", t->notes[r]);
	}
}
