// SPDX-License-Identifier: BSD-2-Clause
/*
 * Calls by hand, so that what each did is known: futex with every result there is, System V
 * semaphores, a named POSIX one. Counted are the calls that this file makes; the C library
 * makes futex calls of its own for threads, so the sleepers here are processes.
 */
#include "locks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "truth.h"

enum { SLEEPERS = 3 };

static uint32_t *words; /* shared: [0] the futex, [16] another to be moved to, [32…] notes */

static long futex(uint32_t *at, int op, uint32_t value, const void *timeout, uint32_t *to,
		  uint32_t value3)
{
	return syscall(SYS_futex, at, op, value, timeout, to, value3);
}

static void expect(long got, long want, const char *what)
{
	if (got == want)
		return;
	fprintf(stderr, "locks: %s gave %ld, not %ld\n", what, got, want);
	_exit(1);
}

/* Sleeps on `at` until it is woken; 1 wait. */
static pid_t sleeper(uint32_t *at)
{
	pid_t pid = (pid_t)must(fork(), "fork");

	if (pid)
		return pid;
	expect(futex(at, FUTEX_WAIT, 0, NULL, NULL, 0), 0, "wait");
	_exit(0);
}

static void sleepers(uint32_t *at, int n)
{
	pid_t pids[SLEEPERS];

	for (int i = 0; i < n; i++)
		pids[i] = sleeper(at);
	for (int i = 0; i < n; i++)
		await_state(pids[i], 'S');
}

static void reap(int n)
{
	int status;

	for (int i = 0; i < n; i++) {
		must(wait(&status), "wait");
		expect(status, 0, "a sleeper's status");
	}
}

/* Waits that end by themselves: the value is another, the time is up, a signal came. */
static void waits_that_end(long n)
{
	struct timespec brief = { .tv_nsec = 1000000 };

	for (long i = 0; i < n; i++)
		expect(futex(words, FUTEX_WAIT, 1, NULL, NULL, 0), -1, "wait for another value");
	for (long i = 0; i < n; i++)
		expect(futex(words, FUTEX_WAIT, 0, &brief, NULL, 0), -1, "wait for a time");
	say_u64("value_changed", (uint64_t)n);
	say_u64("timeouts", (uint64_t)n);
}

void raw_calls(int argc, char **argv)
{
	long n = arg_long(argc, argv, 1, 10);

	words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	say("address", "%p", (void *)words);
	waits_that_end(n);
	for (long i = 0; i < n; i++)
		expect(futex(words, FUTEX_WAKE, 1, NULL, NULL, 0), 0, "wake nobody");
	sleepers(words, SLEEPERS);
	expect(futex(words, FUTEX_WAKE, SLEEPERS, NULL, NULL, 0), SLEEPERS, "wake");
	reap(SLEEPERS);
	sleepers(words, SLEEPERS);
	/* one is woken, the others are moved and woken from there */
	expect(futex(words, FUTEX_CMP_REQUEUE, 1, (void *)(uintptr_t)SLEEPERS, words + 16, 0),
	       SLEEPERS, "requeue");
	expect(futex(words + 16, FUTEX_WAKE, SLEEPERS, NULL, NULL, 0), SLEEPERS - 1, "wake moved");
	reap(SLEEPERS);
	expect(futex(words, FUTEX_WAIT | 0x40, 0, NULL, NULL, 0), -1, "a bad operation");
	say_u64("waits", (uint64_t)(2 * n + 2 * SLEEPERS));
	say_u64("waits_woken", 2 * SLEEPERS);
	say_u64("wakes", (uint64_t)(n + 2));
	say_u64("woken", SLEEPERS + SLEEPERS - 1);
	say_u64("requeues", 1);
	say_u64("requeued", SLEEPERS);
	say_u64("errors", 1);
}

static int sem_do(int id, short change, short flags, const struct timespec *timeout)
{
	struct sembuf op = { .sem_op = change, .sem_flg = flags };

	return timeout ? semtimedop(id, &op, 1, timeout) : semop(id, &op, 1);
}

void sysv_semaphores(int argc, char **argv)
{
	long n = arg_long(argc, argv, 1, 10);
	int id = (int)must(semget(IPC_PRIVATE, 1, 0600), "semget");
	struct timespec brief = { .tv_nsec = 2000000 };
	struct span s;
	pid_t child;

	say_u64("semid", (uint64_t)id);
	for (long i = 0; i < n; i++) { /* up and down without a wait */
		expect(sem_do(id, 1, 0, NULL), 0, "up");
		expect(sem_do(id, -1, 0, NULL), 0, "down");
	}
	for (long i = 0; i < n; i++)
		expect(sem_do(id, -1, IPC_NOWAIT, NULL), -1, "down at once");
	span_begin(&s);
	for (long i = 0; i < n; i++)
		expect(sem_do(id, -1, 0, &brief), -1, "down in time");
	span_end(&s);
	child = (pid_t)must(fork(), "fork");
	if (!child)
		_exit(sem_do(id, -1, 0, NULL));
	await_state(child, 'S');
	expect(sem_do(id, 1, 0, NULL), 0, "up for the other");
	reap(1);
	must(semctl(id, 0, IPC_RMID), "semctl");
	expect(sem_do(id, 1, 0, NULL), -1, "up of what is gone");
	say_u64("operations", (uint64_t)(4 * n + 3));
	say_u64("would_block", (uint64_t)(2 * n)); /* both are EAGAIN */
	say_u64("errors", 1);
	say_u64("blocks", s.blocks);
	say_u64("blocked_ns", span_blocked_ns(&s));
}

void named_semaphore(int argc, char **argv)
{
	long n = arg_long(argc, argv, 1, 5);
	char name[64];
	sem_t *up;
	pid_t child;

	snprintf(name, sizeof(name), "/dwell-locks-%d", getpid());
	up = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
	if (up == SEM_FAILED)
		skip("sem_open");
	say("file", "/dev/shm/sem.%s", name + 1);
	child = (pid_t)must(fork(), "fork");
	if (!child) {
		for (long i = 0; i < n; i++)
			must(sem_wait(up), "sem_wait");
		_exit(0);
	}
	say_u64("waiter", (uint64_t)child);
	for (long i = 0; i < n; i++) {
		await_state(child, 'S');
		must(sem_post(up), "sem_post");
	}
	reap(1);
	sem_unlink(name);
	say_u64("waits", (uint64_t)n);
}
