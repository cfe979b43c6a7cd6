/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verdict: at most three sentences in plain words, each with the figures it stands on,
 * from the ledger alone.
 *
 * What counts. A thread that waits for its child, a timer, a signal or the next request
 * (child, sleep, signal, poll, stopped) is idle: it waits for something to happen, not
 * for something to be done. A pool's threads park on a futex, which looks like a lock:
 * a futex wait of a thread that was never once on a CPU for more than IDLE_CPU_PERCENT of
 * its life is idle too. Everything else is busy: on_cpu, runqueue, preempted, and the
 * other causes. The verdict judges the busy time of the tree.
 *
 * Rules, first sentence (of the busy time B; the biggest of these groups speaks):
 *   cpu     on_cpu                    "CPU-bound: …", with the user or system share
 *   queue   runqueue + preempted      "waiting for a CPU: …", with threads and CPUs
 *   cause   a blocked cause           "waiting for <cause>: …", with the object if one has
 *                                     a fifth of that time, and for futex its top waker
 *   none    B < 1/IDLE_FACTOR of the wall time of the run: "mostly idle: …", naming the idle
 *           state, looking through child waits unless nothing else is there.
 * Second sentence: the next group, if it has a fifth of B.
 * Third: a runqueue share over a tenth that no sentence has told; or idle time that is
 * most of the wall time although the tree also worked ("for the rest it slept").
 */
#ifndef DWELL_VERDICT_H
#define DWELL_VERDICT_H

#include "report.h"

/* Text in the report's memory; NULL when there is no ledger or nothing was measured. */
char *verdict_make(struct report *r);

#endif
