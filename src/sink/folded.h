/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Folded stacks, as flamegraph.pl and its like read them: `process;thread;frame;… NS`, root
 * first, a line for each path and state, sorted. The thread is there when it has a name of
 * its own; values are nanoseconds. Kernel frames end in _[k], inlined ones in _[i], JIT code
 * in _[j], a waker's in _[w].
 */
#ifndef DWELL_FOLDED_H
#define DWELL_FOLDED_H

#include "outfile.h"
#include "report.h"

/* Where "[futex]" stands. */
enum folded_state { FOLDED_STATE_LAST, FOLDED_STATE_FIRST, FOLDED_STATE_NONE };

/* 0 or -errno. */
int folded_write(const struct report *r, struct outfile *f, enum folded_state where);

#endif
