/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io_disk MODE PATH [N]: known I/O on a file (page cache) or a block device (O_DIRECT).
 *
 *   none                                      opens and maps the file, touches nothing
 *   cold, half, warm, sparse, small, direct   reads of a file; N: bytes a read
 *   dirty, again                              writes: N new pages; those pages twice
 *   map, mapwrite                             touches every page of a mapping
 *   fsync                                     N times a page and fsync
 *   devread, devwrite                         N reads or writes of 16 KiB, one at a time
 *   batch, reverse, spread                    N reads of 4 KiB in one io_submit: each after,
 *                                             before or apart from the last
 *   bystander                                 devread, while a child burns the same CPU
 *   fail                                      N writes to a device that has no room
 *
 * Prints what it did as key=value: pages (that reads took), brought (pages that came into the
 * cache, by mincore), faults (getrusage), dirtied (bytes, /proc/self/io), fsync.* by its own
 * clock, calls.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

#define PAGE 4096UL
#define BLOCK (4 * PAGE)
#define BATCH 64

static char data[1 << 20] __attribute__((aligned(4096)));

/* ---- the page cache ---- */

struct file {
	int fd;
	size_t size, pages;
	unsigned char *map; /* never touched but by the modes that map */
	unsigned char *resident;
};

static void file_open(struct file *f, const char *path)
{
	struct stat st;

	f->fd = (int)must(open(path, O_RDWR), path);
	must(fstat(f->fd, &st), "fstat");
	f->size = (size_t)st.st_size;
	f->pages = (f->size + PAGE - 1) / PAGE;
	f->map = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	f->resident = calloc(f->pages, 1);
	if (f->map == MAP_FAILED || !f->resident)
		die("mmap");
	memset(f->resident, 1, f->pages);
}

static uint64_t resident(struct file *f)
{
	uint64_t n = 0;

	must(mincore(f->map, f->size, f->resident), "mincore");
	for (size_t i = 0; i < f->pages; i++)
		n += f->resident[i] & 1;
	return n;
}

static void drop(struct file *f)
{
	must(fsync(f->fd), "fsync");
	must(posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED), "posix_fadvise");
	if (resident(f))
		skip("the pages of the file do not go");
}

/* Reads of `chunk` bytes up to `end`, `step` apart; returns the pages that they touched. */
static uint64_t read_pages(struct file *f, size_t chunk, size_t end, size_t step)
{
	uint64_t pages = 0;

	for (size_t at = 0; at < end; at += step) {
		ssize_t n = pread(f->fd, data, chunk, (off_t)at);

		if (n <= 0)
			die("pread");
		pages += (at + (size_t)n - 1) / PAGE - at / PAGE + 1;
	}
	return pages;
}

static void reads(struct file *f, const char *mode, size_t chunk)
{
	uint64_t before;

	if (strcmp(mode, "warm") && strcmp(mode, "small"))
		drop(f);
	if (!strcmp(mode, "sparse"))
		must(posix_fadvise(f->fd, 0, 0, POSIX_FADV_RANDOM), "posix_fadvise");
	before = resident(f);
	if (!strcmp(mode, "half"))
		say_u64("pages", read_pages(f, chunk, f->size / 2, chunk));
	else if (!strcmp(mode, "sparse"))
		say_u64("pages", read_pages(f, chunk, f->size, 8 * PAGE));
	else
		say_u64("pages", read_pages(f, chunk, f->size, chunk));
	sleep_ns(200000000); /* what was read ahead may be on its way */
	say_u64("brought", resident(f) - before);
}

static void direct(const char *path)
{
	int fd = (int)must(open(path, O_RDONLY | O_DIRECT), path);
	uint64_t bytes = 0;
	ssize_t n;

	while ((n = read(fd, data, 64 * 1024)) > 0)
		bytes += (uint64_t)n;
	say_u64("bytes", bytes);
}

static uint64_t write_bytes(void)
{
	char line[128];
	uint64_t bytes = 0;
	FILE *io = fopen("/proc/self/io", "re");

	if (!io)
		skip("/proc/self/io");
	while (fgets(line, sizeof(line), io))
		if (!strncmp(line, "write_bytes: ", 13))
			bytes = strtoull(line + 13, NULL, 10);
	fclose(io);
	return bytes;
}

static void dirty(const char *path, size_t pages, int times)
{
	int fd = (int)must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), path);
	uint64_t before = write_bytes();

	for (size_t i = 0; i < pages * (size_t)times; i++)
		must(pwrite(fd, data, PAGE, (off_t)(i % pages * PAGE)), "pwrite");
	say_u64("dirtied", (write_bytes() - before) / PAGE);
	say_u64("brought", pages);
}

static uint64_t faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_minflt + usage.ru_majflt);
}

