/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of the locks probe. */
#include "locks_user.h"

static const struct shape futex_shape[] = {
	SHAPE_AS("waits", U64, locks_figures, counted.futex.waits, UNIT_COUNT, COUNTER,
		 "calls that wait (wait, lock with priority inheritance, waitv), whatever came "
		 "back"),
	SHAPE_AS("waits_woken", U64, locks_figures, counted.futex.waits_woken, UNIT_COUNT, COUNTER,
		 "of these: woken, or given the lock"),
	SHAPE_AS("timeouts", U64, locks_figures, counted.futex.timeouts, UNIT_COUNT, COUNTER,
		 "of these: the time was up"),
	SHAPE_AS("value_changed", U64, locks_figures, counted.futex.value_changed, UNIT_COUNT,
		 COUNTER, "of these: the word had another value already, so nobody waited"),
	SHAPE_AS("interrupted", U64, locks_figures, counted.futex.interrupted, UNIT_COUNT, COUNTER,
		 "calls that a signal ended"),
	SHAPE_AS("wakes", U64, locks_figures, counted.futex.wakes, UNIT_COUNT, COUNTER,
		 "calls that wake"),
	SHAPE_AS("woken", U64, locks_figures, counted.futex.woken, UNIT_COUNT, COUNTER,
		 "threads that these woke"),
	SHAPE_AS("requeues", U64, locks_figures, counted.futex.requeues, UNIT_COUNT, COUNTER,
		 "calls that move waiters to another futex"),
	SHAPE_AS("requeued", U64, locks_figures, counted.futex.requeued, UNIT_COUNT, COUNTER,
		 "threads that these woke or moved"),
	SHAPE_AS("errors", U64, locks_figures, counted.futex.errors, UNIT_COUNT, COUNTER,
		 "calls that failed otherwise"),
	SHAPE_AS("blocked", U64, locks_figures, futex_blocks, UNIT_COUNT, COUNTER,
		 "times a thread was blocked on a futex: the ledger's"),
	SHAPE_AS("blocked_ns", U64, locks_figures, futex_ns, UNIT_NS, COUNTER,
		 "time that threads were blocked on futexes: the ledger's"),
	SHAPE_AS("blocked_max_ns", U64, locks_figures, futex_max_ns, UNIT_NS, GAUGE,
		 "longest of these times"),
	{}
};

static const struct shape sysv_shape[] = {
	SHAPE_AS("operations", U64, locks_figures, counted.sysv.operations, UNIT_COUNT, COUNTER,
		 "calls of semop and semtimedop"),
	SHAPE_AS("refused", U64, locks_figures, counted.sysv.refused, UNIT_COUNT, COUNTER,
		 "of these: EAGAIN, would have had to wait, or the time was up"),
	SHAPE_AS("interrupted", U64, locks_figures, counted.sysv.interrupted, UNIT_COUNT, COUNTER,
		 "of these: ended by a signal"),
	SHAPE_AS("errors", U64, locks_figures, counted.sysv.errors, UNIT_COUNT, COUNTER,
		 "of these: failed otherwise"),
	{}
};

static const struct shape kernel_shape[] = {
	SHAPE_IS(U64, locks_kernel, count, UNIT_COUNT, COUNTER, "waits"),
	SHAPE_IS(U64, locks_kernel, ns, UNIT_NS, COUNTER, "time waited, spinning included"),
	SHAPE_IS(U64, locks_kernel, max_ns, UNIT_NS, GAUGE, "longest wait"),
	{}
};

static const char *kernel_key(const void *row, size_t i)
{
	(void)row;
	return locks_kernel_names[i];
}

static bool kernel_waited(const void *row)
{
	return ((const struct locks_kernel *)row)->count;
}

