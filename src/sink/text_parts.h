/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the screen that are sentences, not tables: text_trust.c, text_wrap.c. */
#ifndef DWELL_TEXT_PARTS_H
#define DWELL_TEXT_PARTS_H

#include "text.h"
#include "text_table.h"

/*
 * Text, cleaned, from column `start` on (where the cursor is) to the width of the screen;
 * further lines begin at `start` too. Ends the line.
 */
void text_wrap(FILE *f, const struct text_style *style, int start, enum text_color color,
	       const char *text);
/* `label`, then text wrapped in a column beside it; line breaks only at blanks. */
void text_paragraph(FILE *f, const struct text_style *style, const char *label,
		    enum text_color label_color, enum text_color color, const char *text);
enum text_color text_state_color(enum ledger_state state);
/* The code paths with the most time, when there are stacks. */
void text_stacks(FILE *f, const struct report *r, const struct text_style *style);
void text_usage(FILE *f, const struct report *r, const struct text_style *style);
/* What each probe has to say for itself. */
void text_probes(FILE *f, const struct report *r, const struct text_style *style);
void text_verdict(FILE *f, const struct report *r, const struct text_style *style);
void text_trust(FILE *f, const struct report *r, const struct text_style *style);

#endif
