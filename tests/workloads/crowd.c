// SPDX-License-Identifier: BSD-2-Clause
/*
 * crowd KIND BATCHES SIZE CALLS [hold]: batch after batch of SIZE processes or threads that all
 * end at the same moment, each after CALLS getppid() and three close(-1). Says how many
 * there were, what they called, and between which bounds the time that they lived lies:
 * each measured its own from its first to its last line (`lived_least_ns`), the maker
 * from before it made it to after it was gone (`lived_most_ns`).
 *
 * With `hold` the parent, dwell, is stopped during each second batch, so that nobody reads
 * what the kernel tells of it.
 */
#include "truth.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLOSES 3

static struct {
	uint64_t lived_ns, ready;
} * shared;

static uint64_t most_ns, *made;
static long size, calls;
static int gate[2];

static void one(void)
{
	uint64_t begin = now_ns();
	char c;

	for (long i = 0; i < calls; i++)
		syscall(SYS_getppid);
	for (int i = 0; i < CLOSES; i++)
		syscall(SYS_close, -1);
	__atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
	while (read(gate[0], &c, 1) < 0) /* until the other end is closed */
		;
	__atomic_add_fetch(&shared->lived_ns, now_ns() - begin, __ATOMIC_SEQ_CST);
}

static void open_gate(void)
{
	while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) < (uint64_t)size)
		sleep_ns(200000);
	close(gate[1]);
}

static void processes(void)
{
	for (long i = 0; i < size; i++) {
		made[i] = now_ns();
		if (!must(fork(), "fork")) {
			close(gate[1]);
			one();
			_exit(0);
		}
	}
	open_gate();
	for (long i = 0; i < size; i++)
		must(wait(NULL), "wait");
	for (long i = 0; i < size; i++)
		most_ns += now_ns() - made[i];
}

static void *thread(void *unused)
{
	one();
	return unused;
}

static void threads(void)
{
	pthread_t *all = calloc((size_t)size, sizeof(*all));
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (long i = 0; i < size; i++) {
		made[i] = now_ns();
		errno = pthread_create(&all[i], &attr, thread, NULL);
		if (errno)
			skip("pthread_create");
	}
	open_gate();
	for (long i = 0; i < size; i++)
		pthread_join(all[i], NULL);
	for (long i = 0; i < size; i++)
		most_ns += now_ns() - made[i];
	free(all);
}

static void stop(pid_t parent)
{
	must(kill(parent, SIGSTOP), "kill");
	await_state(parent, 'T');
}

int main(int argc, char **argv)
{
	bool by_thread = argc > 1 && !strcmp(argv[1], "threads");
	bool holds = argc > 5 && !strcmp(argv[5], "hold");
	long batches = arg_long(argc, argv, 2, 20), all;
	pid_t parent = getppid();

	size = arg_long(argc, argv, 3, 50);
	calls = arg_long(argc, argv, 4, 10);
	all = batches * size;
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	made = calloc((size_t)size, sizeof(*made));
	if (shared == MAP_FAILED || !made)
		die("memory");
	for (long b = 0; b < batches; b++) {
		shared->ready = 0;
		if (holds && b % 2 == 0)
			stop(parent);
		must(pipe(gate), "pipe");
		if (by_thread)
			threads();
		else
			processes();
		close(gate[0]);
		if (holds && b % 2 == 0)
			must(kill(parent, SIGCONT), "kill");
	}
	say_u64("pid", (uint64_t)getpid());
	say_u64("processes", by_thread ? 1 : 1 + (uint64_t)all);
	say_u64("threads", 1 + (uint64_t)all);
	say_u64("call.getppid", (uint64_t)(1 + all * calls));
	say_u64("error.close.EBADF", (uint64_t)(all * CLOSES));
	say_u64("lived_least_ns", shared->lived_ns);
	say_u64("lived_most_ns", most_ns);
	return 0;
}
