/* SPDX-License-Identifier: BSD-2-Clause */
/* A report and a sample made by hand; see jsonl_reports.h. */
#include "jsonl_reports.h"

#include <errno.h>
#include <string.h>

#include "probe.h"

#define MS 1000000ULL

#define WAIT(ns_, count_, max_, min_)                                                              \
	{                                                                                          \
		.ns = (ns_), .count = (count_), .max_ns = (max_), .min_ns = (min_),                \
		.p50_ns = (min_), .p95_ns = (max_), .p99_ns = (max_)                               \
	}

static struct thread_row threads[] = {
	{ .tid = 100,
	  .comm = "sh",
	  .start_ns = 1000,
	  .account = { .lifetime_ns = 50 * MS,
		       .user_ns = 6 * MS,
		       .system_ns = 4 * MS,
		       .voluntary = 2,
		       .states = { [STATE_ON_CPU] = WAIT(10 * MS, 3, 5 * MS, MS),
				   [STATE_CHILD] = WAIT(40 * MS, 2, 30 * MS, 10 * MS) } } },
	{ .tid = 101,
	  .comm = "worker\xff",
	  .alive = true,
	  .start_ns = 2000,
	  .account = { .lifetime_ns = 30 * MS,
		       .involuntary = 1,
		       .states = { [STATE_FUTEX] = WAIT(25 * MS, 5, 9 * MS, MS),
				   [STATE_RUNQUEUE] = WAIT(5 * MS, 1, 5 * MS, 5 * MS) } } },
};

static struct process_row processes[] = {
	{ .pid = 100,
	  .ppid = 99,
	  .proc_id = 1,
	  .comm = "sh",
	  .has_exit = true,
	  .exit_code = 3,
	  .start_ns = 1000,
	  .end_ns = 50 * MS + 1000,
	  .threads_born = 2,
	  .threads_live = 0,
	  .threads = threads,
	  .nthreads = 2,
	  .account = { .lifetime_ns = 80 * MS,
		       .residual_ns = 0,
		       .user_ns = 6 * MS,
		       .system_ns = 4 * MS,
		       .states = { [STATE_ON_CPU] = WAIT(10 * MS, 3, 5 * MS, MS),
				   [STATE_CHILD] = WAIT(40 * MS, 2, 30 * MS, 10 * MS),
				   [STATE_FUTEX] = WAIT(25 * MS, 5, 9 * MS, MS),
				   [STATE_RUNQUEUE] = WAIT(5 * MS, 1, 5 * MS, 5 * MS) } } },
	{ .pid = 102,
	  .ppid = 100,
	  .proc_id = 2,
	  .comm = "cat",
	  .has_exit = true,
	  .exit_signal = 9,
	  .start_ns = 3000,
	  .end_ns = 20 * MS,
	  .threads_born = 1,
	  .threads_cut = 1,
	  .account = { .lifetime_ns = 20 * MS,
		       .residual_ns = -7,
		       .states = { [STATE_DISK] = WAIT(20 * MS + 7, 4, 11 * MS, 2 * MS) } } },
	{ .pid = 103,
	  .ppid = 100,
	  .proc_id = 3,
	  .comm = "daemon",
	  .alive = true,
	  .start_ns = 4000,
	  .threads_born = 1,
	  .threads_live = 1,
	  .account = { .lifetime_ns = 0 } },
};

static struct command_row commands[] = {
	{ .comm = "sh", .processes = 1, .threads = 2, .account = { .lifetime_ns = 80 * MS } },
};

static struct object_row objects[] = {
	{ .pid = 102,
	  .comm = "cat",
	  .state = STATE_DISK,
	  .kind = "file",
	  .name = "/tmp/\"odd\"\xfe",
	  .ns = 20 * MS,
	  .count = 4,
	  .max_ns = 11 * MS },
};

static struct waker_row wakers[] = {
	{ .pid = 100,
	  .tid = 101,
	  .comm = "worker",
	  .state = STATE_FUTEX,
	  .waker = "thread",
	  .waker_tid = 100,
	  .waker_comm = "sh",
	  .count = 5,
	  .ns = 25 * MS },
	{ .pid = 102,
	  .tid = 102,
	  .comm = "cat",
	  .state = STATE_DISK,
	  .waker = "interrupt",
	  .count = 4,
	  .ns = 20 * MS },
};

static struct hist_row runqueue[] = { { 4 * MS, 8 * MS, 1 } };

static struct errno_count enoent = { ENOENT, 2 };

static struct call_row calls[] = {
	{ .name = "read", .nr = 0, .class_name = "file_io", .count = 10 },
	{ .name = "openat",
	  .nr = 257,
	  .class_name = "file_io",
	  .count = 3,
	  .errors = &enoent,
	  .nerrors = 1 },
};

