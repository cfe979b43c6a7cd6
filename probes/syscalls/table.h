/* SPDX-License-Identifier: BSD-2-Clause */
/* From counts to the report's rows: named, classed, sorted. */
#ifndef DWELL_SYSCALLS_TABLE_H
#define DWELL_SYSCALLS_TABLE_H

#include "report.h"
#include "tally.h"

/* Calls and their classes; rows in r's memory. */
void table_fill(struct report *r, struct syscall_table *table, const struct tally *t);
/* io_uring operations of the tree: r->syscalls.uring and .io_uring_ops. */
void table_fill_uring(struct report *r, const struct tally *t);

#endif
