/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the screen that are sentences, not tables: text_trust.c. */
#ifndef DWELL_TEXT_PARTS_H
#define DWELL_TEXT_PARTS_H

#include "text.h"
#include "text_table.h"

/* `label`, then text wrapped in a column beside it; line breaks only at blanks. */
void text_paragraph(FILE *f, const struct text_style *style, const char *label,
		    enum text_color label_color, enum text_color color, const char *text);
void text_usage(FILE *f, const struct report *r, const struct text_style *style);
void text_verdict(FILE *f, const struct report *r, const struct text_style *style);
void text_trust(FILE *f, const struct report *r, const struct text_style *style);

#endif
