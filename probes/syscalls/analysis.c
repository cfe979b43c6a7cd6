/* SPDX-License-Identifier: BSD-2-Clause */
/* The behaviour analysis; its rules stand in analysis.h. */
#include "analysis.h"

#include <string.h>

#include "names.h"

#define MIN_SECONDS 0.1
#define LEDGER_SHARE 0.5 /* of the busy time */
#define BUSY_SHARE 0.5   /* of the wall time */

enum behavior {
	BEHAVIOR_UNKNOWN,
	BEHAVIOR_IO,
	BEHAVIOR_NETWORK,
	BEHAVIOR_MEMORY,
	BEHAVIOR_CPU,
	BEHAVIOR_MIXED,
};

struct profile {
	const char *behavior;
	const char *workload_type;
	double likelihood;
	const char *hints[4];
};

/* clang-format off */
static const struct profile profiles[] = {
	[BEHAVIOR_UNKNOWN] = { "unknown", "unknown", 0.0, { NULL } },
	[BEHAVIOR_IO] = { "io_bound", "file_io_intensive", 0.8, {
		"move more bytes with each call: larger buffers, readv and writev",
		"let the program work while the data comes: read ahead, or submit by io_uring",
		"look for files that are opened or looked up over and over" } },
	[BEHAVIOR_NETWORK] = { "network_bound", "network_intensive", 0.8, {
		"keep connections open and use them again",
		"put several small messages into one send",
		"let requests overlap instead of waiting for each answer" } },
	[BEHAVIOR_MEMORY] = { "memory_bound", "memory_intensive", 0.75, {
		"keep freed memory for the next use instead of giving it back each time",
		"allocate in larger pieces, from an arena or a pool",
		"see whether memory only grows: something may never be freed" } },
	[BEHAVIOR_CPU] = { "cpu_bound", "cpu_intensive", 0.7, {
		"find the functions that take the time with a CPU profile",
		"look for a better algorithm before faster code",
		"share the work among more threads when CPUs are free" } },
	[BEHAVIOR_MIXED] = { "mixed", "mixed_workload", 0.5, {
		"look at each process by itself: one of them may stand out",
		"measure the phases of the run apart" } },
};
/* clang-format on */

/* What the rules look at. */
struct evidence {
	double total, seconds, rate;
	double io, memory, network, process; /* shares of the calls */
	double cpu_percent;                  /* of one CPU; below 0: not known */
};

static uint64_t class_count(const struct syscall_table *t, enum syscall_class c)
{
	return (size_t)c < t->nclasses ? t->classes[c].count : 0;
}

static struct evidence gather(const struct report *r)
{
	const struct syscall_table *t = &r->syscalls.tree;
	struct evidence e = {
		.total = (double)t->total,
		.seconds = (double)r->wall_ns / 1e9,
		.cpu_percent = -1,
	};

	if (r->ledger.present && r->wall_ns)
		e.cpu_percent =
			100.0 * (double)r->ledger.tree.states[STATE_ON_CPU].ns / (double)r->wall_ns;
	if (e.total < 1 || e.seconds < MIN_SECONDS)
		return e;
	e.rate = e.total / e.seconds;
	e.io = (double)class_count(t, CLASS_FILE_IO) / e.total;
	e.memory = (double)class_count(t, CLASS_MEMORY) / e.total;
	e.network = (double)class_count(t, CLASS_NETWORK) / e.total;
	e.process = (double)class_count(t, CLASS_PROCESS) / e.total;
	return e;
}

static enum behavior by_mix(struct report *r, const struct evidence *e, const char **rule)
{
	if (e->io > 0.6 && e->rate > 100) {
		*rule = report_printf(r,
				      "file_io is %.0f %% of the calls (above 60 %%) at %.0f/s "
				      "(above 100/s)",
				      100 * e->io, e->rate);
		return BEHAVIOR_IO;
	}
	if (e->network > 0.4) {
		*rule = report_printf(r, "network is %.0f %% of the calls (above 40 %%)",
				      100 * e->network);
		return BEHAVIOR_NETWORK;
	}
	if (e->memory > 0.3) {
		*rule = report_printf(r, "memory is %.0f %% of the calls (above 30 %%)",
				      100 * e->memory);
		return BEHAVIOR_MEMORY;
	}
	if (e->rate < 50 && e->cpu_percent > 50) {
		*rule = report_printf(r,
				      "%.1f calls/s (below 50/s) at %.0f %% of a CPU (above 50 %%)",
				      e->rate, e->cpu_percent);
		return BEHAVIOR_CPU;
	}
	if (e->io > 0.2 && e->memory > 0.1) {
		*rule = report_printf(r,
				      "file_io is %.0f %% of the calls (above 20 %%), "
				      "memory %.0f %% (above 10 %%)",
				      100 * e->io, 100 * e->memory);
		return BEHAVIOR_MIXED;
	}
	*rule = report_printf(r,
			      "no rule holds: file_io %.0f %%, network %.0f %%, memory %.0f %% "
			      "of the calls at %.0f/s",
			      100 * e->io, 100 * e->network, 100 * e->memory, e->rate);
	return BEHAVIOR_UNKNOWN;
}

