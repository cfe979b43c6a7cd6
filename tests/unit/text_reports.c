/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reports made by hand: a build of many processes, a program that is stuck on a lock, a
 * hostile one whose names try to write to the terminal, and a run without BPF. Everything
 * is static; the tests only read it.
 */
#include "text_reports.h"

#include <errno.h>
#include <string.h>

#define US 1000ULL
#define MS 1000000ULL
#define S 1000000000ULL

/* clang-format off */
#define WAIT(ns_, count_, max_, p99_) \
	{ .ns = (ns_), .count = (count_), .max_ns = (max_), .p99_ns = (p99_) }
/* clang-format on */

static struct source_row sources[] = {
	{ .probe = "ledger", .chosen = "tp_btf" },
	{ .probe = "syscalls", .chosen = "raw_tp" },
};

static struct reconcile_row agreed[] = {
	{ .name = "switches",
	  .unit = "count",
	  .ours = 5,
	  .kernel = 5,
	  .ok = true,
	  .bound = "exact" },
};

static void fill_trust(struct trust *t)
{
	t->accounted_percent = 99.9991;
	t->sources = sources;
	t->nsources = 2;
	t->reconcile = agreed;
	t->nreconcile = 1;
	t->reconcile_ok = true;
	t->self_cpu_ns = 41 * MS;
	t->self_rss_peak_bytes = 12700000;
	t->self_map_bytes = 4100000;
	t->self_start_ns = 34 * MS;
	t->self_stop_ns = 7900 * US;
}

/* --- a build --- */

/* clang-format off */
static struct process_row build_processes[] = {
	{ .pid = 4120, .comm = "make", .account = { .lifetime_ns = 12345 * MS,
	  .states = { [STATE_ON_CPU] = WAIT(210 * MS, 310, 2 * MS, MS),
		      [STATE_CHILD] = WAIT(12 * S, 143, 800 * MS, 700 * MS) } } },
	{ .pid = 4133, .comm = "cc1", .account = { .lifetime_ns = 2310 * MS,
	  .states = { [STATE_ON_CPU] = WAIT(2200 * MS, 410, 90 * MS, 80 * MS),
		      [STATE_RUNQUEUE] = WAIT(66 * MS, 100, 8 * MS, 6 * MS),
		      [STATE_DISK] = WAIT(33 * MS, 12, 9 * MS, 9 * MS) } } },
	{ .pid = 4140, .comm = "ld", .account = { .lifetime_ns = 900 * MS,
	  .states = { [STATE_ON_CPU] = WAIT(500 * MS, 100, 50 * MS, 40 * MS),
		      [STATE_DISK] = WAIT(380 * MS, 120, 12 * MS, 9 * MS) } } },
};

static struct command_row build_commands[] = {
	{ .comm = "make", .processes = 1, .threads = 1, .account = { .lifetime_ns = 12345 * MS,
	  .states = { [STATE_ON_CPU] = WAIT(210 * MS, 310, 2 * MS, MS),
		      [STATE_CHILD] = WAIT(12 * S, 143, 800 * MS, 700 * MS) } } },
	{ .comm = "cc1", .processes = 128, .threads = 128, .account = { .lifetime_ns = 20 * S,
	  .states = { [STATE_ON_CPU] = WAIT(18 * S, 4100, 90 * MS, 80 * MS),
		      [STATE_RUNQUEUE] = WAIT(900 * MS, 900, 8 * MS, 6 * MS) } } },
};

static struct object_row build_objects[] = {
	{ .pid = 4140, .comm = "ld", .state = STATE_DISK, .kind = "file",
	  .name = "/srv/build/a-rather-long-name-of-a-project/out/release/obj/libeverything.a",
	  .ns = 380 * MS, .count = 120, .max_ns = 12 * MS },
	{ .pid = 4120, .comm = "make", .state = STATE_PIPE, .kind = "pipe", .name = "pipe:[88123]",
	  .ns = 98 * MS, .count = 12345, .max_ns = 900 * US },
};
/* clang-format on */

