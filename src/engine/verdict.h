/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verdict: at most three sentences in plain words, each with the figures it stands on,
 * from the ledger, and what the probes know of a cause.
 *
 * Thread time is sorted into groups:
 *   cpu      on_cpu
 *   queue    runqueue + preempted
 *   causes   disk, page_fault, futex, pipe, socket, ipc, io_uring, kernel_lock, other
 *   handoff  pipe and socket waits that a thread of the target itself ended: what the
 *            sleeper waited for is what the other one did, and that is in the ledger
 *   idle     waits for something to happen, not to be done: poll, sleep, signal, tty,
 *            stopped; and the futex waits of parked threads (a pool without work: nine
 *            tenths of its life in futex, in waits of 10 ms and more on average)
 *   child    like handoff: the child's own time says what it was
 * cpu + queue + causes is the busy time B.
 *
 * Sentences, in this order, until there are three:
 *   1. B is less than half of the wall time: idle, with the longest idle group (child and
 *      handoff only when there is no other). Overlap makes B too large, never too small.
 *   2. The largest busy group (B at least 1/200 of the wall time). For cpu with the user
 *      and kernel share; for queue with the threads that wanted to run and the CPUs; for a
 *      cause with the mean wait, its top object if that has a fifth of it, and for futex
 *      the waker of most of it.
 *   3. Other busy groups that have a fifth of B; handoff if it has a fifth of thread time.
 *   4. queue, if it has a tenth of B.
 * Before them, and beyond the three: a deadlock (probe locks), an OOM kill (probe memory). Behind
 * them: a CPU quota that held it back (probe cpu), stalls to free memory (probe memory). For disk
 * the syncs stand in place of the waits where they are most of it, for disk and page faults what
 * came from swap, for socket the retransmissions, for locks inside the kernel the function that
 * takes them; with on_cpu, a cause and idle the code where at least half of it was (probe stacks).
 */
#ifndef DWELL_VERDICT_H
#define DWELL_VERDICT_H

#include "report.h"

/* Text in the report's memory; NULL when there is no ledger or nothing was measured. */
char *verdict_make(struct report *r);

#endif
