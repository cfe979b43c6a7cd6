// SPDX-License-Identifier: BSD-2-Clause
/*
 * disk direct|buffered|fsync|mapped FILE BLOCKS: waits for storage, each one measured.
 *   direct    O_DIRECT reads of FILE, which may be a block device
 *   buffered  reads of pages that posix_fadvise dropped and mincore says are gone
 *   fsync     a write, then fsync
 *   mapped    touches of mapped pages that are gone: page faults that wait for storage
 * A file that does not exist is made, written, synced and, at the end, removed.
 */
#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BLOCK ((size_t)1 << 20)

static struct waits truth;
static char *buffer, *map;
static const char *path;
static bool made;

static void make_file(long blocks)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return;
	must(fd, path);
	made = true;
	memset(buffer, 'd', BLOCK);
	for (long i = 0; i < blocks; i++)
		if (write(fd, buffer, BLOCK) != (ssize_t)BLOCK)
			die("write");
	must(fsync(fd), "fsync");
	close(fd);
}

/* Drops the file (a large folio goes whole or not at all); skips when block `i` stays. */
static void drop(int fd, long i)
{
	unsigned char resident[BLOCK / 4096];

	must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "fadvise");
	must(mincore(map + i * (long)BLOCK, BLOCK, resident), "mincore");
	if (resident[0] & 1) {
		errno = EBUSY;
		skip("the page cache keeps the file");
	}
}

static void read_block(int fd, long i)
{
	struct span s;

	span_begin(&s);
	if (pread(fd, buffer, BLOCK, i * (long)BLOCK) != (ssize_t)BLOCK)
		die("pread");
	span_end(&s);
	waits_add(&truth, &s);
}

static void touch_block(long i)
{
	struct span s;

	span_begin(&s);
	*(volatile char *)(map + i * (long)BLOCK);
	span_end(&s);
	waits_add(&truth, &s);
}

static void sync_block(int fd, long i)
{
	struct span s;

	if (pwrite(fd, buffer, BLOCK, i * (long)BLOCK) != (ssize_t)BLOCK)
		die("pwrite");
	span_begin(&s);
	must(fsync(fd), "fsync");
	span_end(&s);
	waits_add(&truth, &s);
}

static void say_file(int fd)
{
	struct stat st;

	must(fstat(fd, &st), "fstat");
	say_u64("pid", (uint64_t)getpid());
	say_u64("inode", st.st_ino);
	say("path", "%s", path);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "direct";
	long blocks = arg_long(argc, argv, 3, 32);
	bool direct = !strcmp(how, "direct"), sync = !strcmp(how, "fsync");
	int fd;

	path = argc > 2 ? argv[2] : "disk.data";
	buffer = aligned_alloc(4096, BLOCK);
	make_file(blocks);
	fd = open(path, (sync ? O_RDWR : O_RDONLY) | (direct ? O_DIRECT : 0) | O_CLOEXEC);
	if (fd < 0)
		skip(path);
	if (!direct && !sync) {
		map = mmap(NULL, (size_t)blocks * BLOCK, PROT_READ, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED)
			die("mmap");
		must(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), "fadvise"); /* no readahead */
		must(madvise(map, (size_t)blocks * BLOCK, MADV_RANDOM), "madvise");
	}
	say_file(fd);
	for (long i = 0; i < blocks; i++) {
		if (map)
			drop(fd, i);
		if (sync)
			sync_block(fd, i);
		else if (!strcmp(how, "mapped"))
			touch_block(i);
		else
			read_block(fd, i);
	}
	waits_print(&truth, "");
	if (made)
		unlink(path);
	return 0;
}
