/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading /proc: parsers on hostile text, the walk of a real tree, and the sampler's sums
 * against what the kernel says with getrusage and what the processes know they wrote.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "read.h"
#include "sampler.h"
#include "thread_io.h"
#include "walk.h"

/* --- parsers --- */

static void stat_with_a_hostile_name(void **state)
{
	struct proc_stat s;
	int err = proc_stat_parse(
		"7 (a) R 1 (b) S 5 7 7 0 -1 4194304 113 11 2 22 30 12 4 6 20 0 3 0 "
		"188457 3133440 394 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 "
		"0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		&s);

	assert_int_equal(err, 0);
	assert_string_equal(s.comm, "a) R 1 (b");
	assert_int_equal(s.state, 'S');
	assert_int_equal(s.ppid, 5);
	assert_int_equal(s.min_flt, 113);
	assert_int_equal(s.awaited_min_flt, 11);
	assert_int_equal(s.maj_flt, 2);
	assert_int_equal(s.awaited_maj_flt, 22);
	assert_int_equal(s.cpu_ticks, 42);
	assert_int_equal(s.awaited_ticks, 10);
	assert_int_equal(s.threads, 3);
	assert_int_equal(s.start_ticks, 188457);
	assert_int_equal(s.vsize, 3133440);
	assert_int_equal(s.rss_pages, 394);
	assert_int_equal(s.processor, 1);
}

static void stat_that_is_none(void **state)
{
	struct proc_stat s;

	assert_int_equal(proc_stat_parse("", &s), -EINVAL);
	assert_int_equal(proc_stat_parse("7 )( S", &s), -EINVAL);
	assert_int_equal(proc_stat_parse("7 (x) S 1 2 3", &s), -EINVAL);
}

static void network_bytes_leave_out_loopback(void **state)
{
	uint64_t rx, tx;

	assert_int_equal(proc_net_parse("Inter-| Receive | Transmit\n face |bytes packets|bytes\n"
					"    lo: 10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n"
					"  eth0:100 1 0 0 0 0 0 0 200 1 0 0 0 0 0 0\n"
					" wlan1: 7 1 0 0 0 0 0 0 8 1 0 0 0 0 0 0\n",
					&rx, &tx),
			 0);
	assert_int_equal(rx, 107);
	assert_int_equal(tx, 208);
	assert_int_equal(proc_net_parse("nothing\n", &rx, &tx), -EINVAL);
}

static void cpu_lists(void **state)
{
	static const unsigned char mask[] = { 0x0f, 0x00, 0x81, 0x01 };
	char text[64], tiny[6];

	cpu_list(mask, 32, text, sizeof(text));
	assert_string_equal(text, "0-3,16,23-24");
	cpu_list(mask, 0, text, sizeof(text));
	assert_string_equal(text, "");
	cpu_list(mask, 32, tiny, sizeof(tiny));
	assert_true(strlen(tiny) < sizeof(tiny));
}

static void host_facts(void **state)
{
	struct host *h = malloc(sizeof(*h));
	char name[256];

	host_read(h, 0);
	gethostname(name, sizeof(name));
	assert_string_equal(h->name, name);
	assert_true(h->cpu.sockets >= 1 && h->cpu.cores_per_socket >= 1 &&
		    h->cpu.threads_per_core >= 1);
	assert_int_equal(h->cpu.sockets * h->cpu.cores_per_socket * h->cpu.threads_per_core,
			 sysconf(_SC_NPROCESSORS_ONLN));
	assert_true(*h->affinity && *h->kernel && h->ts_ms > 1600000000000);
	if (h->numa.nodes)
		assert_true(h->numa.distances[0][0] && h->numa.sizes_mb[0]);
	free(h);
}

/* --- a tree of processes that do as they are told --- */

struct child {
	pid_t pid;
	int to, from; /* pipes: a byte to go on, what it says */
};

static void stop_here(int fd)
{
	char c;

	if (read(fd, &c, 1) < 0)
		_exit(1);
}

static void say(int fd, pid_t pid)
{
	if (write(fd, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
}

static pid_t hear(int fd)
{
	pid_t pid = -1;

	assert_int_equal(read(fd, &pid, sizeof(pid)), sizeof(pid));
	return pid;
}

static void go(const struct child *c)
{
	assert_int_equal(write(c->to, "", 1), 1);
}

static struct child start(void (*body)(int in, int out))
{
	int to[2], from[2];
	struct child c;

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	c.pid = fork();
	if (!c.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		close(from[0]);
		body(to[0], from[1]);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	c.to = to[1];
	c.from = from[0];
	return c;
}

static void end(struct child *c)
{
	kill(c->pid, SIGKILL);
	close(c->to);
	close(c->from);
	waitpid(c->pid, NULL, 0);
}

/* Parent, child, grandchild; at a byte the child dies and the grandchild is an orphan. */
static void orphan_body(int in, int out)
{
	pid_t child = fork();

	if (!child) {
		pid_t grandchild = fork();

		if (grandchild)
			say(out, grandchild);
		pause();
	}
	stop_here(in);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	say(out, 0);
	pause();
}

static bool has(const struct proc_member *m, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (m[i].pid == pid)
			return true;
	return false;
}

static void check_walk(bool by_children)
{
	struct child c = start(orphan_body);
	pid_t orphan = hear(c.from);
	struct proc_tree *t = proc_tree_new(c.pid, by_children);
	const struct proc_member *m;
	struct proc_stat st;
	size_t n;

	assert_int_equal(proc_tree_walk(t, &m, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(m[0].pid, c.pid);
	assert_true(has(m, n, orphan));
	go(&c);
	assert_int_equal(hear(c.from), 0);
	assert_int_equal(proc_tree_walk(t, &m, &n), 0);
	assert_int_equal(n, 2); /* the orphan is kept */
	assert_true(has(m, n, c.pid) && has(m, n, orphan));
	kill(orphan, SIGKILL);
	end(&c);
	for (int i = 0; i < 200 && (proc_tree_walk(t, &m, &n), n); i++)
		usleep(10000);
	/* Its end is seen, and the root's PID is not taken again; a lazy init may leave a zombie.
	 */
	assert_true(!n || (!proc_stat_read(orphan, &st) && st.state == 'Z'));
	proc_tree_free(t);
}

static void walk_by_children(void **state)
{
	if (!proc_has_children())
		skip();
	check_walk(true);
}

static void walk_by_parent(void **state)
{
	check_walk(false);
}

/* --- the sampler --- */

#define MIB (1 << 20)

/* Each byte: a child touches 8 MiB, writes 1 MiB, burns CPU, and is waited for. */
static void working_body(int in, int out)
{
	for (;;) {
		pid_t child;

		stop_here(in);
		child = fork();
		if (!child) {
			int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
			char *memory = calloc(1, 8 * MIB);

			for (int i = 0; i < 8 * MIB; i += 4096)
				memory[i] = 1;
			if (write(null, memory, MIB) != MIB)
				_exit(1);
			for (volatile int i = 0; i < 20000000; i++)
				;
			say(out, getpid());
			stop_here(in);
			_exit(0);
		}
		waitpid(child, NULL, 0);
		say(out, 0);
	}
}

static const struct sample *take(struct sampler *s, const struct proc_member *m, size_t n)
{
	const struct sample *sample;

	assert_int_equal(sampler_take(s, m, n, &sample), 0);
	return sample;
}

/* Without BPF: what an awaited child used stays in the total, once. */
static void totals_of_a_walk_never_fall(void **state)
{
	struct child c = start(working_body);
	struct sampler *s = sampler_new(&(struct sampler_config){ .root = c.pid });
	uint64_t faults = 0, written = 0;

	for (int i = 0; i < 3; i++) {
		const struct sample *sample;

		go(&c);
		hear(c.from);
		sample = take(s, NULL, 0);
		assert_true(sample->has_root);
		assert_int_equal(sample->nchildren, 1);
		assert_int_equal(sample->all.process_count, 2);
		assert_true(sample->children[0].metrics.mem_rss_kb >= 8192);
		assert_true(sample->all.mem_rss_kb >= sample->children[0].metrics.mem_rss_kb);
		assert_true(sample->children[0].metrics.cpu_usage > 0);
		go(&c);
		assert_int_equal(hear(c.from), 0);
		sample = take(s, NULL, 0);
		assert_int_equal(sample->nchildren, 0);
		assert_true(sample->all.page_faults_cached >= faults + 2048);
		assert_in_range(sample->all.syscall_write_bytes, written + MIB,
				written + MIB + 4096);
		faults = sample->all.page_faults_cached;
		written = sample->all.syscall_write_bytes;
	}
	sampler_free(s);
	end(&c);
}

static struct exit_event exit_of(pid_t pid, uint32_t proc_id, uint32_t tid, uint64_t bytes,
				 bool dead)
{
	return (struct exit_event){
		.head = { .kind = EVENT_EXIT,
			  .who = { .pid = (uint32_t)pid, .tid = tid, .proc_id = proc_id } },
		.min_flt = 10,
		.maj_flt = 1,
		.wchar = bytes,
		.write_bytes = 2 * bytes,
		.group_dead = dead,
	};
}

/* With BPF: processes that no sample saw count by their exits, and a PID may come again. */
static void exits_count_exactly(void **state)
{
	struct sampler *s = sampler_new(&(struct sampler_config){ .root = 0 });
	struct exit_event e[] = {
		exit_of(999001, 1, 999002, 5, false),
		exit_of(999001, 1, 999001, 7, true),
		exit_of(999001, 2, 999001, 11, true),
		exit_of(0, 3, 0, 1, true),
		exit_of(0, 4, 0, 1, false),
		exit_of(0, 5, 0, 1, true),
		exit_of(0, 4, 0, 1, true),
	};
	const struct sample *sample;

	for (size_t i = 0; i < sizeof(e) / sizeof(*e); i++)
		sampler_exit(s, &e[i]);
	sample = take(s, &(struct proc_member){}, 0);
	assert_int_equal(sample->all.syscall_write_bytes, 5 + 7 + 11 + 4);
	assert_int_equal(sample->all.disk_write_bytes, 2 * (5 + 7 + 11 + 4));
	assert_int_equal(sample->all.page_faults_cached, 70);
	assert_int_equal(sample->all.page_faults_disk, 7);
	assert_int_equal(sample->all.process_count, 0);
	assert_false(sample->has_root);
	sampler_free(s);
}

/* A sampled child and its exit are one; its parent, which waited for it, adds nothing. */
static void a_sample_and_its_exit_are_one(void **state)
{
	struct child c = start(working_body);
	struct sampler *s = sampler_new(&(struct sampler_config){ .root = c.pid });
	struct proc_member m[2] = { { .pid = c.pid } };
	const struct sample *sample;
	struct exit_event e;
	uint64_t before;

	before = take(s, m, 1)->all.syscall_write_bytes;
	go(&c);
	m[1].pid = hear(c.from);
	sample = take(s, m, 2);
	assert_int_equal(sample->nchildren, 1);
	assert_in_range(sample->children[0].metrics.syscall_write_bytes, MIB, MIB + 64);
	e = exit_of(m[1].pid, 2, (uint32_t)m[1].pid, MIB + 100, true);
	sampler_exit(s, &e);
	go(&c);
	hear(c.from);
	sample = take(s, m, 1);
	assert_in_range(sample->all.syscall_write_bytes, before + MIB + 100, before + MIB + 200);
	sampler_free(s);
	end(&c);
}

/* Attached: what was before does not count, unless it is asked for. */
static void attached_counts_from_then_on(void **state)
{
	struct child c = start(working_body);
	struct sampler *s, *all;
	const struct sample *sample;

	go(&c);
	hear(c.from);
	s = sampler_new(&(struct sampler_config){ .root = c.pid, .attached = true });
	all = sampler_new(&(struct sampler_config){
		.root = c.pid, .attached = true, .since_process_start = true });
	sample = take(s, NULL, 0);
	assert_int_equal(sample->all.page_faults_cached, 0);
	assert_int_equal(sample->all.syscall_write_bytes, 0);
	sample = take(all, NULL, 0);
	assert_true(sample->all.page_faults_cached >= 2048);
	assert_true(sample->all.syscall_write_bytes >= MIB);
	assert_true(sample->all.cpu_usage < 1);
	sampler_free(s);
	sampler_free(all);
	end(&c);
}

/* A thread whose exit was counted is not read again, though /proc still shows it. */
static void gone_threads_are_left_out(void **state)
{
	struct gone_set gone = {};
	struct proc_io io;

	assert_int_equal(thread_io_read(getpid(), 1, &gone, &io), 0);
	assert_true(io.rchar > 0);
	gone_add(&gone, 4000000000U);
	gone_add(&gone, (uint32_t)getpid());
	assert_int_equal(thread_io_read(getpid(), 1, &gone, &io), 0);
	assert_int_equal(io.rchar, 0);
	assert_int_equal(gone.n, 1);
	assert_int_equal(gone.tids[0], getpid());
	gone_release(&gone);
}

static void cpu_time_by_the_process_clock(void **state)
{
	uint64_t ns, want;
	struct rusage u;

	for (volatile int i = 0; i < 30000000; i++)
		;
	assert_int_equal(proc_cpu_ns(getpid(), &ns), 0);
	getrusage(RUSAGE_SELF, &u);
	want = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
	assert_in_range(ns, want - want / 50 - 1000000, want + 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stat_with_a_hostile_name),
		cmocka_unit_test(stat_that_is_none),
		cmocka_unit_test(network_bytes_leave_out_loopback),
		cmocka_unit_test(cpu_lists),
		cmocka_unit_test(host_facts),
		cmocka_unit_test(walk_by_children),
		cmocka_unit_test(walk_by_parent),
		cmocka_unit_test(totals_of_a_walk_never_fall),
		cmocka_unit_test(exits_count_exactly),
		cmocka_unit_test(a_sample_and_its_exit_are_one),
		cmocka_unit_test(attached_counts_from_then_on),
		cmocka_unit_test(gone_threads_are_left_out),
		cmocka_unit_test(cpu_time_by_the_process_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