static struct errno_count openat_errors[] = { { ENOENT, 8123 }, { EACCES, 2 } };
static struct call_row build_calls[] = {
	{ .name = "openat", .count = 23456, .errors = openat_errors, .nerrors = 2 },
	{ .name = "read", .count = 19022 },
	{ .name = "mmap", .count = 4100 },
};

static char build_verdict[] =
	"CPU-bound: 90.2 % of 21.3 s of busy thread time was on a CPU (79.8 % user). Waiting for a "
	"CPU took 7.1 %: up to 4 threads wanted one of 2 CPUs.";

static void fill_build(struct report *r)
{
	struct account *a = &r->ledger.tree;

	r->bpf = r->final = true;
	r->target = "make -j2 all";
	r->cpus = 2;
	r->wall_ns = 12345 * MS;
	r->has_exit = true;
	r->processes_born = 143;
	r->threads_born = 145;
	a->lifetime_ns = 34500 * MS;
	a->user_ns = 17 * S;
	a->system_ns = 2210 * MS;
	a->states[STATE_ON_CPU] = (struct wait_stat)WAIT(19210 * MS, 5123, 90 * MS, 80 * MS);
	a->states[STATE_CHILD] = (struct wait_stat)WAIT(13200 * MS, 290, 2 * S, 900 * MS);
	a->states[STATE_RUNQUEUE] = (struct wait_stat)WAIT(1100 * MS, 6010, 11 * MS, 8 * MS);
	a->states[STATE_PREEMPTED] = (struct wait_stat)WAIT(410 * MS, 800, 12 * MS, 9 * MS);
	a->states[STATE_DISK] = (struct wait_stat)WAIT(470 * MS, 160, 12 * MS, 9 * MS);
	a->states[STATE_PIPE] = (struct wait_stat)WAIT(109 * MS, 123456, 900 * US, 80 * US);
	a->states[STATE_PAGE_FAULT] = (struct wait_stat)WAIT(MS, 3, 500 * US, 500 * US);
	r->ledger.present = true;
	r->ledger.processes = build_processes;
	r->ledger.nprocesses = 3;
	r->ledger.commands = build_commands;
	r->ledger.ncommands = 2;
	r->ledger.objects = build_objects;
	r->ledger.nobjects = 2;
	r->syscalls.present = true;
	r->syscalls.tree.total = 61234;
	r->syscalls.tree.calls = build_calls;
	r->syscalls.tree.ncalls = 3;
	r->syscalls.analysis.verdict = build_verdict;
	fill_trust(&r->trust);
}

/* --- a program that lost events and does not add up, killed --- */

/* clang-format off */
static struct object_row stuck_objects[] = {
	{ .pid = 77, .comm = "server", .state = STATE_FUTEX, .kind = "futex",
	  .name = "0x7f1204a010c8", .ns = 38 * S, .count = 4, .max_ns = 9800 * MS },
};

static struct reconcile_row broken[] = {
	{ .name = "switches", .unit = "count", .ours = 12345, .kernel = 12350, .difference = -5,
	  .percent = -0.0405, .checked = 4, .broken = 1, .worst = -5, .ok = false,
	  .bound = "exact" },
	{ .name = "on_cpu", .unit = "ns", .ours = 900 * MS, .kernel = 950 * MS,
	  .difference = -50000000, .percent = -5.263, .checked = 4, .broken = 2,
	  .worst = -30000000, .ok = false, .bound = "<= 1 % or 50 us a thread" },
};
/* clang-format on */

static struct named_count lost[] = {
	{ "ring_full", 0, "records" },
	{ "threads_refused", 1204, "threads without an account" },
};

