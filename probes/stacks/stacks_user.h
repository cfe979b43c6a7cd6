/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the stacks probe's user side. */
#ifndef DWELL_STACKS_USER_H
#define DWELL_STACKS_USER_H

#include "probe.h"
#include "cpu_sampler.h"
#include "session.h"
#include "stack_book.h"

struct text_lines;

/* Threads that have ended and whose rows may not all be here. */
struct ended_list {
	struct stack_account_copy *list;
	size_t n, room;
	size_t due; /* of the first so many all rows are in the table that is emptied next */
};

struct stacks_data {
	struct stack_book book;
	struct ended_list ended;
	struct stack_account_copy *living; /* of this report */
	size_t nliving, living_room;
	struct stacks_control *control; /* mapped */
	int tables[2];
	uint64_t flipped_ns; /* when rows began to go to the other table; 0: this one is empty */
	uint64_t drained_ns;
	bool full; /* half of the table is used: do not wait */
	struct cpu_sampler sampler;
	struct names *names;
	uint32_t frequency;
	uint64_t quantum_ns;
};

/* rows.c: takes in rows of the table that is not in use; `all`: both, now. */
int stacks_drain(struct probe *p, bool all);
/* stacks_fill.c */
void stacks_fill(struct probe *p, struct report *r);
void stacks_text(const struct report *r, struct text_lines *t);
bool stacks_reported(const struct report *r);
extern const struct shape stacks_shape[], stacks_tick_shape[];

#endif
