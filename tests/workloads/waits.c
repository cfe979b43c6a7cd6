// SPDX-License-Identifier: BSD-2-Clause
/*
 * waits KIND MS ROUNDS: a child process that blocks ROUNDS times in one kind of wait and
 * measures each: blocked time, voluntary switches. Round r lasts MS * (1 + r % 4). The
 * child waits for nothing else: it finds out by spinning that the helper is ready.
 */
#include "waits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

struct wait_shared *shared;
int here = -1, there = -1;

static struct waits truth;

static uint64_t round_ns(uint32_t round, long ms)
{
	return (uint64_t)ms * 1000000 * (1 + round % 4);
}

static void waiter(const struct wait_kind *kind, long ms, uint32_t rounds)
{
	struct span span;

	shared->waiter = getpid();
	if (kind->enter)
		kind->enter();
	for (uint32_t r = 1; r <= rounds; r++) {
		while (kind->wake && shared->armed != r)
			__builtin_ia32_pause();
		if (kind->prepare)
			kind->prepare(round_ns(r, ms));
		span_begin(&span);
		shared->entered = r;
		kind->wait(round_ns(r, ms));
		span_end(&span);
		shared->done = r;
		waits_add(&truth, &span);
	}
	say_u64("pid", (uint64_t)getpid());
	waits_print(&truth, "");
	_exit(0);
}

static void help_round(const struct wait_kind *kind, uint32_t round, uint64_t ns)
{
	if (kind->arm)
		kind->arm();
	shared->armed = round;
	while (shared->entered != round)
		sleep_ns(200000);
	sleep_ns(ns);
	do {
		kind->wake();
		sleep_ns(200000);
		for (int i = 0; kind->again && shared->done != round && i < 100; i++)
			sleep_ns(1000000);
	} while (kind->again && shared->done != round);
	while (shared->done != round)
		sleep_ns(200000);
}

static const struct wait_kind *find_kind(const char *name)
{
	const struct wait_kind *all[] = { wait_kinds_time, wait_kinds_fd, wait_kinds_ipc };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		for (const struct wait_kind *k = all[i]; k->name; k++)
			if (!strcmp(k->name, name))
				return k;
	errno = EINVAL;
	die(name);
}

int main(int argc, char **argv)
{
	const struct wait_kind *kind = find_kind(argc > 1 ? argv[1] : "");
	long ms = arg_long(argc, argv, 2, 5);
	uint32_t rounds = (uint32_t)arg_long(argc, argv, 3, 8);
	int status;
	pid_t pid;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	if (kind->setup)
		kind->setup();
	pid = (pid_t)must(fork(), "fork");
	if (!pid)
		waiter(kind, ms, rounds);
	for (uint32_t r = 1; kind->wake && r <= rounds; r++)
		help_round(kind, r, round_ns(r, ms));
	must(waitpid(pid, &status, 0), "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
