// SPDX-License-Identifier: BSD-2-Clause
// waits of the clock, of children, of signals and of being stopped; see waits.h.
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "truth.h"
#include "waits.h"

static struct timespec span_of(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
}

static void wait_nanosleep(uint64_t ns)
{
	struct timespec t = span_of(ns);

	syscall(SYS_nanosleep, &t, NULL);
}

static void wait_clock_nanosleep(uint64_t ns)
{
	sleep_ns(ns);
}

static pid_t child;

/* The child of each round sleeps `ns` and ends. fork may wait for a lock inside the kernel. */
static void make_child(uint64_t ns)
{
	child = (pid_t)must(fork(), "fork");
	if (!child) {
		sleep_ns(ns);
		_exit(0);
	}
}

static void wait_wait4(uint64_t ns)
{
	must(wait4(child, NULL, 0, NULL), "wait4");
}

static void wait_waitid(uint64_t ns)
{
	siginfo_t info;

	must(waitid(P_PID, (id_t)child, &info, WEXITED), "waitid");
}

/* The child of vfork shares our memory: it keeps to calls that change none of it. */
static void wait_vfork(uint64_t ns)
{
	struct timespec t = span_of(ns);
	pid_t pid = vfork();

	if (!pid) {
		syscall(SYS_nanosleep, &t, NULL);
		_exit(0);
	}
	must(pid, "vfork");
	while (waitpid(pid, NULL, WNOHANG) == 0) /* blocking here would be a second wait */
		;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void catch_usr1(void)
{
	struct sigaction act = { .sa_handler = on_signal };

	must(sigaction(SIGUSR1, &act, NULL), "sigaction");
}

static void block_usr1(void)
{
	sigset_t set;

	catch_usr1();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void wait_pause(uint64_t ns)
{
	(void)ns;
	pause();
}

static void wait_sigsuspend(uint64_t ns)
{
	sigset_t none;

	(void)ns;
	sigemptyset(&none);
	sigsuspend(&none);
}

static void wait_sigtimedwait(uint64_t ns)
{
	struct timespec t = { 60, 0 };
	sigset_t set;

	(void)ns;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigtimedwait(&set, NULL, &t);
}

static void wake_usr1(void)
{
	kill(shared->waiter, SIGUSR1);
}

static void wait_stop(uint64_t ns)
{
	(void)ns;
	kill(getpid(), SIGSTOP);
}

static void wake_stop(void)
{
	kill(shared->waiter, SIGCONT);
}

/* Stopped from outside while it computes; `ns` does not matter. */
static void wait_stop_running(uint64_t ns)
{
	uint32_t round = shared->entered;

	(void)ns;
	while (shared->armed != round + 1000000) /* the helper's word that it stopped us */
		__builtin_ia32_pause();
}

static void wake_stop_running(void)
{
	uint32_t round = shared->armed;
	siginfo_t info;

	kill(shared->waiter, SIGSTOP);
	waitid(P_PID, (id_t)shared->waiter, &info, WSTOPPED);
	sleep_ns(20000000);
	shared->armed = round + 1000000;
	kill(shared->waiter, SIGCONT);
}

const struct wait_kind wait_kinds_time[] = {
	{ .name = "nanosleep", .wait = wait_nanosleep },
	{ .name = "clock_nanosleep", .wait = wait_clock_nanosleep },
	{ .name = "wait4", .prepare = make_child, .wait = wait_wait4 },
	{ .name = "waitid", .prepare = make_child, .wait = wait_waitid },
	{ .name = "vfork", .wait = wait_vfork },
	{ .name = "pause",
	  .enter = catch_usr1,
	  .wait = wait_pause,
	  .wake = wake_usr1,
	  .again = true },
	{ .name = "sigsuspend", .enter = block_usr1, .wait = wait_sigsuspend, .wake = wake_usr1 },
	{ .name = "sigtimedwait",
	  .enter = block_usr1,
	  .wait = wait_sigtimedwait,
	  .wake = wake_usr1 },
	{ .name = "stop", .wait = wait_stop, .wake = wake_stop, .again = true },
	{ .name = "stop_running", .wait = wait_stop_running, .wake = wake_stop_running },
	{}
};
