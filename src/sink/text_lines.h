/* SPDX-License-Identifier: BSD-2-Clause */
/* What a probe has to say on the summary screen: some lines of plain words. */
#ifndef DWELL_TEXT_LINES_H
#define DWELL_TEXT_LINES_H

#include <stdbool.h>
#include <stddef.h>

#define TEXT_LINES 4

struct text_lines {
	bool utf8; /* for format_duration() and the like (format.h) */
	size_t n;
	char lines[TEXT_LINES][512];
};

/* Adds a line; those beyond TEXT_LINES are dropped. The screen wraps long ones. */
void text_line(struct text_lines *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
