// SPDX-License-Identifier: BSD-2-Clause
/*
 * tree SHAPE [N]: one shape of process tree; says how many processes and threads there
 * were (itself with them), who they were, and how each child ended.
 */
#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char **args;

static void say_born(long processes, long threads)
{
	say_u64("pid", (uint64_t)getpid());
	say_u64("processes", (uint64_t)processes);
	say_u64("threads", (uint64_t)threads);
}

static void reap(pid_t pid)
{
	int status;

	must(waitpid(pid, &status, 0), "waitpid");
	say_of("child", pid, "status", (uint64_t)status);
}

/* Each child has a child of its own, and ends with its number; the last is killed. */
static void shape_fork(long n)
{
	for (long i = 0; i < n; i++) {
		pid_t pid = (pid_t)must(fork(), "fork");

		if (!pid) {
			if (!must(fork(), "fork"))
				_exit(0);
			wait(NULL);
			if (i == n - 1)
				raise(SIGKILL);
			_exit((int)i);
		}
		reap(pid);
	}
	say_born(1 + 2 * n, 1 + 2 * n);
}

static pid_t vfork_once(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(7);
	return (pid_t)must(pid, "vfork");
}

static void shape_vfork(long n)
{
	for (long i = 0; i < n; i++)
		reap(vfork_once());
	say_born(1 + n, 1 + n);
}

static pid_t clone3_as(pid_t want)
{
	struct clone_args a = { .exit_signal = SIGCHLD };

	if (want) {
		a.set_tid = (uint64_t)(uintptr_t)&want;
		a.set_tid_size = 1;
	}
	return (pid_t)syscall(SYS_clone3, &a, sizeof(a));
}

static void shape_clone3(long n)
{
	for (long i = 0; i < n; i++) {
		pid_t pid = clone3_as(0);

		if (!pid)
			_exit(9);
		reap((pid_t)must(pid, "clone3"));
	}
	say_born(1 + n, 1 + n);
}

/* The same PID again and again: each is a process of its own. */
static void shape_reuse(long n)
{
	pid_t first = 0;

	for (long i = 0; i < n; i++) {
		pid_t pid = clone3_as(first);

		if (pid < 0)
			skip("clone3 with a chosen PID");
		if (!pid)
			_exit(20 + (int)i);
		first = pid;
		must(waitpid(pid, NULL, 0), "waitpid");
	}
	say_u64("reused", (uint64_t)first);
	say_born(1 + n, 1 + n);
}

static pthread_barrier_t all_alive;

static void *live_thread(void *unused)
{
	pthread_barrier_wait(&all_alive);
	return unused;
}

/* All alive at once, then all gone. */
static void shape_threads(long n)
{
	pthread_t *all = calloc((size_t)n, sizeof(*all));
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	pthread_barrier_init(&all_alive, NULL, (unsigned int)n + 1);
	for (long i = 0; i < n; i++) {
		errno = pthread_create(&all[i], &attr, live_thread, NULL);
		if (errno)
			skip("pthread_create");
	}
	pthread_barrier_wait(&all_alive);
	for (long i = 0; i < n; i++)
		pthread_join(all[i], NULL);
	free(all);
	say_born(1, 1 + n);
}

