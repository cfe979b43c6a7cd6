/* SPDX-License-Identifier: BSD-2-Clause */
/* The verdict's rules (verdict.h), each with a ledger made for it and the whole text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "verdict.h"

#define MS 1000000ULL
#define S 1000000000ULL

static struct report *start(uint64_t wall_ns, uint64_t lifetime_ns, unsigned threads)
{
	struct report *r = report_new();

	r->wall_ns = wall_ns;
	r->cpus = 2;
	r->threads_born = threads;
	r->ledger.present = true;
	r->ledger.tree.lifetime_ns = lifetime_ns;
	return r;
}

static void wait(struct report *r, enum ledger_state state, uint64_t ns, uint64_t count)
{
	r->ledger.tree.states[state].ns = ns;
	r->ledger.tree.states[state].count = count;
}

static void says(struct report *r, const char *want)
{
	const char *got = verdict_make(r);

	if (want)
		assert_string_equal(got ? got : "(null)", want);
	else
		assert_null(got);
	report_free(r);
}

static void nothing_measured(void **state)
{
	struct report *r = start(S, 0, 1);

	says(r, NULL);
	r = start(S, S, 1);
	r->ledger.present = false;
	wait(r, STATE_ON_CPU, S, 1);
	says(r, NULL);
}

static void code(void **state)
{
	static const char *const words[] = { "main", "serve", "parse", "hash", "[libz.so]" };
	struct report *r = start(10 * S, 10 * S, 1);

	wait(r, STATE_ON_CPU, 8 * S, 100);
	wait(r, STATE_SLEEP, S, 1);
	r->stacks.hot[STATE_ON_CPU] = (struct code_path){ .comm = "server",
							  .state = STATE_ON_CPU,
							  .ns = 6 * S,
							  .count = 5,
							  .words = words,
							  .n = 5 };
	says(r, "CPU-bound: 100 % of 8.00 s of busy time was on a CPU; 75.0 % of it in "
		"serve > parse > hash.");
	r = start(10 * S, 10 * S, 1);
	wait(r, STATE_ON_CPU, 8 * S, 100);
	r->stacks.hot[STATE_ON_CPU] =
		(struct code_path){ .ns = 6 * S, .count = 4, .words = words, .n = 4 };
	says(r, "CPU-bound: 100 % of 8.00 s of busy time was on a CPU."); /* too few samples */
	r = start(10 * S, 20 * S, 2);
	r->processes_born = 2;
	wait(r, STATE_SLEEP, 19 * S, 1);
	wait(r, STATE_DISK, S, 3);
	r->stacks.hot[STATE_SLEEP] = (struct code_path){
		.comm = "server", .ns = 19 * S, .count = 1, .words = words, .n = 2
	};
	r->stacks.hot[STATE_DISK] =
		(struct code_path){ .comm = "x", .ns = S, .words = words, .n = 1 };
	says(r,
	     "Mostly idle: busy for at most 10.0 % of 10.0 s; most of all it was sleeping (19.0 s of "
	     "thread time); 100 % of it in main > serve (server). Waiting for the disk: 100 % of 1.00 s "
	     "of busy thread time, 3 waits of 333 ms on average.");
}

static void cpu(void **state)
{
	struct report *r = start(10 * S, 10 * S, 1);

	wait(r, STATE_ON_CPU, 9500 * MS, 100);
	wait(r, STATE_RUNQUEUE, 500 * MS, 100);
	r->ledger.tree.user_ns = 8 * S;
	r->ledger.tree.system_ns = 1500 * MS;
	says(r, "CPU-bound: 95.0 % of 10.0 s of busy time was on a CPU (84.2 % of that user code, "
		"15.8 % kernel).");
}

/* Six threads on two CPUs: the queue is what they wait for. */
static void queue(void **state)
{
	struct report *r = start(10 * S, 60 * S, 6);

	wait(r, STATE_ON_CPU, 20 * S, 900);
	wait(r, STATE_RUNQUEUE, 30 * S, 900);
	wait(r, STATE_PREEMPTED, 10 * S, 900);
	says(r, "Waiting for a CPU: 66.7 % of 1m00s of busy thread time; on average 6.0 of its "
		"threads wanted to run, and the machine has 2 CPUs. On a CPU: 33.3 %.");
}

