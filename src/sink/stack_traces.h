/* SPDX-License-Identifier: BSD-2-Clause */
/* The stacks in JSON: denet's stack_traces, made of a report's rows, and the shape of it all. */
#ifndef DWELL_STACK_TRACES_H
#define DWELL_STACK_TRACES_H

#include "report.h"
#include "shape.h"

#define STACK_TRACES 100       /* those with the most time; the rest are counted */
#define STACK_TRACE_THREADS 64 /* told of one trace */

extern const struct shape stacks_shape[];      /* struct report: summary.stacks */
extern const struct shape stacks_tick_shape[]; /* the same without the traces */

bool stacks_reported(const struct report *r);

/* Fills r->stacks.traces of a report at the end; without memory there are none, and it is said. */
void stack_traces_make(struct report *r);

#endif