static void fill_stuck(struct report *r)
{
	struct account *a = &r->ledger.tree;

	r->bpf = r->final = true;
	r->target = "./server --port 8080";
	r->wall_ns = 125 * S;
	r->has_exit = true;
	r->exit_signal = 9;
	r->processes_born = 1;
	r->threads_born = 4;
	r->processes_live = 1;
	a->lifetime_ns = 500 * S;
	a->states[STATE_ON_CPU] = (struct wait_stat)WAIT(900 * MS, 12345, 3 * MS, MS);
	a->states[STATE_FUTEX] = (struct wait_stat)WAIT(38 * S, 4, 9800 * MS, 9800 * MS);
	a->states[STATE_POLL] = (struct wait_stat)WAIT(461100 * MS, 1000, 30 * S, 25 * S);
	r->ledger.present = true;
	r->ledger.objects = stuck_objects;
	r->ledger.nobjects = 1;
	fill_trust(&r->trust);
	r->trust.accounted_percent = 100;
	r->trust.reconcile = broken;
	r->trust.nreconcile = 2;
	r->trust.reconcile_ok = false;
	r->trust.lost = lost;
	r->trust.nlost = 2;
	r->trust.lost_total = 1204;
}

/* --- names that would write to the terminal --- */

static struct process_row evil_processes[] = {
	{ .pid = 1, .comm = "\033]0;owned\007\r\n", .account = { .lifetime_ns = S } },
	{ .pid = 2, .comm = "\xe2\x80\xaegnp.exe", .account = { .lifetime_ns = S } },
};

/* clang-format off */
static struct object_row evil_objects[] = {
	{ .pid = 1, .comm = "\033[31mred", .state = STATE_DISK, .kind = "file",
	  .name = "/tmp/\033[2Ja\nb\xff\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97", .ns = S,
	  .count = 1, .max_ns = S },
};
/* clang-format on */

static void fill_hostile(struct report *r)
{
	r->bpf = r->final = true;
	r->target = "sh -c \033[2Jprintf\tx";
	r->wall_ns = S;
	r->has_exit = true;
	r->exit_code = 3;
	r->processes_born = r->threads_born = 2;
	r->ledger.present = true;
	r->ledger.tree.lifetime_ns = 2 * S;
	r->ledger.tree.states[STATE_DISK] = (struct wait_stat)WAIT(2 * S, 1, S, S);
	r->ledger.processes = evil_processes;
	r->ledger.nprocesses = 2;
	r->ledger.objects = evil_objects;
	r->ledger.nobjects = 1;
	fill_trust(&r->trust);
}

/* --- stacks: a path of each kind, and more of them than there is room for --- */

/* clang-format off */
#define FRAME(name_, kind_) { .name = (name_), .kind = STACK_FRAME_##kind_ }
static const struct stack_frame
	f_start = FRAME("_start", USER), f_main = FRAME("main", USER),
	f_query = FRAME("do_query", USER), f_plan = FRAME("plan", INLINED),
	f_scan = FRAME("std::_Rb_tree<std::string, std::pair<std::string const, row>, "
		       "std::_Select1st<std::pair<std::string const, row>>>::_M_insert_unique", USER),
	f_fetch = FRAME("fetch_block", USER), f_read = FRAME("pread64", USER),
	f_kread = FRAME("vfs_read", KERNEL), f_ksched = FRAME("io_schedule", KERNEL),
	f_wake = FRAME("notify", WAKER), f_evil = FRAME("\033[2J\xe6\xbc\xa2\xe5\xad\x97\n", PYTHON),
	f_cut = FRAME("[truncated: no table for this file]", MARK),
	f_none = FRAME("[not sampled]", MARK),
	/* a stripped program's start: _start, libc's two, main */
	f_stripped = { .name = "mysqld+0xa7a0", .module = "mysqld" },
	f_libc = { .name = "__libc_start_main", .module = "libc.so.6" },
	f_call = { .name = "libc.so.6+0x27249", .module = "libc.so.6" },
	f_nameless = { .name = "mysqld+0x95c7", .module = "mysqld" };