static void touch(struct file *f, bool write)
{
	volatile unsigned char *map = f->map;
	unsigned char sum = 0;
	uint64_t before;

	drop(f);
	before = faults();
	for (size_t i = 0; i < f->pages; i++) {
		if (write)
			map[i * PAGE] = 1;
		else
			sum ^= map[i * PAGE];
	}
	say_u64("faults", faults() - before);
	say_u64("brought", resident(f));
	say_u64("sum", sum);
}

static void sync_each(const char *path, long n)
{
	int fd = (int)must(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), path);
	uint64_t ns = 0, max = 0;

	for (long i = 0; i < n; i++) {
		uint64_t begin, took;

		must(pwrite(fd, data, PAGE, (off_t)((size_t)i * PAGE)), "pwrite");
		begin = now_ns();
		must(i & 1 ? fdatasync(fd) : fsync(fd), "fsync");
		took = now_ns() - begin;
		ns += took;
		max = took > max ? took : max;
	}
	say_u64("sync_ns", ns);
	say_u64("sync_max_ns", max);
}

/* ---- a block device ---- */

static int device_open(const char *path)
{
	return (int)must(open(path, O_RDWR | O_DIRECT), path);
}

static void one_by_one(const char *path, bool write, long n)
{
	int fd = device_open(path);

	for (long i = 0; i < n; i++) {
		off_t at = (off_t)((size_t)i * 2 * BLOCK);

		must(write ? pwrite(fd, data, BLOCK, at) : pread(fd, data, BLOCK, at), "I/O");
	}
}

static void batch(const char *path, const char *mode, long n)
{
	int fd = device_open(path);
	struct io_event events[BATCH];
	struct iocb cbs[BATCH], *list[BATCH];
	aio_context_t ctx = 0;

	if (n > BATCH)
		n = BATCH;
	if (syscall(SYS_io_setup, BATCH, &ctx))
		skip("io_setup");
	memset(cbs, 0, sizeof(cbs));
	for (long i = 0; i < n; i++) {
		long at = !strcmp(mode, "reverse")  ? n - 1 - i
			  : !strcmp(mode, "spread") ? 4 * i
						    : i;

		cbs[i].aio_lio_opcode = IOCB_CMD_PREAD;
		cbs[i].aio_fildes = (__u32)fd;
		cbs[i].aio_buf = (__u64)(uintptr_t)(data + (size_t)at % BATCH * PAGE);
		cbs[i].aio_nbytes = PAGE;
		cbs[i].aio_offset = (__s64)((size_t)at * PAGE);
		list[i] = &cbs[i];
	}
	must(syscall(SYS_io_submit, ctx, n, list) == n ? 0 : -1, "io_submit");
	must(syscall(SYS_io_getevents, ctx, n, n, events, NULL) == n ? 0 : -1, "io_getevents");
	for (long i = 0; i < n; i++)
		if (events[i].res != (__s64)PAGE)
			die("a read");
}

static void bystander(const char *path, long n)
{
	pid_t child;

	pin_to_cpu(0);
	child = fork();
	if (!child) {
		for (;;)
			spin_cpu_ns(1000000);
	}
	one_by_one(path, false, n);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	say_u64("self", (uint64_t)getpid());
	say_u64("bystander", (uint64_t)child);
}

static void fail(const char *path, long n)
{
	int fd = device_open(path);
	uint64_t failed = 0;

	for (long i = 0; i < n; i++)
		failed += pwrite(fd, data, BLOCK, (off_t)((size_t)i * BLOCK)) < 0;
	say_u64("failed", failed);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "", *path = argc > 2 ? argv[2] : "";
	long n = arg_long(argc, argv, 3, 4096);
	struct file f;

	if (!strcmp(mode, "direct")) {
		direct(path);
	} else if (!strcmp(mode, "dirty") || !strcmp(mode, "again")) {
		dirty(path, (size_t)n, !strcmp(mode, "again") ? 2 : 1);
	} else if (!strcmp(mode, "fsync")) {
		sync_each(path, n);
	} else if (!strcmp(mode, "devread") || !strcmp(mode, "devwrite")) {
		one_by_one(path, !strcmp(mode, "devwrite"), n);
	} else if (!strcmp(mode, "batch") || !strcmp(mode, "reverse") || !strcmp(mode, "spread")) {
		batch(path, mode, n);
	} else if (!strcmp(mode, "bystander")) {
		bystander(path, n);
	} else if (!strcmp(mode, "fail")) {
		fail(path, n);
	} else if (!strncmp(mode, "map", 3)) {
		file_open(&f, path);
		touch(&f, !strcmp(mode, "mapwrite"));
	} else if (!strcmp(mode, "none")) {
		file_open(&f, path);
	} else if (*mode) {
		file_open(&f, path);
		reads(&f, mode, (size_t)n);
	} else {
		fprintf(stderr, "usage: io_disk MODE PATH [N]\n");
		return 2;
	}
	return 0;
}
