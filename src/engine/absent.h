/* SPDX-License-Identifier: BSD-2-Clause */
/* A probe's `absent`: what it cannot tell in this run, and why. */
#ifndef DWELL_ABSENT_H
#define DWELL_ABSENT_H

#include <stddef.h>

#include "shape.h"

struct probe;
struct report;

struct absent {
	const char *metric, *reason;
};

struct absent_list {
	struct absent *rows; /* the report's memory */
	size_t n;
};

/* A program without which a figure is missing, or always 0. */
struct absent_need {
	const char *metric, *program, *reason;
};

/* At most 32, which is more than any probe has. */
void absent_add(struct report *r, struct absent_list *list, const char *metric, const char *reason);
/* Those of which the probe's chosen source did not attach the program; ends with {}. */
void absent_needs(struct report *r, struct absent_list *list, const struct probe *p,
		  const struct absent_need *needs);

extern const struct shape absent_shape[];

/* In the shape of a struct report. */
#define SHAPE_ABSENT(list_)                                                                        \
	SHAPE_ROWS("absent", report, list_.rows, list_.n, absent_shape,                            \
		   "what could not be measured in this run, or was not asked for")

#endif
