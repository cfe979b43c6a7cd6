// SPDX-License-Identifier: BSD-2-Clause
// alloc MODE [ARGUMENT...]: allocations whose makers and leaks are known. Its output goes past
// stdio, which would allocate. Built with -fno-builtin, so that each call is made.
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Read when it runs: compilers refuse calls that they see cannot succeed. */
static volatile size_t too_much = SIZE_MAX / 2;

#define NOINLINE __attribute__((noinline))
#define PAGE 4096UL

static void *volatile kept; /* so that no block is of no use */

static void say(const char *key, uint64_t value)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%s=%llu\n", key, (unsigned long long)value);

	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(1);
}

static size_t number(char **argv, int i)
{
	return strtoul(argv[i], NULL, 10);
}

/* ---- who allocates ---- */

NOINLINE static void leak_here(size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++)
		kept = malloc(size);
}

NOINLINE static void leak_zeroed(size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++)
		kept = calloc(n, size);
}

NOINLINE static void use_and_free(size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		void *volatile block = malloc(size); /* not `kept`: several threads are here */

		free(block);
	}
}

NOINLINE static void outer_caller(size_t n, size_t size)
{
	leak_here(n, size);
	kept = NULL;
}

static void leak(int argc, char **argv)
{
	outer_caller(number(argv, 1), number(argv, 2));
	leak_zeroed(3, 50);
	use_and_free(100, 64);
}

/* Each function of the family once more than the one before it; all but the last is freed. */
NOINLINE static void *make(int function, size_t size)
{
	void *p = NULL;

	switch (function) {
	case 0:
		return malloc(size);
	case 1:
		return calloc(2, size / 2);
	case 2:
		return realloc(NULL, size);
	case 3:
		return reallocarray(NULL, 4, size / 4);
	case 4:
		return aligned_alloc(64, size);
	case 5:
		return posix_memalign(&p, 128, size) ? NULL : p;
	case 6:
		return memalign(64, size);
	case 7:
		return valloc(size);
	case 8:
		return pvalloc(size);
	}
	return NULL;
}

static void family(int argc, char **argv)
{
	for (int function = 0; function < 9; function++) {
		for (int i = 0; i <= function; i++) {
			kept = make(function, 1024);
			if (i < function)
				free(kept);
		}
	}
	for (int i = 0; i < 5; i++)
		free(NULL);
}

/* Grow, shrink, from nothing, to nothing, and what cannot be. */
static void resize(int argc, char **argv)
{
	char *p = realloc(NULL, 100);

	p = realloc(p, 10000);
	p = realloc(p, 1000000); /* a mapping of its own, which is moved as it grows */
	p = realloc(p, 50000000);
	p = realloc(p, 50);
	kept = realloc(p, too_much);
	say("failed", !kept);
	say("errno", (uint64_t)errno);
	kept = reallocarray(p, too_much, 16);
	kept = malloc(200);
	kept = realloc(kept, 0); /* the GNU C library frees it */
	say("gone", !kept);
}

static void failures(int argc, char **argv)
{
	void *p;

	kept = malloc(too_much);
	kept = calloc(too_much, 4);
	kept = aligned_alloc(64, too_much);
	say("posix_memalign", (uint64_t)posix_memalign(&p, 64, too_much));
	say("bad_alignment", (uint64_t)posix_memalign(&p, 3, 10));
}

/* ---- threads: what one makes another frees ---- */

#define HANDED 500

static void *handed[HANDED];

static void *make_all(void *ctx)
{
	for (size_t i = 0; i < HANDED; i++)
		handed[i] = malloc(300);
	return NULL;
}

static void *free_most(void *ctx)
{
	for (size_t i = 0; i < HANDED - 7; i++)
		free(handed[i]);
	return NULL;
}

static void *churn_some(void *ctx)
{
	use_and_free(2000, 48);
	return NULL;
}

static void run_threads(void *(*const *run)(void *), size_t n)
{
	pthread_t ids[4];

	for (size_t i = 0; i < n; i++)
		if (pthread_create(&ids[i], NULL, run[i], NULL))
			_exit(1);
	for (size_t i = 0; i < n; i++)
		pthread_join(ids[i], NULL);
}

