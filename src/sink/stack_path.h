/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A row of the stacks as a path from the root: the process, its thread when it has a name of
 * its own, then the frames. Every output that draws stacks goes by this. Steps are equal when
 * their words and kinds are: lines and addresses of one function are one step.
 */
#ifndef DWELL_STACK_PATH_H
#define DWELL_STACK_PATH_H

#include <stddef.h>

#include "report.h"

/* Kinds of steps beside enum stack_frame_kind. */
enum { STACK_STEP_PROCESS = 32, STACK_STEP_THREAD };

struct stack_step {
	const char *name;                /* never empty */
	unsigned kind;                   /* enum stack_frame_kind or one of the above */
	const struct stack_frame *frame; /* NULL: process or thread */
};

size_t stack_path_steps(const struct stack_row *row);
struct stack_step stack_path_step(const struct stack_row *row, size_t i);
/* What flame graphs put behind a name: "_[k]" kernel, "_[i]", "_[j]", "_[w]", else "". */
const char *stack_step_suffix(unsigned kind);
/* "futex"; a state that is not known: "other". */
const char *stack_state_name(uint32_t state);
/* Steps that a and b have in common from the root on. */
size_t stack_path_common(const struct stack_row *a, const struct stack_row *b);

enum stack_order {
	STACK_BY_PATH,   /* by the steps' words, then the state */
	STACK_BY_THREAD, /* by process and thread, then as above */
};

/* The rows in that order; NULL: none, or no memory (*err). Freed by the caller. */
const struct stack_row **stack_rows_sorted(const struct stacks_report *s, enum stack_order order,
					   int *err);
/* Time of all rows. */
uint64_t stack_rows_ns(const struct stacks_report *s);

#endif