/* One thread that wants one CPU of two: its average says nothing of when it had to wait. */
static void queue_behind_others(void **state)
{
	struct report *r = start(10 * S, 10 * S, 1);

	wait(r, STATE_ON_CPU, 8500 * MS, 900);
	wait(r, STATE_RUNQUEUE, 1500 * MS, 900);
	says(r,
	     "CPU-bound: 85.0 % of 10.0 s of busy time was on a CPU. Waiting for a CPU: 15.0 %.");
}

static void disk_with_its_file(void **state)
{
	/* clang-format off */
	static struct object_row objects[] = {
		{ .pid = 9, .comm = "db", .state = STATE_DISK, .kind = "file",
		  .name = "/var/lib/x/wal", .ns = 5 * S, .count = 700 },
		{ .pid = 9, .comm = "db", .state = STATE_DISK, .kind = "file", .name = "/b",
		  .ns = S, .count = 10 },
	};
	/* clang-format on */
	struct report *r = start(10 * S, 10 * S, 1);

	wait(r, STATE_DISK, 6200 * MS, 765);
	wait(r, STATE_ON_CPU, 3800 * MS, 800);
	r->ledger.objects = objects;
	r->ledger.nobjects = 2;
	says(r, "Waiting for the disk: 62.0 % of 10.0 s of busy time, 765 waits of 8.10 ms on "
		"average; 80.6 % of it on /var/lib/x/wal (db 9). On a CPU: 38.0 %.");
}

/* The syncs say more than the file: how many, and how long each. */
static void disk_with_its_syncs(void **state)
{
	struct report *r = start(10 * S, 10 * S, 1);
	struct io_call_row *fsyncs = &r->io.tree.calls[IO_FSYNC];

	wait(r, STATE_DISK, 6200 * MS, 1530);
	wait(r, STATE_ON_CPU, 3800 * MS, 1600);
	r->io.present = true;
	r->io.synced = (struct io_file_row){ .name = "/var/lib/x/wal", .sync_ns = 4 * S };
	fsyncs->time.stat.count = 702;
	fsyncs->time.stat.ns = 702 * 8 * MS;
	says(r, "Waiting for the disk: 62.0 % of 10.0 s of busy time, most of it in 702 fsyncs of "
		"8.00 ms each, on /var/lib/x/wal. On a CPU: 38.0 %.");
	/* one file of several: its share */
	r = start(10 * S, 10 * S, 1);
	wait(r, STATE_DISK, 10 * S, 10);
	r->io.present = true;
	r->io.tree.calls[IO_FSYNC].time.stat = (struct wait_stat){ .count = 3, .ns = S };
	r->io.tree.calls[IO_FDATASYNC].time.stat = (struct wait_stat){ .count = 7, .ns = 9 * S };
	r->io.synced = (struct io_file_row){ .name = "/var/lib/x/journal", .sync_ns = 4 * S };
	says(r, "Waiting for the disk: 100 % of 10.0 s of busy time, most of it in 10 fdatasyncs "
		"of 1.00 s each, 40.0 % of that on /var/lib/x/journal.");
	/* syncs that took less than half of it do not explain it */
	r = start(10 * S, 10 * S, 1);
	wait(r, STATE_DISK, 10 * S, 10);
	r->io.present = true;
	r->io.tree.calls[IO_FSYNC].time.stat.count = 10;
	r->io.tree.calls[IO_FSYNC].time.stat.ns = 4 * S;
	says(r,
	     "Waiting for the disk: 100 % of 10.0 s of busy time, 10 waits of 1.00 s on average.");
}