static void threads(int argc, char **argv)
{
	void *(*const make_it[])(void *) = { make_all };
	void *(*const churn_it[])(void *) = { churn_some, churn_some, free_most, churn_some };

	run_threads(make_it, 1);
	run_threads(churn_it, 4);
}

/* ---- processes ---- */

static void forks(int argc, char **argv)
{
	void *blocks[20];
	int status;
	pid_t pid;

	for (size_t i = 0; i < 20; i++)
		blocks[i] = malloc(1000);
	pid = fork();
	if (!pid) {
		for (size_t i = 0; i < 15; i++)
			free(blocks[i]); /* the copy that it got of its parent's */
		leak_here(4, 77);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	for (size_t i = 0; i < 18; i++)
		free(blocks[i]);
	say("child", (uint64_t)pid);
	say("parent", (uint64_t)getpid());
}

/* exec N SIZE COMMAND...: leaks, then becomes another program. */
static void becomes(int argc, char **argv)
{
	leak_here(number(argv, 1), number(argv, 2));
	execv(argv[3], argv + 3);
	_exit(1);
}

/*
 * hooked TRIES: waits until a tracer has put a breakpoint on free(), the last function that dwell
 * hooks; begins anew each time, so that the file is mapped once more.
 */
static void hooked(int argc, char **argv)
{
	static char rest[32];
	unsigned char first;

	memcpy(&first, (const void *)(uintptr_t)&free, 1);
	if (first == 0xcc) /* int3 */
		return;
	if (!number(argv, 1))
		_exit(1);
	usleep(10000);
	snprintf(rest, sizeof(rest), "%zu", number(argv, 1) - 1);
	argv[1] = rest;
	execv("/proc/self/exe", argv - 1);
	_exit(1);
}

/* ---- mappings ---- */

NOINLINE static void *map_here(size_t pages)
{
	return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void maps(int argc, char **argv)
{
	char *a = map_here(100), *b = map_here(50), *c = map_here(10);

	munmap(a + 20 * PAGE, 30 * PAGE); /* 70 left in two pieces */
	munmap(b, 50 * PAGE);
	munmap(a + 10 * PAGE, 50 * PAGE); /* of both pieces 10: 50 are left */
	c = mremap(c, 10 * PAGE, 300 * PAGE, MREMAP_MAYMOVE);
	c = mremap(c, 300 * PAGE, 200 * PAGE, 0);
	if (sbrk(16 * PAGE) == (void *)-1 || sbrk(-4 * (long)PAGE) == (void *)-1)
		_exit(1);
	kept = c;
}

/* ---- attached to: waits for its input's end, then goes on ---- */

static void attached(int argc, char **argv)
{
	void *blocks[10];
	char c;

	for (size_t i = 0; i < 10; i++)
		blocks[i] = malloc(500);
	say("ready", 1);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	for (size_t i = 0; i < 10; i++)
		free(blocks[i]);
	leak_here(6, 60);
}

/* steady N: pairs of malloc and free, and what one took; for the bench */
static void steady(int argc, char **argv)
{
	use_and_free(number(argv, 1), 64);
}

static const struct {
	const char *name;
	void (*run)(int argc, char **argv);
	int arguments;
} modes[] = {
	{ "leak", leak, 2 },         { "family", family, 0 },   { "resize", resize, 0 },
	{ "failures", failures, 0 }, { "threads", threads, 0 }, { "forks", forks, 0 },
	{ "becomes", becomes, 3 },   { "maps", maps, 0 },       { "attached", attached, 0 },
	{ "steady", steady, 1 },     { "hooked", hooked, 1 },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, argv[1]) != 0 || argc - 2 < modes[i].arguments)
			continue;
		modes[i].run(argc - 1, argv + 1);
		return 0;
	}
	fprintf(stderr, "usage: alloc MODE [ARGUMENT...]\n");
	return 2;
}
