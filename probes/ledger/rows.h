/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was waited on, and who woke: tables of the dead threads' entries, joined at each
 * report with the kernel's tables and the living threads' own. Bounded; the rest is `other`.
 */
#ifndef DWELL_LEDGER_ROWS_H
#define DWELL_LEDGER_ROWS_H

#include "ledger.h"
#include "probe.h"
#include "tree.h"

#define ROWS_KEPT 2048     /* entries of dead threads in each table */
#define ROWS_GATHERED 8192 /* and of all while a report is made */
#define LOCKS_SHOWN 4096   /* locks, and threads that wait for one, of a report */
#define ROWS_SHOWN 50      /* rows of a report; the rest is summed in one named other */
#define IDENTS_KEPT 4096   /* sleepers known by name, the latest */

struct rows;
struct gather; /* the rows of a report while it is made */

struct rows *rows_new(void);
void rows_free(struct rows *rows);
/* Takes over the entries that a thread kept to itself, when it has ended. */
void rows_add_thread(struct rows *rows, const struct ledger_final *f);
/*
 * At each poll: entries of the kernel's tables whose process or thread has ended are taken over, so
 * that there is room for those that live.
 */
void rows_poll(struct rows *rows, struct probe *p);
/* A report: begin, add each living thread, fill r->ledger.objects and .wakers and end. */
struct gather *rows_begin(const struct rows *rows);
void rows_add_live(struct rows *rows, struct gather *g, const struct ledger_final *f);
void rows_report(const struct rows *rows, struct gather *g, struct probe *p,
		 const struct tree *tree, struct report *r);
void rows_end(struct gather *g);

#endif
