/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report: everything that is known at one moment, as plain data. Probes fill it,
 * sinks print it; neither knows the other. All strings and arrays belong to the report
 * and live until report_free(). Times are nanoseconds, totals cumulative since the start.
 */
#ifndef DWELL_REPORT_H
#define DWELL_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu_report.h"
#include "io_report.h"
#include "ledger.h"
#include "locks_report.h"
#include "memory_report.h"
#include "network_report.h"
#include "stacks_report.h"
#include "wait_stat.h"

/*
 * An account: of a thread, a process, a command name or the tree. states[] sum to
 * lifetime - residual.
 */
struct account {
	uint64_t lifetime_ns;            /* kernel start time (or attach) to exit (or now) */
	int64_t residual_ns;             /* lifetime that no state accounts for */
	uint64_t user_ns, system_ns;     /* states[STATE_ON_CPU] as the kernel's utime : stime */
	uint64_t voluntary, involuntary; /* switches away: blocked, not blocked */
	struct wait_stat states[LEDGER_STATES];
};

/* User and system time are counted in ticks: of less on_cpu than this they say nothing. */
#define SPLIT_MIN_NS 100000000ULL

struct thread_row {
	uint32_t tid;
	bool alive;
	char comm[COMM_LEN];
	uint64_t start_ns;
	struct account account;
};

/* Calls and errors of one system call. */
struct errno_count {
	int err; /* positive errno; 0: not told, the table was full */
	uint64_t count;
};

struct call_row {
	const char *name; /* "openat" */
	int nr;
	const char *class_name; /* "file_io" */
	uint64_t count;
	struct errno_count *errors; /* by count, descending */
	size_t nerrors;
	/* with --syscall-latency only (has_latency): */
	bool has_latency;
	struct wait_stat time;
	struct hist_row *hist; /* of the tree's calls only */
	size_t nhist;
};

struct class_count {
	const char *name;
	uint64_t count;
};

struct syscall_table {
	uint64_t total;
	struct call_row *calls; /* by count, descending, then name */
	size_t ncalls;
	struct class_count *classes; /* every class, in the contract's order, zero or not */
	size_t nclasses;
};

struct process_row {
	uint32_t pid, ppid;
	uint32_t proc_id; /* serial: unique in the session */
	bool alive;
	bool has_exit;
	int exit_code, exit_signal; /* signal 0: exited */
	char comm[COMM_LEN];
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC; end 0 while alive */
	uint32_t threads_born, threads_live;
	struct account account;
	struct thread_row *threads; /* by lifetime, bounded */
	size_t nthreads;
	uint32_t threads_cut;          /* threads folded into account only */
	struct syscall_table syscalls; /* total 0 when the probe is off */
};

struct command_row {
	char comm[COMM_LEN];
	uint64_t processes, threads;
	struct account account;
};

struct object_row {
	uint32_t pid, proc_id;
	uint64_t address; /* of a futex */
	char comm[COMM_LEN];
	enum ledger_state state;
	const char *kind; /* "futex", "file", "socket", "pipe", "tty", "kernel_lock" */
	const char *name; /* "/var/lib/x", "tcp 127.0.0.1:5 -> 127.0.0.1:6379", "0x7f12…" */
	uint64_t ns, count, max_ns;
};

struct waker_row {
	uint32_t pid, tid; /* the sleeper */
	char comm[COMM_LEN];
	enum ledger_state state;
	const char *waker;  /* "thread", "timer", "interrupt" */
	uint32_t waker_tid; /* 0 unless "thread" */
	char waker_comm[COMM_LEN];
	uint64_t count, ns;
};

/* Time waited for one lock, of the rows' own number: what the locks probe joins with. */
struct ledger_lock {
	uint64_t address; /* of a futex; OBJECT_SYSV: the set's ID */
	uint32_t proc_id;
	enum object_kind kind; /* OBJECT_FUTEX, OBJECT_SYSV */
	uint64_t ns, count, max_ns;
};

/* A living thread that waits now: in a futex call, or for a lock inside the kernel. */
struct ledger_blocked {
	uint32_t pid, tid, proc_id;
	char comm[COMM_LEN];
	uint64_t address; /* of the futex; 0: not known */
	uint64_t ns;      /* so far */
};

struct ledger_report {
	bool present; /* false: the probe could not run; see trust.sources */
	struct account tree;
	bool has_stolen;    /* the kernel tells of it */
	uint64_t stolen_ns; /* of tree.states[STATE_ON_CPU]: interrupts' and the host's */
	struct process_row *processes; /* by lifetime, descending; bounded */
	size_t nprocesses;
	uint64_t processes_cut;       /* folded into commands and tree only */
	struct command_row *commands; /* by lifetime, descending */
	size_t ncommands;
	struct object_row *objects; /* by ns, descending */
	size_t nobjects;
	struct ledger_lock *locks; /* bounded */
	size_t nlocks;
	struct ledger_blocked *blocked; /* bounded */
	size_t nblocked;
	struct waker_row *wakers; /* by ns, descending */
	size_t nwakers;
	uint64_t objects_folded, wakers_folded; /* entries that went into the rows `other` */
	uint64_t *cpu_ns; /* on-CPU time by CPU; sums to tree.states[STATE_ON_CPU].ns */
	size_t ncpus;
	struct hist_row *runqueue; /* runqueue latency of the tree, non-empty buckets */
	size_t nrunqueue;
};

