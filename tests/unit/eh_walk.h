/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walks the stack of a thread over dwell's unwind tables in user space: what the walker in the
 * kernel does, with nothing but the rows. For tests: of themselves, and of stopped processes.
 */
#ifndef DWELL_TEST_EH_WALK_H
#define DWELL_TEST_EH_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "eh_table.h"

#define EH_WALK_FRAMES 1200

struct eh_registers {
	uint64_t pc, sp, bp, di, bx;
};

struct eh_walk_frame {
	uint64_t pc;
	bool exact;       /* not a return address */
	const char *path; /* of the file that holds it; NULL: none */
	uint64_t vaddr;   /* there */
};

struct eh_walk {
	struct eh_walk_frame frames[EH_WALK_FRAMES]; /* leaf first */
	size_t n;
	bool whole; /* it ended at the thread's start */
	int rule;   /* of the last row, enum unwind_rule */
};

struct eh_process;

/* NULL: its mappings cannot be read. Tables are made when they are needed, and kept. */
struct eh_process *eh_process_open(pid_t pid);
void eh_process_close(struct eh_process *p);
void eh_walk(struct eh_process *p, const struct eh_registers *from, struct eh_walk *walk);

#endif
