/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table on the screen: columns find their own widths, every line ends at the same
 * column, nothing wraps. What does not fit: the widest text is cut, then whole columns
 * are left out, by `drop`. A column without any text is left out too. Every cell passes
 * format_clean().
 */
#ifndef DWELL_TEXT_TABLE_H
#define DWELL_TEXT_TABLE_H

#include <stdio.h>

#include "format.h"
#include "term.h"

#define TABLE_COLUMNS 8
#define TABLE_ROWS 32
#define TABLE_MAX_WIDTH 100 /* on a wider screen eyes would lose the line */
#define CELL_LEN 288

enum text_color {
	COLOR_NONE,
	COLOR_BOLD,
	COLOR_DIM,
	COLOR_RED,
	COLOR_GREEN,
	COLOR_YELLOW,
	COLOR_BLUE,
	COLOR_MAGENTA,
	COLOR_CYAN,
	COLORS
};

struct table_column {
	const char *title; /* NULL: the section's heading runs on over it */
	bool right;        /* numbers */
	bool flex;         /* takes what is left over; at most one column */
	bool bar;          /* flex, and drawn from the cell's ratio */
	int drop;          /* 0: never left out; else the highest goes first */
	enum format_cut cut;
};

struct table_cell {
	char *text;
	double ratio;
	enum text_color color;
	int indent;
};

struct table {
	const struct text_style *style;
	const struct table_column *columns;
	size_t ncolumns, nrows;
	int blanks; /* owed to the line: never printed at its end */
	struct table_cell cells[TABLE_ROWS][TABLE_COLUMNS];
	char *notes[TABLE_ROWS]; /* lines below their rows; NULL: none */
};

struct table *table_new(const struct text_style *style, const struct table_column *columns,
			size_t ncolumns);
void table_free(struct table *t);
/* Begins a row; false when the table is full. */
bool table_row(struct table *t);
/* A cell of the present row. */
void table_text(struct table *t, size_t column, enum text_color color, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void table_indent(struct table *t, size_t column, int indent);
void table_bar(struct table *t, size_t column, enum text_color color, double ratio);
/* A line of its own below the present row, indented; cleaned and cut to the screen already. */
void table_note(struct table *t, int indent, const char *text);
void table_print(FILE *f, struct table *t, const char *heading);

/* Text between the codes that switch `color` on and off, when style has colour. */
void text_colored(FILE *f, const struct text_style *style, enum text_color color, const char *text);
/* Width of everything that is printed. */
int text_width(const struct text_style *style);

#endif
