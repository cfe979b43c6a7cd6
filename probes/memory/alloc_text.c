/* SPDX-License-Identifier: BSD-2-Clause */
/* --alloc on the summary screen: what was allocated, and what was not freed. */
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "memory_shape.h"
#include "report.h"
#include "text_lines.h"

#define FRAMES_SHOWN 4
#define NAME_SHOWN 48

/* "parse_config < load < main" */
static void stack_text(char *out, size_t size, const struct alloc_caller_row *row, bool utf8)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < row->nframes && i < FRAMES_SHOWN && at < size; i++) {
		char name[4 * NAME_SHOWN];

		format_clean(name, sizeof(name), row->frames[i], utf8);
		format_cut(name, sizeof(name), NAME_SHOWN, CUT_MIDDLE, utf8);
		at += (size_t)snprintf(out + at, size - at, "%s%s", i ? " < " : "", name);
	}
}

static void leaks_line(const struct alloc_report *a, struct text_lines *t)
{
	char bytes[FORMAT_LEN], count[COUNTED_LEN], top[FORMAT_LEN], stack[512];

	format_bytes(bytes, a->tree.live_bytes);
	format_counted(count, a->tree.live, "block", "blocks");
	if (!a->tree.live) {
		text_line(t, "leaks: none%s", a->incomplete ? " known, the tables were full" : "");
		return;
	}
	if (!a->nleaks) {
		text_line(t, "leaks: %s in %s", bytes, count);
		return;
	}
	stack_text(stack, sizeof(stack), &a->leaks[0], t->utf8);
	text_line(t, "leaks%s: %s in %s, most from %s (%s)%s", a->sampled > 1 ? " (sampled)" : "",
		  bytes, count, stack, format_bytes(top, a->leaks[0].live_bytes),
		  a->incomplete ? "; not all, the tables were full" : "");
}

void alloc_text(const struct report *r, struct text_lines *t)
{
	const struct alloc_report *a = &r->memory.alloc;
	char count[COUNTED_LEN], bytes[FORMAT_LEN], peak[FORMAT_LEN], stack[512], top[FORMAT_LEN];

	if (!a->present || !a->tree.allocs)
		return;
	format_counted(count, a->tree.allocs, "block", "blocks");
	format_bytes(bytes, a->tree.bytes);
	format_bytes(peak, a->tree.live_peak_bytes);
	if (a->ncallers && a->callers[0].bytes) {
		stack_text(stack, sizeof(stack), &a->callers[0], t->utf8);
		text_line(t, "allocated%s %s (%s, at most %s at one moment), most in %s (%s)",
			  a->sampled > 1 ? " (sampled)" : "", count, bytes, peak, stack,
			  format_bytes(top, a->callers[0].bytes));
	} else {
		text_line(t, "allocated %s (%s, at most %s at one moment)", count, bytes, peak);
	}
	leaks_line(a, t);
}
