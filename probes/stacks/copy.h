/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks that are walked in user space: copied, as a table was not made yet, or of who waits. */
#ifndef DWELL_STACKS_COPY_H
#define DWELL_STACKS_COPY_H

#include <sys/types.h>

#include "table_store.h"
#include "stacks_maps.h"

/* A body with room for the longest stack. */
struct stacks_copy_body {
	union {
		struct stacks_body body;
		uint64_t space[sizeof(struct stacks_body) / 8 + STACK_FRAMES];
	};
};

/*
 * Walks it as the kernel side would have, with the tables that there are now. tid: of a thread that
 * lives and stays where it is, whose memory is read where the copy ends; 0: of none.
 */
void stacks_copy_walk(struct stacks_copy_body *to, const struct table_store *tables,
		      const struct stacks_copy *copy, pid_t tid);

#endif
