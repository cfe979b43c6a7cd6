/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes whose stacks have code in no file: their perf maps and jitdumps are looked for as
 * the first such stack comes, while they live, and then less and less often, for a file may be
 * made later.
 */
#ifndef DWELL_STACKS_JIT_WATCH_H
#define DWELL_STACKS_JIT_WATCH_H

#include <stdbool.h>
#include <uthash.h>

#include "record.h"

struct names;

#define JIT_WATCHED 1024
#define JIT_FIRST_NS 100000000ULL  /* until it is looked for again; doubles each time */
#define JIT_LAST_NS 60000000000ULL /* to this */

struct jit_watched {
	uint32_t proc_id, pid;
	uint64_t next_ns, wait_ns; /* next_ns 0: the process has ended */
	UT_hash_handle hh;
};

struct jit_watch {
	struct jit_watched *list;
	uint64_t next_ns; /* the first of theirs; 0: none */
	uint64_t lost;    /* processes beyond JIT_WATCHED */
};

/* EVENT_STACKS_JIT: also of a program that a process has become by an exec. */
void jit_watch_told(struct jit_watch *w, struct names *names, const struct target *who,
		    uint64_t now_ns);
/* Looks where it is time to; `all`: everywhere, before a report. */
void jit_watch_poll(struct jit_watch *w, struct names *names, uint64_t now_ns, bool all);
void jit_watch_clear(struct jit_watch *w);

#endif