/* The behaviour analysis of contracts/denet.md, and the ledger's verdict beside it. */
struct analysis {
	const char *behavior;   /* io_bound, cpu_bound, …, unknown */
	const char *decided_by; /* "ledger" or "syscalls": which evidence named it */
	const char *rule;       /* the rule that fired, in words with figures */
	double syscall_rate_per_sec;
	double io_intensity, memory_intensity, cpu_intensity, network_intensity;
	const char *indicators[8];
	size_t nindicators;
	const char *workload_type;
	double bottleneck_likelihood;
	const char *hints[4];
	size_t nhints;
	char *verdict; /* plain words with the figures they stand on; NULL without a ledger */
};

struct syscall_report {
	bool present;
	struct syscall_table tree;
	uint64_t processes_cut; /* in the tree's counts, without a table of their own */
	bool has_uring;         /* false: io_uring operations are not counted here */
	uint64_t io_uring_ops;  /* operations submitted */
	struct call_row *uring; /* by opcode name */
	size_t nuring;
	struct analysis analysis;
};

struct source_attempt {
	const char *name; /* "tp_btf" */
	int error;        /* 0: attached; else negative errno */
	const char *what; /* "load", "attach sched_switch" */
};

struct source_row {
	const char *probe;
	const char *chosen; /* NULL: none attached */
	const struct source_attempt *attempts;
	size_t nattempts;
};

struct named_count {
	const char *name;
	uint64_t count;
	const char *help;
};

/* One check of the ledger against what the kernel counted on its own. */
struct reconcile_row {
	const char *name; /* "lifetime", "on_cpu", "switches", "births" */
	const char *unit; /* "ns" or "count" */
	uint64_t ours, kernel;
	int64_t difference;       /* ours - kernel */
	int64_t explained;        /* of it: for reasons that were measured, see bound */
	double percent;           /* of the kernel's */
	uint64_t checked, broken; /* threads looked at, threads out of bound */
	int64_t worst;            /* largest difference of one thread */
	bool ok;
	const char *bound; /* "<= 0.1 % and <= 5 us a thread" */
};

struct trust {
	double accounted_percent; /* states / lifetime of the tree */
	struct source_row *sources;
	size_t nsources;
	struct named_count *lost; /* every kind of loss, zero or not: figures that are missing */
	size_t nlost;
	uint64_t lost_total;
	struct named_count *folded; /* stands in totals or in `other`, has no row of its own */
	size_t nfolded;
	struct reconcile_row *reconcile;
	size_t nreconcile;
	bool reconcile_ok;
	const char **notes; /* what is missing and why, one line each */
	size_t nnotes;
	/* what dwell itself cost */
	uint64_t self_cpu_ns; /* user + system of dwell's own process */
	uint64_t self_rss_peak_bytes;
	uint64_t self_map_bytes; /* memory of its BPF maps, from fdinfo memlock */
	uint64_t self_start_ns;  /* exec of dwell to fork of the command */
	uint64_t self_stop_ns;   /* end of the command to the report */
	uint64_t self_bpf_ns;    /* run time of its programs; 0 unless kernel.bpf_stats_enabled */
};

/* What wait4 and getrusage tell of the command and its awaited descendants, exactly. */
struct usage {
	bool present;
	uint64_t user_ns, system_ns;
	uint64_t max_rss_kb, minor_faults, major_faults;
	uint64_t voluntary, involuntary;
	uint64_t blocks_in, blocks_out; /* of 512 bytes */
};

struct report {
	struct usage usage;
	bool bpf; /* false: filled from /proc and wait4 only */
	bool final;
	const char *target; /* the command line, "pid 12 (nginx)", …; NULL: not said */
	uint32_t cpus;      /* online; 0: not known */
	uint64_t now_ns;    /* CLOCK_MONOTONIC */
	uint64_t start_ns;
	uint64_t wall_ns;
	bool has_exit;
	int exit_code, exit_signal;
	uint64_t processes_born, processes_live, threads_born, threads_live;
	uint64_t execs;
	struct ledger_report ledger;
	struct syscall_report syscalls;
	struct cpu_report cpu;
	struct network_report network;
	struct io_report io;
	struct locks_report locks;
	struct memory_report memory;
	struct stacks_report stacks; /* present when the probe is on */
	struct trust trust;
	void *arena; /* owns everything above */
};

struct report *report_new(void);
void report_free(struct report *r);
/* Memory that lives as long as the report; zeroed. Aborts when there is none. */
void *report_alloc(struct report *r, size_t size);
/* The buckets (HIST_BUCKETS, hist.h) that are not empty, as rows of the report. */
struct hist_row *report_hist(struct report *r, const uint64_t *buckets, size_t *n);
char *report_printf(struct report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
