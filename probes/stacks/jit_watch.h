/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes of whose stacks some frames are in no file: code made at run time. What their JIT
 * compilers wrote about it is opened while they live, and looked for once more for the report.
 */
#ifndef DWELL_JIT_WATCH_H
#define DWELL_JIT_WATCH_H

#include "session.h"
#include "stacks.h"

struct names;
struct jit_watched;

struct jit_watch {
	struct jit_watched *list; /* at most JIT_PROCESSES (symbol/jit.h) */
	bool reported;            /* for the last report all of them have been looked at */
};

/* A stack has come. */
void jit_watch_body(struct jit_watch *w, struct names *names, const struct stacks_body *body);
/* Names are about to be asked for by the last report; looks at all when first called. */
void jit_watch_report(struct jit_watch *w, struct names *names, const struct tree *tree);
void jit_watch_clear(struct jit_watch *w);

#endif