/* BEHAVIOR_UNKNOWN: the ledger names no class. */
static enum behavior by_ledger(struct report *r, const char **rule)
{
	static const enum ledger_state idle[] = { STATE_POLL, STATE_SLEEP,   STATE_SIGNAL,
						  STATE_TTY,  STATE_STOPPED, STATE_CHILD };
	const struct wait_stat *s = r->ledger.tree.states;
	double busy = 0, cpu, storage, network;

	for (int i = 0; i < LEDGER_STATES; i++)
		busy += (double)s[i].ns;
	for (size_t i = 0; i < sizeof(idle) / sizeof(*idle); i++)
		busy -= (double)s[idle[i]].ns;
	if (busy <= BUSY_SHARE * (double)r->wall_ns)
		return BEHAVIOR_UNKNOWN;
	cpu = (double)(s[STATE_ON_CPU].ns + s[STATE_RUNQUEUE].ns + s[STATE_PREEMPTED].ns) / busy;
	storage = (double)(s[STATE_DISK].ns + s[STATE_PAGE_FAULT].ns) / busy;
	network = (double)s[STATE_SOCKET].ns / busy;
	if (cpu > LEDGER_SHARE) {
		*rule = report_printf(r,
				      "on a CPU or waiting for one %.0f %% of the busy time "
				      "(above 50 %%)",
				      100 * cpu);
		return BEHAVIOR_CPU;
	}
	if (storage > LEDGER_SHARE) {
		*rule = report_printf(r,
				      "blocked on disk and page faults %.0f %% of the busy time "
				      "(above 50 %%)",
				      100 * storage);
		return BEHAVIOR_IO;
	}
	if (network > LEDGER_SHARE) {
		*rule = report_printf(r,
				      "blocked on sockets %.0f %% of the busy time (above 50 %%)",
				      100 * network);
		return BEHAVIOR_NETWORK;
	}
	return BEHAVIOR_UNKNOWN;
}

static enum behavior decide(struct report *r, const struct evidence *e)
{
	struct analysis *a = &r->syscalls.analysis;
	enum behavior mix, ledger;
	const char *rule = "";

	mix = by_mix(r, e, &a->rule);
	a->decided_by = "syscalls";
	ledger = r->ledger.present ? by_ledger(r, &rule) : BEHAVIOR_UNKNOWN;
	if (ledger == BEHAVIOR_UNKNOWN)
		return mix;
	if (ledger == mix) {
		a->rule = report_printf(r, "%s: %s; the ledger agrees: %s", profiles[mix].behavior,
					a->rule, rule);
		return mix;
	}
	a->rule = report_printf(r, "%s: %s; the mix of calls alone says %s: %s",
				profiles[ledger].behavior, rule, profiles[mix].behavior, a->rule);
	a->decided_by = "ledger";
	return ledger;
}

static void indicate(struct analysis *a, bool holds, const char *name)
{
	if (holds)
		a->indicators[a->nindicators++] = name;
}

static void find_indicators(struct report *r, const struct evidence *e)
{
	const struct syscall_table *t = &r->syscalls.tree;
	struct analysis *a = &r->syscalls.analysis;
	uint64_t io = class_count(t, CLASS_FILE_IO), memory = class_count(t, CLASS_MEMORY);

	indicate(a, io > 500, "high_file_io");
	indicate(a, e->rate > 1000, "very_high_syscall_rate");
	indicate(a, memory > 100, "frequent_memory_management");
	indicate(a, class_count(t, CLASS_NETWORK) > 200, "high_network_activity");
	indicate(a, e->cpu_percent > 80 && e->rate < 100, "cpu_intensive");
	indicate(a, io > 300 && memory > 50, "io_memory_contention");
}

void analysis_make(struct report *r)
{
	struct analysis *a = &r->syscalls.analysis;
	struct evidence e = gather(r);
	const struct profile *p;

	memset(a, 0, sizeof(*a));
	a->behavior = "unknown";
	a->decided_by = "syscalls";
	if (e.total < 1 || e.seconds < MIN_SECONDS) {
		a->workload_type = "insufficient_data";
		a->rule =
			report_printf(r, "%.0f calls in %.3f s: no verdict below 1 call or %.1f s",
				      e.total, e.seconds, MIN_SECONDS);
		return;
	}
	a->syscall_rate_per_sec = e.rate;
	a->io_intensity = e.io;
	a->memory_intensity = e.memory;
	a->network_intensity = e.network;
	a->cpu_intensity = e.process; /* denet's measure: the share of process calls */
	find_indicators(r, &e);
	p = &profiles[decide(r, &e)];
	a->behavior = p->behavior;
	a->workload_type = p->workload_type;
	a->bottleneck_likelihood = p->likelihood;
	for (a->nhints = 0; a->nhints < 4 && p->hints[a->nhints]; a->nhints++)
		a->hints[a->nhints] = p->hints[a->nhints];
}
