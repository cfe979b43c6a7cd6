/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stacks as a gzipped profile.proto, for pprof and its like. Sample types: samples (count),
 * wall (all time, the default), then each state of the ledger (ns), always all of them, so
 * that two profiles can be compared. Labels: comm, pid, thread, tid, state.
 */
#ifndef DWELL_PPROF_H
#define DWELL_PPROF_H

#include "outfile.h"
#include "report.h"

/* 0 or -errno. */
int pprof_write(const struct report *r, struct outfile *f);

#endif
