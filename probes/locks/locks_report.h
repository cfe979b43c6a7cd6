/* SPDX-License-Identifier: BSD-2-Clause */
/* The locks probe's part of the report. */
#ifndef DWELL_LOCKS_REPORT_H
#define DWELL_LOCKS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "absent.h"
#include "locks.h"

/* Of one process, or of the tree. */
struct locks_figures {
	struct locks_slot counted;
	uint64_t futex_blocks, futex_ns, futex_max_ns; /* the ledger's state futex */
};

struct locks_process_row {
	uint32_t pid, proc_id;
	char comm[16];
	struct locks_figures figures;
};

struct lock_row {
	uint32_t pid, proc_id;
	char comm[16];
	uint64_t address;
	const char *name;   /* "counter_lock (a.out)", "[heap]"; "other" for the rest */
	const char *module; /* NULL: in no file */
	const char *symbol; /* NULL: not known */
	uint64_t offset;
	const char *kind;     /* "mutex", …, "futex" */
	const char *evidence; /* NULL: nothing told the kind */
	const char *caller;   /* NULL: not known */
	uint32_t owner_tid;   /* of a living process's mutex, now; 0: nobody, or not known */
	struct locks_calls calls;
	uint64_t ns, count, max_ns; /* waited: the ledger's */
};

struct locks_sysv_row {
	uint32_t pid, proc_id;
	char comm[16];
	uint64_t semid;
	struct locks_sems calls;
	uint64_t ns, count, max_ns;
};

struct locks_site_row {
	uint32_t pid, proc_id;
	char comm[16];
	const char *kind;     /* "rwsem_write" */
	const char *function; /* that took the lock; "other" for what no sample stands for */
	uint64_t count, ns, max_ns, samples;
};

/* A thread of a cycle: it waits for a lock that the next one of the cycle has. */
struct deadlock_member {
	uint32_t pid, tid, owner_tid;
	char comm[16];
	uint64_t address;
	const char *lock; /* its name */
	uint64_t ns;      /* it has waited for so long, as far as we saw */
};

struct deadlock_row {
	struct deadlock_member *members;
	size_t nmembers;
};

/* Two locks that were taken in both orders. */
struct lock_order_row {
	uint32_t pid, proc_id;
	char comm[16];
	const char *first, *second; /* names */
	uint64_t first_address, second_address;
	uint64_t forward, backward; /* times: second asked for with first held; first with second */
	uint32_t forward_tid, backward_tid;
};

struct locks_report {
	bool present;
	bool has_kernel; /* waits inside the kernel were seen */
	bool has_stalls;
	bool has_order; /* --lock-order */
	struct locks_figures tree;
	uint64_t rcu_stalls; /* of the whole system */
	struct locks_process_row *processes;
	size_t nprocesses;
	struct lock_row *locks; /* by time waited */
	size_t nlocks;
	struct locks_sysv_row *sysv;
	size_t nsysv;
	struct locks_site_row *sites; /* by time */
	size_t nsites;
	struct deadlock_row *deadlocks;
	size_t ndeadlocks;
	struct lock_order_row *orders;
	size_t norders;
	uint64_t pairs; /* of locks that were held together */
	struct absent_list absent;
};

extern const char *const locks_kernel_names[KERNEL_KINDS]; /* "rwsem_write" */

#endif
