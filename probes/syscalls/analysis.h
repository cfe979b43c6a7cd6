/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The behaviour analysis: classes, indicators and profile by contracts/denet.md, from the
 * mix of system calls; and where the ledger knows better, by the ledger.
 *
 * By the mix, the first that holds (shares of all calls; rate in calls a second):
 *	io_bound	file_io > 60 % at more than 100/s
 *	network_bound	network > 40 %
 *	memory_bound	memory > 30 %
 *	cpu_bound	less than 50/s, and more than 50 % of a CPU
 *	mixed		file_io > 20 % and memory > 10 %
 *	unknown		else; also below 0.1 s or without a call
 *
 * By the ledger, of the threads' busy time (all but the waits in which they only wait to
 * be asked or for a child: poll, sleep, signal, tty, stopped, child):
 *	cpu_bound	on a CPU or waiting for one > 50 %
 *	io_bound	disk and page faults > 50 %
 *	network_bound	socket > 50 %
 * and only when the busy time is more than half of the wall time: an idle program is
 * bound by nothing. Where both name a class and differ, or the mix names none, the
 * ledger's stands; `rule` says what fired, with the figures.
 */
#ifndef DWELL_SYSCALLS_ANALYSIS_H
#define DWELL_SYSCALLS_ANALYSIS_H

#include "report.h"

/* Fills r->syscalls.analysis from r->syscalls.tree, r->ledger.tree and r->wall_ns. */
void analysis_make(struct report *r);

#endif
