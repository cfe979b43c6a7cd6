/* SPDX-License-Identifier: BSD-2-Clause */
/* denet's stack_traces, made of a report's rows, and their shape. */
#ifndef DWELL_STACK_TRACES_H
#define DWELL_STACK_TRACES_H

#include "report.h"
#include "shape.h"

#define STACK_TRACES 100       /* those with the most time; the rest are counted */
#define STACK_TRACE_THREADS 64 /* told of one trace */

/* Members of summary.stacks: time_ns and the traces. The base is struct report. */
extern const struct shape stack_traces_shape[];

/* Fills r->stacks.traces of a report at the end; without memory there are none, and it is said. */
void stack_traces_make(struct report *r);

#endif
