/* SPDX-License-Identifier: BSD-2-Clause */
/* The ledger's tables in user space: tree, commands, processes, dead threads' rows. */
#ifndef DWELL_BOOK_H
#define DWELL_BOOK_H

#include <uthash.h>

#include "ledger.h"
#include "map_window.h"
#include "packed.h"
#include "report.h"
#include "rows.h"
#include "session.h"
#include "sum.h"

#define THREADS_KEPT 4096 /* rows of dead threads; also of living ones in a report */
#define COMMANDS_KEPT 256

struct command_entry {
	char comm[COMM_LEN];
	uint64_t processes;
	struct ledger_sum sum;
	UT_hash_handle hh;
};

/* A process's own part of its row in the tree (struct process.ledger). */
struct ledger_process {
	struct ledger_sum *sum; /* its dead threads; NULL once done */
	struct packed *done;    /* when it is dead: a struct account, a hundredth of the sum */
	/* dead threads, at most what THREADS_KEPT leaves; none when there was but one, whose
	 * account is the process's */
	struct thread_row *threads;
	size_t nthreads;
	uint32_t threads_cut;
	size_t *threads_held; /* the book's count, given back when the row is forgotten */
};

/* One comparison with what the kernel counted, over threads. */
struct check {
	uint64_t ours, kernel, checked, broken;
	int64_t explained;  /* of ours - kernel: for reasons that are known */
	uint64_t low, high; /* between -low and high that can be */
	int64_t worst;
};

struct checks {
	struct check lifetime, on_cpu, switches;
};

/* On-CPU time of the tree by CPU; cpu_time.c */
struct cpu_time {
	int fd, cpus;
	uint64_t *lasting; /* of threads that are on a CPU now */
};

int cpu_time_open(struct cpu_time *c, int fd);
/* A report: begin, add each living thread, fill r->ledger.cpu_ns. */
void cpu_time_begin(struct cpu_time *c);
void cpu_time_live(struct cpu_time *c, const struct ledger_final *f);
int cpu_time_fill(const struct cpu_time *c, struct report *r);
void cpu_time_close(struct cpu_time *c);

struct snapshot; /* a report while it is made, book_report.c */

struct ledger_book {
	uint32_t (*blocks)[HIST_BUCKETS]; /* ledger_hists; book_reach() first */
	struct map_window hists;
	uint32_t nblocks;
	int free_fd;
	struct ledger_sum tree; /* every ended thread */
	struct command_entry *commands;
	struct ledger_spill spill;
	struct rows *rows;
	struct cpu_time cpu_time;
	size_t threads_held;
	struct checks checks; /* of the ended threads */
	struct snapshot *snapshot;
	uint64_t unsteady; /* threads born or ended while the living were read */
};

#define ACCOUNT_WORDS (sizeof(struct account) / sizeof(uint64_t)) /* it has nothing else */

/* Maps the block; false: there is none of that number. */
bool book_reach(struct ledger_book *b, uint32_t block);
/* Maps the account's blocks; a number that makes no sense becomes HIST_NONE. */
void book_reach_thread(struct ledger_book *b, struct ledger_thread *t);
/* A thread has ended; its blocks are mapped. */
void book_final(struct ledger_book *b, struct tree *tree, const struct ledger_final *f);
/* A dead process's account, as ledger_process.done keeps it. */
void book_add_done(struct ledger_sum *sum, const struct packed *done);
/* No thread of the process is left, though the end of some was not told. */
void book_presume_dead(struct ledger_book *b, struct tree *tree, struct process *p);
/*
 * A report: begin, add each living thread (its record is not kept: there may be ten thousand),
 * fill r->ledger and r->trust.reconcile, end. book_end may be called at any time.
 */
void book_begin(struct ledger_book *b);
void book_live(struct ledger_book *b, struct session *s, struct ledger_final *f);
void book_report(struct ledger_book *b, struct probe *p, struct report *r);
void book_end(struct ledger_book *b);
/* The entry of a command name, made when it is new; `(other)` beyond COMMANDS_KEPT. */
struct command_entry *book_command(struct ledger_book *b, const char comm[COMM_LEN]);
/*
 * Fills r->trust.reconcile from all threads' checks, `told` of them, of which `unsteady` may
 * be missing or twice; see reconcile.c.
 */
void reconcile_fill(const struct checks *c, uint64_t told, uint64_t unsteady,
		    const struct session *s, struct report *r);
void book_free(struct ledger_book *b);
/* Adds a thread to the comparisons. */
void check_thread(struct checks *c, const struct ledger_final *f);

#endif
