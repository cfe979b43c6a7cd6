/* SPDX-License-Identifier: BSD-2-Clause */
/* Saying where a thread is, and being there; see stacks.h. */
#include "stacks.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ULL
#define LINE (1U << 16)

volatile long stacks_sink;

static const char *how;
static uint64_t stay_ms;

void stay_usage(const char *cases)
{
	fprintf(stderr, "usage: %s%s sleep|naps|futex|burn MS\n", program_invocation_short_name,
		cases);
	exit(2);
}

void stay_setup(int argc, char **argv, int i)
{
	static const char *const known[] = { "sleep", "naps", "futex", "burn" };

	if (argc != i + 2)
		stay_usage(i > 1 ? " CASE" : "");
	for (size_t k = 0; k < sizeof(known) / sizeof(*known); k++)
		if (!strcmp(argv[i], known[k]))
			how = known[k];
	if (!how)
		stay_usage(i > 1 ? " CASE" : "");
	stay_ms = strtoull(argv[i + 1], NULL, 10);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct timespec duration(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
}

static void put(const char *line, size_t length)
{
	if (write(STDOUT_FILENO, line, length) != (ssize_t)length)
		_exit(1);
}

static void say(const char *callers)
{
	size_t room = LINE + strlen(callers) * 2, n;
	char *line = malloc(room); /* not the stack: the chain is not to be a page deeper */

	if (!line)
		abort();
	n = (size_t)snprintf(line, room, "{\"chain\":[\"stay\"");
	while (*callers) {
		size_t length = strcspn(callers, " ");

		n += (size_t)snprintf(line + n, room - n, ",\"%.*s\"", (int)length, callers);
		callers += length;
		callers += strspn(callers, " ");
	}
	n += (size_t)snprintf(line + n, room - n,
			      "],\"pid\":%d,\"tid\":%ld,\"how\":\"%s\",\"ms\":%llu}\n", getpid(),
			      syscall(SYS_gettid), how, (unsigned long long)stay_ms);
	put(line, n);
	free(line);
}

static void say_end(uint64_t ns)
{
	char line[96];
	int n = snprintf(line, sizeof(line), "{\"tid\":%ld,\"stayed_ns\":%llu}\n",
			 syscall(SYS_gettid), (unsigned long long)ns);

	put(line, (size_t)n);
}

/* Each way waits or runs in stay() itself, so that it is always the lowest of our functions. */
static inline __attribute__((always_inline)) void be_there(void)
{
	struct timespec whole = duration(stay_ms * MS), nap = duration(5 * MS);
	uint64_t until = now() + stay_ms * MS;
	uint32_t word = 0;

	if (how[0] == 's') {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &whole, NULL);
	} else if (how[0] == 'n') {
		while (now() < until)
			clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	} else if (how[0] == 'f') {
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &whole, NULL, 0);
	} else {
		while (now() < until)
			for (volatile int i = 0; i < 20000; i++)
				;
	}
	stacks_sink++;
}

NOINLINE void stay(const char *callers)
{
	uint64_t begin;

	say(callers);
	begin = now();
	be_there();
	say_end(now() - begin);
}

NOINLINE void stay_silent(void)
{
	be_there();
}
