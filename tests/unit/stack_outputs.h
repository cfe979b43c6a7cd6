/* SPDX-License-Identifier: BSD-2-Clause */
/* Every output that is made of stacks, for the tests. */
#ifndef DWELL_STACK_OUTPUTS_H
#define DWELL_STACK_OUTPUTS_H

#include "outfile.h"
#include "report.h"

enum stack_output {
	OUTPUT_FOLDED_LAST,
	OUTPUT_FOLDED_FIRST,
	OUTPUT_FOLDED_NONE,
	OUTPUT_PPROF,
	OUTPUT_SPEEDSCOPE,
	OUTPUT_SVG,
	OUTPUT_HTML,
	OUTPUT_JSON,
	OUTPUT_ROWS, /* what must be in each: "pid tid state ns count", a line a row */
	STACK_OUTPUTS
};

extern const char *const stack_output_endings[STACK_OUTPUTS];

/* 0 or -errno. */
int stack_output_write(struct report *r, struct outfile *f, enum stack_output output);

#endif