static void sockets_with_their_losses(void **state)
{
	struct report *r = start(10 * S, 10 * S, 1);

	wait(r, STATE_SOCKET, 10 * S, 10);
	r->network.present = true;
	r->network.tree.counts.data_segments_sent = 1000;
	r->network.tree.counts.retransmits = 31;
	says(r, "Waiting for sockets: 100 % of 10.0 s of busy time, 10 waits of 1.00 s on average; "
		"TCP sent 31 of its segments again (3.1 %).");
}

static void locks_of_the_kernel_and_who_takes_them(void **state)
{
	static struct locks_site_row sites[] = {
		{ .kind = "rwsem_write", .function = "ext4_write", .ns = 8 * S, .samples = 9 },
		{ .kind = "other", .function = "other", .ns = 2 * S },
	};
	struct report *r = start(10 * S, 10 * S, 1);

	wait(r, STATE_KERNEL_LOCK, 10 * S, 10);
	r->locks.present = true;
	r->locks.tree.counted.kernel[KERNEL_RWSEM_WRITE].ns = 10 * S;
	r->locks.sites = sites;
	r->locks.nsites = 2;
	says(r, "Waiting for locks inside the kernel: 100 % of 10.0 s of busy time, 10 waits of "
		"1.00 s on average; 80.0 % of it for rwsem_write in ext4_write().");
}

static void memory_that_was_wanting(void **state)
{
	static struct memory_oom_row oom = { .pid = 7, .comm = "hog", .rss_bytes = 8 << 20 };
	struct report *r = start(10 * S, 10 * S, 1);

	wait(r, STATE_PAGE_FAULT, 10 * S, 10);
	r->memory.present = true;
	r->memory.tree.swap_in_bytes = 3 << 20;
	r->memory.tree.stalls[STALL_DIRECT] = (struct memory_wait){ .count = 1, .ns = S / 10 };
	r->memory.tree.stalls[STALL_CGROUP] = (struct memory_wait){ .count = 59, .ns = S };
	r->memory.tree.oom_kills = 3;
	r->memory.ooms = &oom;
	r->memory.nooms = 1;
	says(r,
	     "Out of memory: the kernel killed hog (7), which had 8.00 MiB resident, and 2 more. "
	     "Waiting for page faults: 100 % of 10.0 s of busy time, 10 waits of 1.00 s on "
	     "average; 3.00 MiB were read back from swap. Short of memory: it had to free some "
	     "itself 60 times, for 11.0 % of all thread time; its control group was at its "
	     "limit.");
	/* a stall of a moment is nothing to tell */
	r = start(10 * S, 10 * S, 1);
	wait(r, STATE_ON_CPU, 10 * S, 10);
	r->memory.present = true;
	r->memory.tree.stalls[STALL_CGROUP] = (struct memory_wait){ .count = 9, .ns = S / 10 };
	says(r, "CPU-bound: 100 % of 10.0 s of busy time was on a CPU.");
}

static void a_quota_that_held_it_back(void **state)
{
	static struct cpu_quota_row quota = {
		.path = "/box", .periods = 100, .throttled_periods = 60, .throttled_ns = 6 * S
	};
	struct report *r = start(10 * S, 10 * S, 1);

	wait(r, STATE_ON_CPU, 10 * S, 10);
	r->cpu.present = true;
	r->cpu.quotas = &quota;
	r->cpu.nquotas = 1;
	says(r, "CPU-bound: 100 % of 10.0 s of busy time was on a CPU. Throttled: control group "
		"/box had used up its CPU quota in 60 of 100 periods, for 6.00 s, summed "
		"over the CPUs.");
}

/* No object has a fifth of the time: none is named. */
static void no_object_stands_out(void **state)
{
	/* clang-format off */
	static struct object_row objects[] = {
		{ .pid = 9, .comm = "tar", .state = STATE_DISK, .kind = "file", .name = "/a",
		  .ns = S, .count = 7 },
	};
	/* clang-format on */
	struct report *r = start(10 * S, 10 * S, 1);

	wait(r, STATE_DISK, 9 * S, 1);
	r->ledger.objects = objects;
	r->ledger.nobjects = 1;
	says(r, "Waiting for the disk: 100 % of 9.00 s of busy time, 1 wait of 9.00 s.");
}