/* A daemon that outlives its parents by `ms`. */
static void shape_daemon(long ms)
{
	int ready[2];
	pid_t pid, daemon;

	must(pipe(ready), "pipe");
	pid = (pid_t)must(fork(), "fork");
	if (!pid) {
		must(setsid(), "setsid");
		if (must(fork(), "fork"))
			_exit(0);
		prctl(PR_SET_NAME, "tree-daemon");
		daemon = getpid();
		must(write(ready[1], &daemon, sizeof(daemon)), "write");
		close(STDOUT_FILENO); /* who reads these waits for their end */
		close(STDERR_FILENO);
		sleep_ns((uint64_t)ms * 1000000);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	must(read(ready[0], &daemon, sizeof(daemon)), "read");
	say_u64("daemon", (uint64_t)daemon);
	say_born(3, 3);
}

static void *outlive(void *unused)
{
	(void)unused;
	sleep_ns(30000000);
	spin_cpu_ns(20000000);
	say_u64("follower", (uint64_t)tid_self());
	exit(3);
}

/* The leader goes first; its process goes on, and ends with code 3. */
static void shape_leader_exit(long n)
{
	pthread_t other;

	(void)n;
	say_born(1, 2);
	if (pthread_create(&other, NULL, outlive, NULL))
		die("pthread_create");
	pthread_exit(NULL);
}

static void *exec_self(void *unused)
{
	static char shape[] = "exec_end";
	char *argv[] = { args[0], shape, NULL };

	(void)unused;
	say_u64("follower", (uint64_t)tid_self());
	spin_cpu_ns(10000000);
	execv("/proc/self/exe", argv);
	die("execv");
}

/* A thread that is not the leader calls exec: it takes over the PID, the rest die. */
static void shape_exec_thread(long n)
{
	pthread_t other;

	(void)n;
	say_born(1, 2);
	spin_cpu_ns(10000000);
	if (pthread_create(&other, NULL, exec_self, NULL))
		die("pthread_create");
	pthread_join(other, NULL);
}

static void shape_exec_end(long n)
{
	struct timespec t;

	(void)n;
	spin_cpu_ns(20000000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	say_u64("cpu_ns", (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
	exit(5);
}

/* A new PID namespace: its first process calls itself 1, we know it by another number. */
static void shape_pidns(long n)
{
	pid_t pid;

	(void)n;
	if (unshare(CLONE_NEWPID))
		skip("unshare(CLONE_NEWPID)");
	pid = (pid_t)must(fork(), "fork");
	if (!pid) {
		say_u64("inner", (uint64_t)getpid());
		pid = (pid_t)must(fork(), "fork");
		if (!pid)
			_exit(0);
		say_u64("inner_child", (uint64_t)pid);
		waitpid(pid, NULL, 0);
		_exit(11);
	}
	say_u64("outer", (uint64_t)pid);
	reap(pid);
	say_born(3, 3);
}

static void shape_many(long n)
{
	for (long i = 0; i < n; i++) {
		pid_t pid = (pid_t)must(fork(), "fork");

		if (!pid)
			_exit(0);
		must(waitpid(pid, NULL, 0), "waitpid");
	}
	say_born(1 + n, 1 + n);
}

/* Lives until it is ended, as a target for attach: one thread sleeps, one computes. */
static void *sleep_on(void *unused)
{
	for (;;)
		sleep_ns(10000000);
	return unused;
}

static void shape_stay(long ms)
{
	uint64_t until = now_ns() + (uint64_t)ms * 1000000;
	pthread_t other;

	prctl(PR_SET_NAME, "tree-stay");
	if (pthread_create(&other, NULL, sleep_on, NULL))
		die("pthread_create");
	say_born(1, 2);
	while (now_ns() < until) {
		spin_cpu_ns(1000000);
		sleep_ns(4000000);
	}
	exit(0);
}

static const struct {
	const char *name;
	void (*run)(long n);
	long n;
} shapes[] = {
	{ "fork", shape_fork, 5 },
	{ "vfork", shape_vfork, 5 },
	{ "clone3", shape_clone3, 5 },
	{ "reuse", shape_reuse, 5 },
	{ "threads", shape_threads, 10 },
	{ "daemon", shape_daemon, 300 },
	{ "leader_exit", shape_leader_exit, 0 },
	{ "exec_thread", shape_exec_thread, 0 },
	{ "exec_end", shape_exec_end, 0 },
	{ "pidns", shape_pidns, 0 },
	{ "many", shape_many, 100 },
	{ "stay", shape_stay, 1000 },
};

int main(int argc, char **argv)
{
	const char *shape = argc > 1 ? argv[1] : "";

	args = argv;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		if (strcmp(shapes[i].name, shape))
			continue;
		shapes[i].run(arg_long(argc, argv, 2, shapes[i].n));
		return 0;
	}
	errno = EINVAL;
	die(shape);
}
