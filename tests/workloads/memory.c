/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory: memory that is known. What it did comes from its own arguments, getrusage,
 * smaps_rollup and mincore; it says so as truth.
 *
 *	memory touch PAGES              touches anonymous pages
 *	memory tree PAGES CHILDREN      so do children, all at once; before and after them others
 *	                                that live for a moment, one by one
 *	memory copy PAGES               a fork that shares all, and asks how much that is
 *	memory map FILE                 reads a file that is not in memory, page by page
 *	memory limit GROUP PAGES [again] joins a cgroup and touches; again: reads all once more
 *	memory cache GROUP FILE         joins a cgroup and reads a file through it
 *	memory pipes N                  opens N pipes and closes them
 *	memory sleep PAGES              touches and stays until stdin ends
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

#define MAX_CHILDREN 64

static size_t page;

static struct rusage usage(void)
{
	struct rusage u;

	must(getrusage(RUSAGE_SELF, &u), "getrusage");
	return u;
}

static uint64_t read_rollup(const char *key)
{
	char line[256];
	unsigned long long kb = 0;
	FILE *f = fopen("/proc/self/smaps_rollup", "re");

	if (!f)
		die("/proc/self/smaps_rollup");
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), ": %llu", &kb);
	fclose(f);
	return kb * 1024;
}

static unsigned char *reserve(size_t pages)
{
	unsigned char *at = mmap(NULL, pages * page, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	must(madvise(at, pages * page, MADV_NOHUGEPAGE), "madvise");
	return at;
}

/* To 6.1 a thread holds back what it counts, 64 faults at most, and until it unmaps something. */
static void settle(void)
{
	unsigned char *at = reserve(1);

	*(volatile unsigned char *)at = 1;
	must(munmap(at, page), "munmap");
}

/* A line of smaps_rollup, in bytes; the second time reading it maps nothing more. */
static uint64_t rollup(const char *key)
{
	read_rollup(key);
	settle();
	return read_rollup(key);
}

/* Each page different, so that nothing compresses or merges it away. */
static void fill(unsigned char *at, size_t pages)
{
	uint64_t x = (uint64_t)getpid() * 0x9e3779b97f4a7c15ULL + 1;

	for (size_t i = 0; i < pages * page; i += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (i % page < 512)
			memcpy(at + i, &x, sizeof(x));
	}
}

static uint64_t sum(const unsigned char *at, size_t pages)
{
	uint64_t total = 0;

	for (size_t i = 0; i < pages; i++)
		total += *(volatile const unsigned char *)(at + i * page);
	return total;
}

static void say_usage(const struct rusage *before)
{
	struct rusage now = usage();

	say_u64("minor", (uint64_t)now.ru_minflt);
	say_u64("major", (uint64_t)now.ru_majflt);
	say_u64("minor_here", (uint64_t)(now.ru_minflt - before->ru_minflt));
	say_u64("major_here", (uint64_t)(now.ru_majflt - before->ru_majflt));
	say_u64("maxrss", (uint64_t)now.ru_maxrss * 1024);
}

static int touch(size_t pages)
{
	struct rusage before = usage();
	unsigned char *at = reserve(pages);
	uint64_t rss;

	fill(at, pages);
	rss = rollup("Rss");
	must(munmap(at, pages * page), "munmap");
	say_u64("rss", rss);
	say_usage(&before);
	return 0;
}

/* A child that tells its size when it has touched all, and ends when it is told. */
static pid_t sized_child(size_t pages, int told, const int wait[2])
{
	pid_t pid = fork();
	uint64_t rss;
	char c;

	if (pid)
		return pid;
	close(wait[1]);
	fill(reserve(pages), pages);
	rss = rollup("Rss");
	must(write(told, &rss, sizeof(rss)), "write");
	if (read(wait[0], &c, 1) < 0)
		die("read");
	_exit(0);
}

static void moments(size_t pages)
{
	for (int i = 0; i < 5; i++) {
		pid_t pid = fork();

		if (!pid) {
			fill(reserve(pages), pages);
			_exit(0);
		}
		must(waitpid(pid, NULL, 0), "waitpid");
	}
}

static int tree(size_t pages, long children)
{
	int told[2], wait[2];
	uint64_t total = 0, rss;

	must(pipe(told), "pipe");
	must(pipe(wait), "pipe");
	moments(pages);
	for (long i = 0; i < children; i++)
		must(sized_child(pages, told[1], wait), "fork");
	for (long i = 0; i < children; i++) {
		must(read(told[0], &rss, sizeof(rss)), "read");
		total += rss;
	}
	say_u64("peak", total + rollup("Rss"));
	close(wait[0]);
	close(wait[1]);
	while (waitpid(-1, NULL, 0) > 0)
		;
	moments(pages);
	return 0;
}

static int copy(size_t pages)
{
	unsigned char *at = reserve(pages);
	uint64_t child_rss = 0;
	int ends[2];
	pid_t pid;

	fill(at, pages);
	say_u64("rss", rollup("Rss"));
	must(pipe2(ends, O_CLOEXEC), "pipe2");
	pid = fork();
	if (!pid) {
		child_rss = rollup("Rss");
		must(write(ends[1], &child_rss, sizeof(child_rss)), "write");
		_exit(0);
	}
	must(read(ends[0], &child_rss, sizeof(child_rss)), "read");
	must(waitpid(pid, NULL, 0), "waitpid");
	say_u64("child", (uint64_t)pid);
	say_u64("child_rss", child_rss);
	return 0;
}

static int map_file(const char *path)
{
	int fd = (int)must(open(path, O_RDONLY | O_CLOEXEC), path);
	struct rusage before = usage();
	unsigned char *at, *there;
	uint64_t resident = 0;
	struct stat st;
	size_t pages;

	must(fstat(fd, &st), path);
	pages = (size_t)st.st_size / page;
	must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "posix_fadvise");
	at = mmap(NULL, pages * page, PROT_READ, MAP_PRIVATE, fd, 0);
	there = calloc(pages, 1);
	if (at == MAP_FAILED || !there)
		die("mmap");
	must(madvise(at, pages * page, MADV_RANDOM), "madvise");
	must(mincore(at, pages * page, there), "mincore");
	for (size_t i = 0; i < pages; i++)
		resident += there[i] & 1;
	say_u64("pages", pages);
	say_u64("resident", resident);
	before = usage();
	say_u64("sum", sum(at, pages));
	say_usage(&before);
	return 0;
}

