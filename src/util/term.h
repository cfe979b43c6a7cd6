/* SPDX-License-Identifier: BSD-2-Clause */
/* What a stream can show: how wide, in colour or not, in Unicode or not. */
#ifndef DWELL_TERM_H
#define DWELL_TERM_H

#include <stdbool.h>
#include <stdio.h>

#define TERM_DEFAULT_WIDTH 80
#define TERM_MIN_WIDTH 40
#define TERM_MAX_WIDTH 400

struct text_style {
	int width; /* columns; nothing is wider */
	bool color;
	bool utf8;
};

/*
 * Colour only on a terminal that is not "dumb", when NO_COLOR is unset or empty and
 * no_color does not forbid it. The width is the terminal's, else COLUMNS, else 80.
 */
struct text_style text_style_of(FILE *f, bool no_color);

#endif
