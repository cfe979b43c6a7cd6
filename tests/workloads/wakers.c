// SPDX-License-Identifier: BSD-2-Clause
/*
 * wakers futex|pipe|timer|signal N: a sleeper that is woken N times by one known waker,
 * each time only after /proc says that it sleeps. The two are threads of one process.
 */
#include "truth.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint32_t word; /* rounds that the waker has ended */
static volatile uint32_t entered;
static volatile pid_t sleeper;
static int fds[2];
static uint32_t rounds;
static const char *how;
static struct waits truth;

static void wait_once(uint32_t round)
{
	struct timespec ms = { 0, 1000000 };
	sigset_t set;
	char c;

	if (!strcmp(how, "futex")) {
		while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) < round)
			syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, round - 1, NULL, NULL, 0);
	} else if (!strcmp(how, "pipe")) {
		if (read(fds[0], &c, 1) != 1)
			die("read");
	} else if (!strcmp(how, "signal")) {
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigwaitinfo(&set, NULL);
	} else {
		nanosleep(&ms, NULL);
	}
}

static void *sleep_rounds(void *unused)
{
	struct span s;

	sleeper = tid_self();
	for (uint32_t r = 1; r <= rounds; r++) {
		span_begin(&s);
		entered = r;
		wait_once(r);
		span_end(&s);
		waits_add(&truth, &s);
	}
	return unused;
}

static void wake_once(pthread_t thread)
{
	__atomic_add_fetch(&word, 1, __ATOMIC_SEQ_CST);
	if (!strcmp(how, "futex"))
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	else if (!strcmp(how, "pipe"))
		must(write(fds[1], "x", 1), "write");
	else
		pthread_kill(thread, SIGUSR1);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	sigset_t set;

	how = argc > 1 ? argv[1] : "futex";
	rounds = (uint32_t)arg_long(argc, argv, 2, 50);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	must(pipe(fds), "pipe");
	if (pthread_create(&thread, NULL, sleep_rounds, NULL))
		die("pthread_create");
	for (uint32_t r = 1; strcmp(how, "timer") && r <= rounds; r++) {
		while (entered != r || !is_in_state(sleeper, 'S'))
			sleep_ns(200000);
		wake_once(thread);
	}
	pthread_join(thread, NULL);
	say_u64("pid", (uint64_t)getpid());
	say_u64("sleeper", (uint64_t)sleeper);
	say_u64("waker", (uint64_t)tid_self());
	waits_print(&truth, "");
	return 0;
}