/* One table for the tree and for a process. */
static const struct shape figures_shape[] = {
	{ .key = "futex",
	  .type = SHAPE_OBJECT,
	  .sub = futex_shape,
	  .help = "futex calls, what mutexes, condition variables and the like are made of" },
	{ .key = "sysv", .type = SHAPE_OBJECT, .sub = sysv_shape, .help = "System V semaphores" },
	{ .key = "kernel",
	  .type = SHAPE_DICT,
	  .offset = offsetof(struct locks_figures, counted.kernel),
	  .size = sizeof(struct locks_kernel),
	  .count = KERNEL_KINDS,
	  .inline_array = true,
	  .row_key = kernel_key,
	  .row_present = kernel_waited,
	  .sub = kernel_shape,
	  .help = "waits for locks inside the kernel, by kind; one that was not waited for is left "
		  "out. Waits of interrupts are nobody's. A writer of a percpu_rwsem always "
		  "waits, also alone" },
	{}
};

static bool in_module(const void *base)
{
	return ((const struct lock_row *)base)->module;
}

static bool has_owner(const void *base)
{
	return ((const struct lock_row *)base)->owner_tid;
}

#define WHO(struct_)                                                                               \
	SHAPE_IS(U32, struct_, pid, UNIT_NONE, INFO, "process ID; 0: of several, or not visible"), \
		SHAPE_IS(U32, struct_, proc_id, UNIT_NONE, INFO,                                   \
			 "number of the process in this report; 0: of several"),                   \
		SHAPE_IS(CHARS, struct_, comm, UNIT_NONE, INFO, "its command's name")

static const struct shape lock_calls_shape[] = {
	SHAPE_IS(U64, locks_calls, waits, UNIT_COUNT, COUNTER, "calls that wait"),
	SHAPE_IS(U64, locks_calls, waits_woken, UNIT_COUNT, COUNTER, "of these: woken"),
	SHAPE_IS(U64, locks_calls, timeouts, UNIT_COUNT, COUNTER, "of these: the time was up"),
	SHAPE_IS(U64, locks_calls, value_changed, UNIT_COUNT, COUNTER, "of these: nobody waited"),
	SHAPE_IS(U64, locks_calls, interrupted, UNIT_COUNT, COUNTER, "ended by a signal"),
	SHAPE_IS(U64, locks_calls, wakes, UNIT_COUNT, COUNTER, "calls that wake"),
	SHAPE_IS(U64, locks_calls, woken, UNIT_COUNT, COUNTER, "threads that these woke"),
	SHAPE_IS(U64, locks_calls, requeues, UNIT_COUNT, COUNTER, "calls that move waiters away"),
	SHAPE_IS(U64, locks_calls, requeued, UNIT_COUNT, COUNTER, "threads they woke or moved"),
	SHAPE_IS(U64, locks_calls, errors, UNIT_COUNT, COUNTER, "calls that failed otherwise"),
	{}
};

#define OPTIONAL_STR(struct_, member_, help_)                                                      \
	{                                                                                          \
		.key = #member_, .type = SHAPE_STR, .optional = true,                              \
		.offset = offsetof(struct struct_, member_), .help = (help_)                       \
	}

static const struct shape lock_shape[] = {
	WHO(lock_row),
	SHAPE_IS(U64, lock_row, address, UNIT_NONE, INFO, "in the process's memory"),
	OPTIONAL_STR(lock_row, name,
		     "variable and file, file and offset, or kind of memory: counter_lock (a.out), "
		     "a.out+0x40a0, [heap], [stack] (the first thread's), [anonymous] (other "
		     "stacks, large allocations), [shared]; other: what has no row"),
	SHAPE_IS(STR, lock_row, kind, UNIT_NONE, INFO,
		 "mutex, condition, semaphore, rwlock, barrier, thread_end (pthread_join), once; "
		 "futex where nothing tells; other: of several"),
	OPTIONAL_STR(lock_row, evidence, "what told the kind"),
	OPTIONAL_STR(lock_row, caller, "function of the C library that waits for it"),
	OPTIONAL_STR(lock_row, module, "file that it lies in"),
	OPTIONAL_STR(lock_row, symbol, "variable that it is, or is part of"),
	{ .key = "offset",
	  .type = SHAPE_U64,
	  .unit = UNIT_BYTES,
	  .optional = true,
	  .present = in_module,
	  .offset = offsetof(struct lock_row, offset),
	  .help = "in the variable; without one the file's own address of it" },
	{ .key = "owner_tid",
	  .type = SHAPE_U32,
	  .optional = true,
	  .present = has_owner,
	  .offset = offsetof(struct lock_row, owner_tid),
	  .help = "thread that holds the mutex at the end of the measurement, as its own PID "
		  "namespace numbers it" },
	SHAPE_FLAT(lock_row, calls, lock_calls_shape),
	SHAPE_AS("blocked", U64, lock_row, count, UNIT_COUNT, COUNTER,
		 "times a thread was blocked on it"),
	SHAPE_AS("blocked_ns", U64, lock_row, ns, UNIT_NS, COUNTER, "time blocked on it"),
	SHAPE_AS("blocked_max_ns", U64, lock_row, max_ns, UNIT_NS, GAUGE, "longest of these"),
	{}
};

