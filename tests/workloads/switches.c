// SPDX-License-Identifier: BSD-2-Clause
// switches processes|threads N: N round trips over two pipes. The parties are children of
// the first process, which takes the kernel's count of their switches when it reaps them.
#include "truth.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int there[2], back[2];
static long rounds;

static void serve(void)
{
	char c;

	for (long i = 0; i < rounds; i++)
		if (read(back[0], &c, 1) != 1 || write(there[1], &c, 1) != 1)
			die("pong");
}

static void play(void)
{
	char c = 'x';

	for (long i = 0; i < rounds; i++)
		if (write(back[1], &c, 1) != 1 || read(there[0], &c, 1) != 1)
			die("ping");
}

static void *serve_thread(void *unused)
{
	serve();
	return unused;
}

static void both_in_threads(void)
{
	pthread_t other;

	if (pthread_create(&other, NULL, serve_thread, NULL))
		die("pthread_create");
	play();
	pthread_join(other, NULL);
}

static pid_t start(void (*body)(void))
{
	pid_t pid = (pid_t)must(fork(), "fork");

	if (!pid) {
		body();
		_exit(0);
	}
	return pid;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "processes";
	pid_t first, second = 0;

	rounds = arg_long(argc, argv, 2, 1000);
	must(pipe(there), "pipe");
	must(pipe(back), "pipe");
	if (!strcmp(how, "threads")) {
		first = start(both_in_threads);
	} else {
		first = start(serve);
		second = start(play);
	}
	reap_and_say(first);
	say_u64("first", (uint64_t)first);
	if (second)
		reap_and_say(second);
	say_u64("second", (uint64_t)second);
	say_u64("followers", second ? 0 : 1); /* threads that died before their leader */
	return 0;
}
