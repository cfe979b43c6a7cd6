// SPDX-License-Identifier: BSD-2-Clause
/*
 * stops KIND MS ROUNDS [CGROUP]: a child that is held again and again, by ptrace or by its
 * cgroup's freezer, while it computes or sleeps. It cannot measure that itself, so the
 * holder says between which bounds the time must lie: `held_least_ns` runs from when the
 * child was surely off its CPU to before it was let go, `held_most_ns` from before it was
 * asked to stop to after it was let go.
 *
 *   interrupt, interrupt_asleep   PTRACE_INTERRUPT
 *   syscalls                      PTRACE_SYSCALL: two stops each of ROUNDS getppid()
 *   freeze, freeze_asleep         cgroup.freeze (v2) or freezer.state (v1) of CGROUP
 */
#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_NS 1000000 /* the kernel's way from taking the child off the CPU to its trace */

static volatile struct {
	uint64_t beats; /* the child was here */
	uint32_t go;
} * shared;

static struct {
	uint64_t stops, least_ns, most_ns, longest_least_ns, longest_most_ns;
} held;

static pid_t child;
static uint64_t hold_ns;
static long rounds;

static void hold_add(uint64_t asked, uint64_t stopped, uint64_t release, uint64_t released)
{
	uint64_t least = release - stopped, most = released - asked;

	held.stops++;
	held.least_ns += least;
	held.most_ns += most;
	if (least > held.longest_least_ns)
		held.longest_least_ns = least;
	if (most > held.longest_most_ns)
		held.longest_most_ns = most;
}

/* ---- what the child does ---- */

static void compute(void)
{
	for (;;)
		shared->beats++;
}

static void sleep_long(void)
{
	for (;;) {
		struct timespec t = { 600, 0 };

		shared->beats++;
		syscall(SYS_nanosleep, &t, NULL);
	}
}

static void call(void)
{
	shared->beats++;
	while (!shared->go)
		__builtin_ia32_pause();
	for (long i = 0; i < rounds; i++)
		syscall(SYS_getppid);
	_exit(0);
}

static void begin(void (*body)(void))
{
	child = (pid_t)must(fork(), "fork");
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		body();
	}
	while (!shared->beats)
		sleep_ns(100000);
}

/* ---- ptrace ---- */

/* Waits for the next stop; false when the child has ended. Returns when it is off its CPU. */
static bool await_stop(void)
{
	unsigned long unused;
	int status;

	must(waitpid(child, &status, 0), "waitpid");
	if (!WIFSTOPPED(status))
		return false;
	/* the kernel lets no such request pass before the tracee is switched out */
	must(ptrace(PTRACE_GETEVENTMSG, child, NULL, &unused), "PTRACE_GETEVENTMSG");
	return true;
}

static void seize(void)
{
	if (ptrace(PTRACE_SEIZE, child, NULL, NULL))
		skip("PTRACE_SEIZE");
}

static void interrupt_rounds(void)
{
	seize();
	for (long i = 0; i < rounds; i++) {
		uint64_t asked, stopped, release;

		sleep_ns(2000000);
		asked = now_ns();
		must(ptrace(PTRACE_INTERRUPT, child, NULL, NULL), "PTRACE_INTERRUPT");
		if (!await_stop())
			die("the child has ended");
		stopped = now_ns();
		sleep_ns(hold_ns);
		release = now_ns();
		must(ptrace(PTRACE_CONT, child, NULL, NULL), "PTRACE_CONT");
		hold_add(asked, stopped, release, now_ns());
	}
	sleep_ns(2000000);
}

/* A stop may begin as soon as the last one is over: `asked` is the release before it. */
static void syscall_rounds(void)
{
	uint64_t asked = now_ns();

	seize();
	must(ptrace(PTRACE_INTERRUPT, child, NULL, NULL), "PTRACE_INTERRUPT");
	while (await_stop()) {
		uint64_t stopped = now_ns(), release;

		shared->go = 1;
		sleep_ns(hold_ns);
		release = now_ns();
		must(ptrace(PTRACE_SYSCALL, child, NULL, NULL), "PTRACE_SYSCALL");
		hold_add(asked, stopped, release, now_ns());
		asked = release;
	}
}

/* ---- freezer ---- */

static const char *cgroup;

static int cgroup_open(const char *name, int flags)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", cgroup, name);
	return open(path, flags | O_CLOEXEC);
}

static void cgroup_write(const char *name, const char *text)
{
	int fd = cgroup_open(name, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		skip(name);
	close(fd);
}

static void cgroup_await(const char *name, const char *text)
{
	char have[256];

	for (;; sleep_ns(200000)) {
		int fd = cgroup_open(name, O_RDONLY);
		ssize_t n = fd < 0 ? -1 : read(fd, have, sizeof(have) - 1);

		if (n < 0)
			die(name);
		close(fd);
		have[n] = '\0';
		if (strstr(have, text))
			return;
	}
}

/* "Frozen" is told a moment before the child leaves its CPU; only then it waits anywhere. */
static void await_off_cpu(void)
{
	char path[64], where[64] = "0";

	snprintf(path, sizeof(path), "/proc/%d/wchan", child);
	for (int i = 0; i < 100 && where[0] == '0'; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		sleep_ns(SETTLE_NS);
		if (fd < 0 || read(fd, where, sizeof(where)) < 0)
			die(path);
		close(fd);
	}
	sleep_ns(SETTLE_NS);
}

static void freeze_rounds(void)
{
	int v2 = cgroup_open("cgroup.freeze", O_RDONLY);
	const char *file = v2 < 0 ? "freezer.state" : "cgroup.freeze";
	const char *told = v2 < 0 ? "freezer.state" : "cgroup.events";
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", child);
	cgroup_write("cgroup.procs", pid);
	for (long i = 0; i < rounds; i++) {
		uint64_t asked, frozen, release, released;

		sleep_ns(5000000);
		asked = now_ns();
		cgroup_write(file, v2 < 0 ? "FROZEN" : "1");
		cgroup_await(told, v2 < 0 ? "FROZEN" : "frozen 1");
		await_off_cpu();
		frozen = now_ns();
		sleep_ns(hold_ns);
		release = now_ns();
		cgroup_write(file, v2 < 0 ? "THAWED" : "0");
		released = now_ns();
		hold_add(asked, frozen, release, released);
		cgroup_await(told, v2 < 0 ? "THAWED" : "frozen 0");
	}
	sleep_ns(5000000);
}

static const struct {
	const char *name;
	void (*body)(void);
	void (*hold)(void);
} kinds[] = { { "interrupt", compute, interrupt_rounds },
	      { "interrupt_asleep", sleep_long, interrupt_rounds },
	      { "syscalls", call, syscall_rounds },
	      { "freeze", compute, freeze_rounds },
	      { "freeze_asleep", sleep_long, freeze_rounds },
	      {} };

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	int i;

	hold_ns = (uint64_t)arg_long(argc, argv, 2, 20) * 1000000;
	rounds = arg_long(argc, argv, 3, 5);
	cgroup = argc > 4 ? argv[4] : "";
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	for (i = 0; kinds[i].name && strcmp(kinds[i].name, kind); i++)
		;
	if (!kinds[i].name) {
		errno = EINVAL;
		die(kind);
	}
	begin(kinds[i].body);
	kinds[i].hold();
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	say_u64("pid", (uint64_t)child);
	say_u64("stops", held.stops);
	say_u64("held_least_ns", held.least_ns);
	say_u64("held_most_ns", held.most_ns);
	say_u64("longest_least_ns", held.longest_least_ns);
	say_u64("longest_most_ns", held.longest_most_ns);
	return 0;
}