static const struct shape sysv_set_shape[] = {
	WHO(locks_sysv_row),
	SHAPE_IS(U64, locks_sysv_row, semid, UNIT_NONE, INFO, "ID of the set"),
	SHAPE_AS("operations", U64, locks_sysv_row, calls.operations, UNIT_COUNT, COUNTER,
		 "calls of semop and semtimedop"),
	SHAPE_AS("refused", U64, locks_sysv_row, calls.refused, UNIT_COUNT, COUNTER, "EAGAIN"),
	SHAPE_AS("interrupted", U64, locks_sysv_row, calls.interrupted, UNIT_COUNT, COUNTER,
		 "ended by a signal"),
	SHAPE_AS("errors", U64, locks_sysv_row, calls.errors, UNIT_COUNT, COUNTER,
		 "failed otherwise"),
	SHAPE_AS("blocked", U64, locks_sysv_row, count, UNIT_COUNT, COUNTER,
		 "times a thread was blocked on it"),
	SHAPE_AS("blocked_ns", U64, locks_sysv_row, ns, UNIT_NS, COUNTER, "time blocked on it"),
	SHAPE_AS("blocked_max_ns", U64, locks_sysv_row, max_ns, UNIT_NS, GAUGE, "longest of these"),
	{}
};

static const struct shape site_shape[] = {
	WHO(locks_site_row),
	SHAPE_IS(STR, locks_site_row, kind, UNIT_NONE, INFO, "kind of the lock"),
	SHAPE_IS(STR, locks_site_row, function, UNIT_NONE, INFO,
		 "function of the kernel that took it; other: what no sample stands for"),
	SHAPE_IS(U64, locks_site_row, count, UNIT_COUNT, COUNTER,
		 "waits that the samples stand for"),
	SHAPE_IS(U64, locks_site_row, ns, UNIT_NS, COUNTER, "time that they stand for"),
	SHAPE_IS(U64, locks_site_row, max_ns, UNIT_NS, GAUGE, "longest wait that was sampled"),
	SHAPE_IS(U64, locks_site_row, samples, UNIT_COUNT, COUNTER, "stacks taken"),
	{}
};

static const struct shape member_shape[] = {
	SHAPE_IS(U32, deadlock_member, pid, UNIT_NONE, INFO, "process ID"),
	SHAPE_IS(U32, deadlock_member, tid, UNIT_NONE, INFO, "the thread that waits"),
	SHAPE_IS(CHARS, deadlock_member, comm, UNIT_NONE, INFO, "its name"),
	SHAPE_IS(STR, deadlock_member, lock, UNIT_NONE, INFO, "name of the mutex it waits for"),
	SHAPE_IS(U64, deadlock_member, address, UNIT_NONE, INFO, "address of the mutex"),
	SHAPE_IS(U32, deadlock_member, owner_tid, UNIT_NONE, INFO,
		 "the thread that holds it: the next member"),
	SHAPE_AS("waited_ns", U64, deadlock_member, ns, UNIT_NS, GAUGE,
		 "how long it has waited, since dwell looked"),
	{}
};