static struct class_count classes[] = {
	{ "file_io", 13 }, { "memory", 0 },   { "process", 0 }, { "network", 0 }, { "time", 0 },
	{ "ipc", 0 },      { "security", 0 }, { "signal", 0 },  { "system", 0 },  { "other", 0 },
};

static struct source_attempt attempts[] = {
	{ "tp_btf", -EPERM, "attach sched_switch" },
	{ "raw_tp", 0, NULL },
};

static struct source_row sources[] = { { "ledger", "raw_tp", attempts, 2 }, { "syscalls" } };

static struct named_count lost[] = { { "ring_full", 0, "" }, { "objects", 2, "" } };

static struct reconcile_row reconcile[] = {
	{ .name = "on_cpu",
	  .unit = "ns",
	  .ours = 10 * MS,
	  .kernel = 10 * MS + 100,
	  .difference = -100,
	  .percent = -0.001,
	  .checked = 3,
	  .worst = -80,
	  .ok = true,
	  .bound = "<= 1 %" },
};

static const char *notes[] = { "something is missing" };

static const struct trust trust_fixture = {
	.accounted_percent = 99.99999,
	.sources = sources,
	.nsources = 2,
	.lost = lost,
	.nlost = 2,
	.lost_total = 2,
	.reconcile = reconcile,
	.nreconcile = 1,
	.reconcile_ok = true,
	.notes = notes,
	.nnotes = 1,
	.self_cpu_ns = 5 * MS,
	.self_rss_peak_bytes = 1 << 20,
	.self_map_bytes = 4096,
	.self_start_ns = 30 * MS,
	.self_stop_ns = MS,
};

struct report made_report(void)
{
	static char verdict[] = "It waited.";
	struct report r = {
		.bpf = true,
		.final = true,
		.target = "sh -c x",
		.now_ns = 51 * MS,
		.start_ns = 0,
		.wall_ns = 50 * MS,
		.has_exit = true,
		.exit_code = 3,
		.processes_born = 3,
		.processes_live = 1,
		.threads_born = 4,
		.threads_live = 1,
		.execs = 2,
		.usage = { .present = true, .user_ns = 6 * MS, .max_rss_kb = 1000 },
		.ledger = { .present = true,
			    .processes = processes,
			    .nprocesses = 3,
			    .processes_cut = 1,
			    .commands = commands,
			    .ncommands = 1,
			    .objects = objects,
			    .nobjects = 1,
			    .wakers = wakers,
			    .nwakers = 2,
			    .runqueue = runqueue,
			    .nrunqueue = 1 },
		.syscalls = { .present = true,
			      .tree = { .total = 13,
					.calls = calls,
					.ncalls = 2,
					.classes = classes,
					.nclasses = 10 },
			      .analysis = { .behavior = "io_bound",
					    .decided_by = "ledger",
					    .rule = "disk first",
					    .syscall_rate_per_sec = 260,
					    .io_intensity = 1,
					    .indicators = { "high_file_io" },
					    .nindicators = 1,
					    .workload_type = "file_io_intensive",
					    .bottleneck_likelihood = 0.8,
					    .hints = { "read less" },
					    .nhints = 1,
					    .verdict = verdict } },
		.trust = trust_fixture,
	};

	r.ledger.tree = processes[0].account;
	r.ledger.tree.lifetime_ns = 100 * MS;
	r.ledger.tree.residual_ns = -7;
	r.ledger.tree.states[STATE_DISK] = processes[1].account.states[STATE_DISK];
	return r;
}

static struct sampled_process child = {
	.pid = 102,
	.ppid = 100,
	.comm = "cat",
	.metrics = { .ts_ms = 1700000000001,
		     .cpu_usage = 1.1f,
		     .mem_rss_kb = 5,
		     .mem_vms_kb = 6,
		     .thread_count = 1,
		     .cpu_core = 1,
		     .has_core = true }, /* its io is not ours to read */
};

struct sample made_sample(void)
{
	struct metrics m = {
		.ts_ms = 1700000000000,
		.cpu_usage = 12.3f,
		.mem_rss_kb = 1,
		.mem_vms_kb = 2,
		.disk_read_bytes = 3,
		.disk_write_bytes = 4,
		.syscall_read_bytes = 5,
		.syscall_write_bytes = 6,
		.page_faults_cached = 7,
		.page_faults_disk = 8,
		.sys_net_rx_bytes = 9,
		.sys_net_tx_bytes = 10,
		.thread_count = 11,
		.uptime_secs = 12,
		.has_io = true,
		.has_core = true,
		.has_psi = true,
		.psi_some_avg10 = 0.5f,
		.process_count = 2,
	};
	struct sample s = { .ts_ms = 1700000000002,
			    .has_root = true,
			    .children = &child,
			    .nchildren = 1,
			    .all = m };

	s.root = (struct sampled_process){ .pid = 100, .ppid = 99, .comm = "sh", .metrics = m };
	return s;
}
