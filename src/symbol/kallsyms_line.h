/* SPDX-License-Identifier: BSD-2-Clause */
/* A line of /proc/kallsyms. */
#ifndef DWELL_KALLSYMS_LINE_H
#define DWELL_KALLSYMS_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kallsyms_line {
	uint64_t address;          /* 0: hidden */
	char type;                 /* t, T, w or W */
	const char *name, *module; /* in the text; module with its brackets, NULL: none */
	size_t name_len, module_len;
};

/* "ffffffff81000000 T _stext", or with "\t[module]" behind. False: not a function's line. */
bool kallsyms_line(const char *text, struct kallsyms_line *line);

#endif
