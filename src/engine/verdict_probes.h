/* SPDX-License-Identifier: BSD-2-Clause */
/* The probes' part of the verdict; each writes nothing when there is nothing to say. */
#ifndef DWELL_VERDICT_PROBES_H
#define DWELL_VERDICT_PROBES_H

#include <stdbool.h>
#include <stdio.h>

#include "report.h"

/*
 * "; 61.2 % of it in serve > parse > hash": the last functions that still have half of a state's
 * time, when stacks were taken.
 */
void verdict_code(FILE *out, const struct report *r, enum ledger_state state);
/*
 * ", most of it in 40 fsyncs of 8.1 ms each, on FILE", or with the file's share of their time
 * from a fifth on: returns whether it was said.
 */
bool verdict_syncs(FILE *out, const struct report *r, uint64_t disk_ns);
/* "; TCP sent 12 of its segments again (3.1 %)", from 1 % on. */
void verdict_network(FILE *out, const struct report *r);
/* "; 87 % of it for mutex in pipe_write()", from a fifth on. */
void verdict_kernel_locks(FILE *out, const struct report *r);
/* "; 1.20 GiB were read back from swap" */
void verdict_swap(FILE *out, const struct report *r);
/*
 * Sentences of their own: a quota that held it back, or memory that it had to free itself, a
 * twentieth of the time; a deadlock; an OOM kill.
 */
void verdict_reclaim(FILE *out, const struct report *r, const char *before);
bool verdict_oom(FILE *out, const struct report *r, const char *before);
void verdict_throttled(FILE *out, const struct report *r, const char *before);
bool verdict_deadlock(FILE *out, const struct report *r);

#endif
