/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks that other probes have taken (walk.bpf.h), by their hash. */
#ifndef DWELL_STACKS_LOOKUP_H
#define DWELL_STACKS_LOOKUP_H

#include "session.h"
#include "stacks_report.h"

/*
 * The frames of a stack, leaf first, a mark where it ends early; NULL: it was not told, or
 * stacks are off. The list is the report's, the frames are the session's.
 */
const struct stack_frame *const *stacks_frames(const struct session *s, struct report *r,
					       uint64_t hash, size_t *n);

#endif
