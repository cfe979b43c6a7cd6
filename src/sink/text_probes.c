/* SPDX-License-Identifier: BSD-2-Clause */
/* The probes' own lines of the summary screen, behind their names. */
#include <stdarg.h>
#include <stdio.h>

#include "probe.h"
#include "text_lines.h"
#include "text_parts.h"

void text_line(struct text_lines *t, const char *fmt, ...)
{
	va_list ap;

	if (t->n == TEXT_LINES)
		return;
	va_start(ap, fmt);
	vsnprintf(t->lines[t->n++], sizeof(t->lines[0]), fmt, ap);
	va_end(ap);
}

void text_probes(FILE *f, const struct report *r, const struct text_style *style)
{
	for (const struct probe_class *const *c = probe_classes; *c; c++) {
		struct text_lines t = { .utf8 = style->utf8 };

		if (!(*c)->text || ((*c)->reported && !(*c)->reported(r)))
			continue;
		(*c)->text(r, &t);
		if (t.n)
			fputc('\n', f);
		for (size_t i = 0; i < t.n; i++)
			text_paragraph(f, style, i ? "" : (*c)->name, COLOR_BOLD, COLOR_NONE,
				       t.lines[i]);
	}
}
