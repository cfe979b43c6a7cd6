/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the stacks probe's user side. */
#ifndef DWELL_STACKS_USER_H
#define DWELL_STACKS_USER_H

#include "probe.h"
#include "cpu_sampler.h"
#include "session.h"
#include "files.h"
#include "jit_watch.h"
#include "stack_book.h"

struct text_lines;
extern const struct probe_class stacks_probe;

/* Threads that have ended and whose rows may not all be here. */
struct ended_list {
	struct stack_account_copy *list;
	size_t n, room;
	size_t due; /* of the first so many all rows are in the table that is emptied next */
};

struct stacks_data {
	struct stacks_files *files;
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
	struct jit_watch jits;
	struct python *python; /* NULL: --python off */
	uint32_t frequency;
	uint64_t quantum_ns;
	bool sampling; /* else only the walker is used, by other probes */
};

/* The account of a living thread, in a report; NULL: it is none. */
const struct stack_account_copy *stacks_living(const struct stacks_data *d, uint32_t thread_id);
/* drain.c: takes in rows of the table that is not in use; `all`: both, now. */
int stacks_drain(struct probe *p, bool all);
/* waits.c: takes in what living threads wait in; after the ledger's snapshot. */
int stacks_waiting(struct probe *p);
/* stacks_fill.c */
void stacks_fill(struct probe *p, struct report *r);
/* "[truncated: why]", by enum stack_end; NULL of a whole one */
extern const char *const stacks_end_marks[STACK_ENDS];
void stacks_text(const struct report *r, struct text_lines *t);

#endif