#define STACK(...) .frames = (const struct stack_frame *const[]){ __VA_ARGS__ }, \
	.nframes = sizeof((const struct stack_frame *const[]){ __VA_ARGS__ }) / sizeof(void *)
static struct stack_row stack_rows[16] = {
	{ .comm = "mysqld", .state = STATE_DISK, .ns = 3 * S, .count = 2900,
	  STACK(&f_ksched, &f_kread, &f_read, &f_fetch, &f_scan, &f_plan, &f_query, &f_main, &f_start) },
	{ .comm = "mysqld", .state = STATE_DISK, .ns = S, .count = 900, /* another way in the kernel */
	  STACK(&f_kread, &f_read, &f_fetch, &f_scan, &f_plan, &f_query, &f_main, &f_start) },
	{ .comm = "mysqld", .state = STATE_ON_CPU, .ns = 900 * MS, .count = 89,
	  STACK(&f_plan, &f_query, &f_main, &f_start) },
	{ .comm = "mysqld", .state = STATE_FUTEX, .ns = 800 * MS, .count = 700,
	  STACK(&f_wake, &f_ksched, &f_cut) },
	{ .comm = "mysqld", .state = STATE_PAGE_FAULT, .ns = 50 * MS, .count = 40, STACK(&f_cut) },
	{ .comm = "\033]0;x", .state = STATE_POLL, .ns = 40 * MS, .count = 39, STACK(&f_evil) },
	{ .comm = "mysqld", .state = STATE_RUNQUEUE, .ns = 30 * MS, STACK(&f_none) },
	{ .comm = "mysqld", .state = STATE_TTY, .ns = 20 * MS, .count = 19,
	  STACK(&f_query, &f_nameless, &f_call, &f_libc, &f_stripped) },
};
/* clang-format on */

static void fill_stacks(struct report *r)
{
	static const struct stack_frame *const alone[] = { &f_query, &f_main };
	struct account *a = &r->ledger.tree;

	r->bpf = r->final = true;
	r->target = "mysqld --verbose";
	r->wall_ns = 6 * S;
	r->has_exit = true;
	r->processes_born = r->threads_born = 1;
	r->ledger.present = r->stacks.present = true;
	a->lifetime_ns = 5840 * MS + 92;
	a->states[STATE_DISK] = (struct wait_stat)WAIT(4 * S, 3900, 9 * MS, 8 * MS);
	for (size_t i = 8; i < 16; i++)
		stack_rows[i] = (struct stack_row){
			.comm = "mysqld",
			.state = STATE_PIPE + (uint32_t)i - 7,
			.ns = i,
			.count = 1,
			.nframes = 2,
			.frames = alone,
		};
	r->stacks.quantum_ns = MS;
	r->stacks.frequency = 99;
	r->stacks.clock = "cpu-clock";
	r->stacks.samples = 4695;
	r->stacks.truncated = 740;
	r->stacks.not_sampled_ns = 30 * MS;
	r->stacks.rows = stack_rows;
	r->stacks.nrows = 16;
	fill_trust(&r->trust);
}

/* --- no BPF --- */

static const char *no_bpf_notes[] = {
	"no BPF (not permitted): the ledger and the system calls are missing; run dwell as root, "
	"or see 'dwell doctor'",
};

static void fill_bare(struct report *r)
{
	r->final = true;
	r->target = "true";
	r->wall_ns = 1400 * US;
	r->has_exit = true;
	r->usage = (struct usage){
		.present = true,
		.user_ns = 800 * US,
		.system_ns = 310 * US,
		.max_rss_kb = 1840,
		.minor_faults = 91,
		.voluntary = 1,
	};
	r->trust.notes = no_bpf_notes;
	r->trust.nnotes = 1;
}

const struct text_case text_cases[] = {
	{ "build", fill_build }, { "stuck", fill_stuck },   { "hostile", fill_hostile },
	{ "bare", fill_bare },   { "stacks", fill_stacks }, {},
};