static void join(const char *group)
{
	char path[4096], text[32];
	int fd, len = snprintf(text, sizeof(text), "%d", getpid());

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	fd = (int)must(open(path, O_WRONLY | O_CLOEXEC), path);
	must(write(fd, text, (size_t)len), path);
	close(fd);
}

static int limit(const char *group, size_t pages, bool again)
{
	struct rusage before;
	unsigned char *at;

	join(group);
	before = usage();
	at = reserve(pages);
	fill(at, pages);
	if (again)
		say_u64("sum", sum(at, pages));
	say_usage(&before);
	return 0;
}

static int cache(const char *group, const char *path)
{
	static char buf[1 << 16];
	int fd = (int)must(open(path, O_RDONLY | O_CLOEXEC), path);

	join(group);
	must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "posix_fadvise");
	while (must(read(fd, buf, sizeof(buf)), path) > 0)
		;
	close(fd);
	return 0;
}

static int pipes(long n)
{
	int(*fds)[2] = calloc((size_t)n, sizeof(*fds));

	if (!fds)
		die("calloc");
	for (long i = 0; i < n; i++)
		must(pipe(fds[i]), "pipe");
	for (long i = 0; i < n; i++) {
		close(fds[i][0]);
		close(fds[i][1]);
	}
	say_u64("pipes", (uint64_t)n);
	return 0;
}

static int stay(size_t pages)
{
	char c;

	fill(reserve(pages), pages);
	say_u64("rss", rollup("Rss"));
	say_u64("pss", rollup("Pss"));
	return read(STDIN_FILENO, &c, 1) < 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	size_t pages = (size_t)arg_long(argc, argv, 2, 0);

	page = (size_t)sysconf(_SC_PAGESIZE);
	if (!strcmp(what, "touch"))
		return touch(pages);
	if (!strcmp(what, "tree"))
		return tree(pages, arg_long(argc, argv, 3, 3));
	if (!strcmp(what, "copy"))
		return copy(pages);
	if (!strcmp(what, "map"))
		return map_file(argv[2]);
	if (!strcmp(what, "limit"))
		return limit(argv[2], (size_t)arg_long(argc, argv, 3, 0), argc > 4);
	if (!strcmp(what, "cache") && argc > 3)
		return cache(argv[2], argv[3]);
	if (!strcmp(what, "pipes"))
		return pipes((long)pages);
	if (!strcmp(what, "sleep"))
		return stay(pages);
	fprintf(stderr, "usage: memory touch|tree|copy|map|limit|cache|pipes|sleep ARG...\n");
	return 2;
}
