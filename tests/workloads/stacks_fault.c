/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks_fault file|user MS: waits in page faults, not in system calls. `file`: pages of a file
 * that is mapped and not in the page cache, one after the other, for MS milliseconds. `user`:
 * one page that another thread of the program (userfaultfd) gives after MS.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stacks.h"
#include "truth.h"

#define PAGE 4096UL
#define FILE_SIZE (32UL << 20)

volatile long stacks_sink;

static uint64_t stay_ns;

static void say_chain(const char *leaf)
{
	printf("{\"chain\":[\"%s\",\"fault_in\",\"main\"],\"pid\":%d,\"tid\":%d}\n", leaf, getpid(),
	       getpid());
	fflush(stdout);
}

/* The faults are in here and nowhere else. */
NOINLINE static void fault_read(const volatile char *at, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		stacks_sink += at[i];
}

NOINLINE static void fault_in(const volatile char *at, size_t size)
{
	fault_read(at, size);
	stacks_sink++;
}

/* Here and not in /tmp, which may lie in memory. */
static int make_file(void)
{
	char path[] = "./dwell-fault.XXXXXX", *block = calloc(1, 1 << 20);
	int fd = (int)must(mkostemp(path, O_CLOEXEC), path);

	unlink(path);
	if (!block)
		abort();
	for (size_t done = 0; done < FILE_SIZE; done += 1 << 20)
		must(write(fd, block, 1 << 20), "write");
	must(fsync(fd), "fsync");
	free(block);
	return fd;
}

static void from_file(void)
{
	int fd = make_file();
	uint64_t until = now_ns() + stay_ns;

	say_chain("fault_read");
	do {
		char *at = mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED, fd, 0);

		if (at == MAP_FAILED)
			die("mmap");
		madvise(at, FILE_SIZE, MADV_RANDOM); /* nothing is read ahead */
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		fault_in(at, FILE_SIZE);
		munmap(at, FILE_SIZE);
	} while (now_ns() < until);
	close(fd);
}

struct giver {
	int fd;
	char *page;
};

/* Lets the fault wait, then gives the page that it waits for. */
static void *give(void *arg)
{
	const struct giver *g = arg;
	static char zeroes[PAGE];
	struct uffdio_copy copy = { .dst = (unsigned long)g->page,
				    .src = (unsigned long)zeroes,
				    .len = PAGE };
	struct uffd_msg message;

	if (read(g->fd, &message, sizeof(message)) != sizeof(message))
		die("userfaultfd: read");
	sleep_ns(stay_ns);
	must(ioctl(g->fd, UFFDIO_COPY, &copy), "UFFDIO_COPY");
	return NULL;
}

static void from_user(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct giver g = { .fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC) };
	pthread_t thread;

	if (g.fd < 0 || ioctl(g.fd, UFFDIO_API, &api))
		skip("userfaultfd");
	g.page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.start = (unsigned long)g.page;
	range.range.len = PAGE;
	must(ioctl(g.fd, UFFDIO_REGISTER, &range), "UFFDIO_REGISTER");
	must(-pthread_create(&thread, NULL, give, &g), "pthread_create");
	say_chain("fault_read");
	fault_in(g.page, PAGE);
	pthread_join(thread, NULL);
	close(g.fd);
}

int main(int argc, char **argv)
{
	if (argc != 3 || (strcmp(argv[1], "file") != 0 && strcmp(argv[1], "user") != 0)) {
		fprintf(stderr, "usage: stacks_fault file|user MS\n");
		return 2;
	}
	stay_ns = strtoull(argv[2], NULL, 10) * 1000000;
	if (argv[1][0] == 'f')
		from_file();
	else
		from_user();
	return 0;
}