static void lock_with_its_waker(void **state)
{
	/* clang-format off */
	static struct object_row objects[] = {
		{ .pid = 9, .comm = "server", .state = STATE_FUTEX, .kind = "futex",
		  .name = "0x7f0010", .ns = 27 * S, .count = 90000 },
	};
	static struct waker_row wakers[] = {
		{ .state = STATE_POLL, .waker_tid = 3, .waker_comm = "other",
		  .ns = 50 * S, .count = 1 },
		{ .state = STATE_FUTEX, .waker_tid = 11, .waker_comm = "hog",
		  .ns = 12 * S, .count = 9 },
		{ .state = STATE_FUTEX, .waker_tid = 12, .waker_comm = "fair",
		  .ns = 9 * S, .count = 9 },
		{ .state = STATE_FUTEX, .waker_tid = 11, .waker_comm = "hog",
		  .ns = 8 * S, .count = 9 },
	};
	/* clang-format on */
	struct report *r = start(10 * S, 40 * S, 4);

	wait(r, STATE_FUTEX, 30 * S, 100000 - 1);
	wait(r, STATE_ON_CPU, 10 * S, 1);
	r->ledger.objects = objects;
	r->ledger.nobjects = 1;
	r->ledger.wakers = wakers;
	r->ledger.nwakers = 4;
	says(r, "Waiting for locks (futex): 75.0 % of 40.0 s of busy thread time, 99,999 waits of "
		"300 us on average; 90.0 % of it on 0x7f0010 (server 9), woken most by hog "
		"(thread 11). On a CPU: 25.0 %.");
}

/* A shell that waits for a child that computes: the child is the story. */
static void looks_through_children(void **state)
{
	struct report *r = start(10 * S, 20 * S, 2);

	wait(r, STATE_CHILD, 9990 * MS, 1);
	wait(r, STATE_ON_CPU, 10 * S, 5);
	says(r, "CPU-bound: 100 % of 10.0 s of busy thread time was on a CPU.");
}

/* … and for one that sleeps: sleeping is. */
static void idle_below_children(void **state)
{
	struct report *r = start(5 * S, 10 * S, 2);

	wait(r, STATE_CHILD, 4998 * MS, 1);
	wait(r, STATE_SLEEP, 4997 * MS, 1);
	wait(r, STATE_ON_CPU, 3 * MS, 5);
	says(r, "Mostly idle: busy for at most 0.1 % of 5.00 s; most of all it was sleeping "
		"(5.00 s of thread time).");
}

static void idle_with_some_work(void **state)
{
	struct report *r = start(10 * S, 10 * S, 1);

	wait(r, STATE_POLL, 8 * S, 100);
	wait(r, STATE_SLEEP, S, 1);
	wait(r, STATE_ON_CPU, 900 * MS, 100);
	wait(r, STATE_DISK, 100 * MS, 10);
	says(r, "Mostly idle: busy for at most 10.0 % of 10.0 s; most of all it was waiting for "
		"events in poll (8.00 s of thread time). On a CPU: 90.0 % of 1.00 s of busy time.");
}

/* A pool of 30 threads without work beside one that computes. */
static void parked_threads_are_idle(void **state)
{
	struct report *r = start(10 * S, 310 * S, 31);
	struct process_row *p = report_alloc(r, sizeof(*p));

	p->pid = 5;
	p->nthreads = 31;
	p->threads = report_alloc(r, 31 * sizeof(*p->threads));
	for (size_t i = 0; i < 31; i++) {
		struct account *a = &p->threads[i].account;

		a->lifetime_ns = 10 * S;
		if (i)
			a->states[STATE_FUTEX] = (struct wait_stat){ .ns = 10 * S, .count = 2 };
		else
			a->states[STATE_ON_CPU] = (struct wait_stat){ .ns = 10 * S, .count = 2 };
	}
	r->ledger.processes = p;
	r->ledger.nprocesses = 1;
	wait(r, STATE_FUTEX, 300 * S, 60);
	wait(r, STATE_ON_CPU, 10 * S, 2);
	says(r, "CPU-bound: 100 % of 10.0 s of busy thread time was on a CPU.");
}