static const struct shape deadlock_shape[] = {
	SHAPE_ROWS("members", deadlock_row, members, nmembers, member_shape,
		   "each waits for what the next one holds, the last for the first's"),
	{}
};

static const struct shape order_shape[] = {
	WHO(lock_order_row),
	SHAPE_IS(STR, lock_order_row, first, UNIT_NONE, INFO, "name of one lock"),
	SHAPE_IS(U64, lock_order_row, first_address, UNIT_NONE, INFO, "its address"),
	SHAPE_IS(STR, lock_order_row, second, UNIT_NONE, INFO, "name of the other"),
	SHAPE_IS(U64, lock_order_row, second_address, UNIT_NONE, INFO, "its address"),
	SHAPE_IS(U64, lock_order_row, forward, UNIT_COUNT, COUNTER,
		 "times the second was asked for by who held the first"),
	SHAPE_IS(U32, lock_order_row, forward_tid, UNIT_NONE, INFO, "the first thread that did"),
	SHAPE_IS(U64, lock_order_row, backward, UNIT_COUNT, COUNTER,
		 "times the first was asked for by who held the second"),
	SHAPE_IS(U32, lock_order_row, backward_tid, UNIT_NONE, INFO, "the first thread that did"),
	{}
};

static bool has_stalls(const void *base)
{
	return ((const struct report *)base)->locks.has_stalls;
}

static bool has_kernel(const void *base)
{
	return ((const struct report *)base)->locks.has_kernel;
}

static bool has_order(const void *base)
{
	return ((const struct report *)base)->locks.has_order;
}

static bool did_anything(const void *row)
{
	const struct locks_process_row *p = row;
	const uint64_t *v = (const uint64_t *)&p->figures;

	for (size_t i = 0; i < sizeof(p->figures) / sizeof(uint64_t); i++)
		if (v[i])
			return true;
	return false;
}

static const struct shape process_shape[] = { WHO(locks_process_row),
					      SHAPE_FLAT(locks_process_row, figures, figures_shape),
					      {} };

#define STALLS                                                                                     \
	{                                                                                          \
		.key = "rcu_stalls", .type = SHAPE_U64, .unit = UNIT_COUNT,                        \
		.kind = METRIC_COUNTER, .optional = true, .present = has_stalls,                   \
		.offset = offsetof(struct report, locks.rcu_stalls),                               \
		.help = "RCU stall warnings of the kernel, of the whole system and whoever "       \
			"caused them; absent: this kernel does not tell"                           \
	}

#define TABLE(key_, member_, sub_, help_)                                                          \
	.key = key_, .type = SHAPE_LIST, .offset = offsetof(struct report, locks.member_),         \
	.count_offset = offsetof(struct report, locks.n##member_),                                 \
	.size = sizeof(*((struct report *)0)->locks.member_), .sub = (sub_), .help = (help_)

const struct shape locks_tick_shape[] = { SHAPE_FLAT(report, locks.tree, figures_shape),
					  STALLS,
					  {} };

const struct shape locks_shape[] = {
	SHAPE_FLAT(report, locks.tree, figures_shape),
	STALLS,
	{ TABLE("locks", locks, lock_shape, "futexes by time blocked; the rest is in `other`") },
	{ TABLE("sysv_sets", sysv, sysv_set_shape, "sets of System V semaphores") },
	{ TABLE("sites", sites, site_shape,
		"waits inside the kernel by who took the lock: a stack for each further 0.5 ms "
		"that was waited on a CPU, standing for all of it"),
	  .optional = true, .present = has_kernel },
	{ TABLE("deadlocks", deadlocks, deadlock_shape,
		"threads that wait for each other's mutexes for ever, as the measurement ends") },
	{ TABLE("orders", orders, order_shape,
		"with --lock-order: pairs of mutexes that were taken in both orders"),
	  .optional = true, .present = has_order },
	{ TABLE("processes", processes, process_shape, "by process, as the ledger's"),
	  .row_present = did_anything },
	SHAPE_ABSENT(locks.absent),
	{}
};