/* The same pool where nobody works. */
static void only_parked_threads(void **state)
{
	struct report *r = start(10 * S, 20 * S, 2);
	struct process_row *p = report_alloc(r, sizeof(*p));

	p->nthreads = 2;
	p->threads = report_alloc(r, 2 * sizeof(*p->threads));
	for (size_t i = 0; i < 2; i++) {
		p->threads[i].account.lifetime_ns = 10 * S;
		p->threads[i].account.states[STATE_FUTEX] =
			(struct wait_stat){ .ns = 9900 * MS, .count = 1 };
	}
	r->ledger.processes = p;
	r->ledger.nprocesses = 1;
	wait(r, STATE_FUTEX, 19800 * MS, 2);
	wait(r, STATE_ON_CPU, 20 * MS, 2);
	says(r, "Mostly idle: busy for at most 0.2 % of 10.0 s; most of all it was parked on a "
		"futex as threads without work are (19.8 s of thread time in 2 threads).");
}

/* Two processes that play ping-pong: each other's wakers, over a pipe. */
static void handoff(void **state)
{
	static struct process_row processes[] = { { .pid = 21 }, { .pid = 22 } };
	/* clang-format off */
	static struct waker_row wakers[] = {
		{ .tid = 21, .state = STATE_PIPE, .waker_tid = 22, .ns = 3 * S, .count = 50000 },
		{ .tid = 22, .state = STATE_PIPE, .waker_tid = 21, .ns = 3 * S, .count = 40000 },
		{ .tid = 22, .state = STATE_PIPE, .waker_tid = 99, .ns = S, .count = 10 },
	};
	/* clang-format on */
	struct report *r = start(10 * S, 20 * S, 2);

	wait(r, STATE_PIPE, 7 * S, 90010);
	wait(r, STATE_ON_CPU, 13 * S, 90000);
	r->ledger.processes = processes;
	r->ledger.nprocesses = 2;
	r->ledger.wakers = wakers;
	r->ledger.nwakers = 3;
	says(r,
	     "CPU-bound: 92.9 % of 14.0 s of busy thread time was on a CPU. Its own threads waited "
	     "for each other over pipes for 30.0 % of all thread time, 90,000 times for 66.7 us on "
	     "average.");
}

static void three_sentences_at_most(void **state)
{
	struct report *r = start(10 * S, 10 * S, 1);

	for (enum ledger_state s = STATE_DISK; s <= STATE_SOCKET; s++)
		wait(r, s, 2 * S + s, 1);
	says(r, "Waiting for sockets: 20.0 % of 10.0 s of busy time, 1 wait of 2.00 s. "
		"Waiting for pipes: 20.0 %, 1 wait of 2.00 s. "
		"Waiting for locks (futex): 20.0 %, 1 wait of 2.00 s.");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_measured),
		cmocka_unit_test(cpu),
		cmocka_unit_test(code),
		cmocka_unit_test(queue),
		cmocka_unit_test(queue_behind_others),
		cmocka_unit_test(disk_with_its_file),
		cmocka_unit_test(disk_with_its_syncs),
		cmocka_unit_test(sockets_with_their_losses),
		cmocka_unit_test(locks_of_the_kernel_and_who_takes_them),
		cmocka_unit_test(memory_that_was_wanting),
		cmocka_unit_test(a_quota_that_held_it_back),
		cmocka_unit_test(no_object_stands_out),
		cmocka_unit_test(lock_with_its_waker),
		cmocka_unit_test(looks_through_children),
		cmocka_unit_test(idle_below_children),
		cmocka_unit_test(idle_with_some_work),
		cmocka_unit_test(parked_threads_are_idle),
		cmocka_unit_test(only_parked_threads),
		cmocka_unit_test(handoff),
		cmocka_unit_test(three_sentences_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
