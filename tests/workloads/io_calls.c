/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io_calls none|calls|uring|aio DIR: I/O system calls of every kind on every kind of file, in
 * exactly known numbers, with errors. `none` does the rest of the program only: what that
 * needs by itself (the loader, the output) is the difference between dwell's two reports.
 *
 * Prints read.KIND=calls, read_bytes.KIND=, write.KIND=, write_bytes.KIND=, open.KIND=,
 * seek.KIND=, sync.KIND=, errors.KIND=, call.OP= and error.OP=, in one write of OUTPUT bytes to whatever stdout is.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "truth.h"

#define OUTPUT 4096

enum kind { REGULAR, DIRECTORY, SOCKET, PIPE, TTY, DEVICE, OTHER, KINDS };
enum op { READ, WRITE, OPEN, CLOSE, SEEK, FSYNC, FDATASYNC, SYNC, OPS };

static const char *const kinds[] = { "regular", "directory", "socket", "pipe",
				     "tty",     "device",    "other" };
static const char *const ops[] = { "read", "write", "open",      "close",
				   "seek", "fsync", "fdatasync", "sync" };

static struct {
	long calls, bytes;
} moved[2][KINDS];
static long opens[KINDS], seeks[KINDS], synced[KINDS], failed[KINDS], calls[OPS], errors[OPS];
static char data[65536];

/* A call that moved `ret` bytes. */
static long move(enum op dir, enum kind kind, long ret)
{
	moved[dir][kind].calls++;
	failed[kind] += ret < 0;
	if (ret < 0)
		errors[dir]++;
	else
		moved[dir][kind].bytes += ret;
	return ret;
}

static long done(enum op op, long ret)
{
	calls[op]++;
	if (ret < 0)
		errors[op]++;
	return ret;
}

/* A seek or a sync of a descriptor. */
static long on(enum op op, enum kind kind, long ret)
{
	failed[kind] += ret < 0;
	if (op == SEEK)
		seeks[kind]++;
	else
		synced[kind]++;
	return done(op, ret);
}

static int opened(enum kind kind, int fd)
{
	if (done(OPEN, fd) < 0)
		die("open");
	opens[kind]++;
	return fd;
}

static void reads(int fd)
{
	struct iovec iov[2] = { { data, 100 }, { data + 100, 200 } };

	on(SEEK, REGULAR, lseek(fd, 0, SEEK_SET));
	for (int i = 0; i < 10; i++)
		move(READ, REGULAR, read(fd, data, 1000));
	for (int i = 0; i < 5; i++)
		move(READ, REGULAR, pread(fd, data, 512, i * 512));
	move(READ, REGULAR, readv(fd, iov, 2));
	move(READ, REGULAR, preadv(fd, iov, 2, 64));
	move(READ, REGULAR, preadv2(fd, iov, 2, 64, 0));
	on(SEEK, REGULAR, lseek(fd, 0, SEEK_SET));
	move(READ, REGULAR, preadv2(fd, iov, 2, -1, 0));
	move(READ, REGULAR, pread(fd, data, 512, 1 << 20));    /* beyond the end */
	move(READ, REGULAR, syscall(SYS_read, fd, 1L, 512L));  /* EFAULT */
	move(READ, OTHER, syscall(SYS_read, -1L, data, 512L)); /* EBADF */
}

static void writes(int fd)
{
	struct iovec iov[2] = { { data, 100 }, { data + 100, 200 } };

	for (int i = 0; i < 10; i++)
		move(WRITE, REGULAR, write(fd, data, 1000));
	for (int i = 0; i < 5; i++)
		move(WRITE, REGULAR, pwrite(fd, data, 512, i * 512));
	move(WRITE, REGULAR, writev(fd, iov, 2));
	move(WRITE, REGULAR, pwritev(fd, iov, 2, 64));
	move(WRITE, REGULAR, pwritev2(fd, iov, 2, 64, 0));
	move(WRITE, OTHER, syscall(SYS_write, -1L, data, 512L));
}

static void syncs(int fd, int dir)
{
	char *map;

	for (int i = 0; i < 2; i++)
		on(FSYNC, REGULAR, fsync(fd));
	on(FSYNC, DIRECTORY, fsync(dir));
	on(FSYNC, OTHER, fsync(-1));
	for (int i = 0; i < 3; i++)
		on(FDATASYNC, REGULAR, fdatasync(fd));
	on(SYNC, REGULAR, sync_file_range(fd, 0, 4096, SYNC_FILE_RANGE_WRITE));
	on(SYNC, REGULAR, syncfs(fd));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap");
	map[0] = 1;
	done(SYNC, msync(map, 4096, MS_SYNC));
	done(SYNC, msync(map + 1, 4096, MS_SYNC)); /* EINVAL */
}

static void files(const char *dir)
{
	int at = opened(DIRECTORY, open(dir, O_RDONLY | O_DIRECTORY)), fd;

	fd = opened(REGULAR, openat(at, "file", O_RDWR | O_CREAT | O_TRUNC, 0600));
	writes(fd);
	reads(fd);
	syncs(fd, at);
	done(CLOSE, close(fd));
	fd = opened(REGULAR, (int)syscall(SYS_creat, "/proc/self/comm", 0600));
	done(CLOSE, close(fd));
	fd = opened(REGULAR, (int)syscall(SYS_open, "/proc/self/stat", O_RDONLY));
	move(READ, REGULAR, read(fd, data, 8)); /* no page cache behind it */
	done(CLOSE, close(fd));
	for (int i = 0; i < 6; i++)
		done(OPEN, open("/nonexistent/file", O_RDONLY));
	done(CLOSE, close(at));
	done(CLOSE, close(-1));
	on(SEEK, OTHER, lseek(-1, 0, SEEK_SET));
}

static void streams(void)
{
	int pair[2], pipe_fds[2], fd;
	uint64_t one = 1;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || pipe(pipe_fds))
		die("socketpair or pipe");
	for (int i = 0; i < 5; i++) {
		move(WRITE, SOCKET, write(pair[0], data, 64));
		move(READ, SOCKET, read(pair[1], data, 64));
		move(WRITE, PIPE, write(pipe_fds[1], data, 32));
		move(READ, PIPE, read(pipe_fds[0], data, 32));
	}
	fd = eventfd(0, 0);
	move(WRITE, OTHER, write(fd, &one, 8));
	move(READ, OTHER, read(fd, &one, 8));
	done(CLOSE, close(fd));
	done(CLOSE, close(pair[0]));
	done(CLOSE, close(pair[1]));
	done(CLOSE, close(pipe_fds[0]));
	done(CLOSE, close(pipe_fds[1]));
}

static void devices(void)
{
	int zero = opened(DEVICE, open("/dev/zero", O_RDONLY));
	int null = opened(DEVICE, open("/dev/null", O_WRONLY));
	int master = opened(TTY, open("/dev/ptmx", O_RDWR | O_NOCTTY)), slave;

	for (int i = 0; i < 3; i++) {
		move(READ, DEVICE, read(zero, data, 4096));
		move(WRITE, DEVICE, write(null, data, 2048));
	}
	if (unlockpt(master))
		die("unlockpt");
	slave = opened(TTY, open(ptsname(master), O_RDWR | O_NOCTTY));
	move(WRITE, TTY, write(slave, "terminal", 8));
	move(READ, TTY, read(master, data, 64));
	done(CLOSE, close(slave));
	done(CLOSE, close(master));
	done(CLOSE, close(zero));
	done(CLOSE, close(null));
}

/* Reads of the one and writes of the other. */
static void copies(const char *dir)
{
	char from[256], to[256];
	int in, out, pipe_a[2], pipe_b[2], pair[2];
	off_t at = 100;
	long n;

	snprintf(from, sizeof(from), "%s/file", dir);
	snprintf(to, sizeof(to), "%s/copy", dir);
	in = opened(REGULAR, open(from, O_RDONLY));
	out = opened(REGULAR, open(to, O_RDWR | O_CREAT | O_TRUNC, 0600));
	if (pipe(pipe_a) || pipe(pipe_b) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("pipe");
	n = move(READ, REGULAR, sendfile(pair[0], in, NULL, 3000));
	move(WRITE, SOCKET, n);
	n = move(READ, REGULAR, sendfile(out, in, &at, 2000));
	move(WRITE, REGULAR, n);
	n = move(READ, REGULAR, copy_file_range(in, NULL, out, NULL, 1500, 0));
	move(WRITE, REGULAR, n);
	n = move(READ, REGULAR, splice(in, NULL, pipe_a[1], NULL, 1000, 0));
	move(WRITE, PIPE, n);
	n = move(READ, PIPE, tee(pipe_a[0], pipe_b[1], 1000, 0));
	move(WRITE, PIPE, n);
	n = move(READ, PIPE, splice(pipe_a[0], NULL, out, NULL, 1000, 0));
	move(WRITE, REGULAR, n);
	done(CLOSE, (int)syscall(SYS_close_range, (unsigned)in, (unsigned)out, 0));
}

/* ---- io_uring ---- */

struct ring {
	int fd;
	unsigned *tail, *array, *cq_head;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static void *ring_map(int fd, size_t size, off_t at)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, at);

	if (p == MAP_FAILED)
		die("mmap of the ring");
	return p;
}

static void ring_open(struct ring *r)
{
	struct io_uring_params p = { 0 };
	char *sq, *cq;

	r->fd = (int)syscall(SYS_io_uring_setup, 4, &p);
	if (r->fd < 0)
		skip("io_uring_setup");
	sq = ring_map(r->fd, p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	cq = ring_map(r->fd, p.cq_off.cqes + p.cq_entries * sizeof(*r->cqes), IORING_OFF_CQ_RING);
	r->cq_head = (unsigned *)(void *)(cq + p.cq_off.head);
	r->cqes = (struct io_uring_cqe *)(void *)(cq + p.cq_off.cqes);
	r->sqes = ring_map(r->fd, p.sq_entries * sizeof(*r->sqes), IORING_OFF_SQES);
	r->tail = (unsigned *)(void *)(sq + p.sq_off.tail);
	r->array = (unsigned *)(void *)(sq + p.sq_off.array);
}

/* Its result: a call waits until there is one that nobody has taken. */
static long ring_do(struct ring *r, int opcode, int fd, unsigned len)
{
	unsigned tail = *r->tail, head = *r->cq_head;
	long ret;

	memset(r->sqes, 0, sizeof(*r->sqes));
	r->sqes[0].opcode = (__u8)opcode;
	r->sqes[0].fd = fd;
	r->sqes[0].addr = len ? (__u64)(uintptr_t)data : 0;
	r->sqes[0].len = len;
	r->array[tail & 3] = 0;
	__atomic_store_n(r->tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		die("io_uring_enter");
	ret = r->cqes[head & 7].res;
	__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
	return ret;
}

static void uring(const char *dir)
{
	char path[256];
	struct ring r;
	int fd;

	snprintf(path, sizeof(path), "%s/uring", dir);
	fd = opened(REGULAR, open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
	ring_open(&r);
	for (int i = 0; i < 3; i++)
		move(WRITE, REGULAR, ring_do(&r, IORING_OP_WRITE, fd, 4000));
	for (int i = 0; i < 2; i++)
		move(READ, REGULAR, ring_do(&r, IORING_OP_READ, fd, 1000));
	on(FSYNC, REGULAR, ring_do(&r, IORING_OP_FSYNC, fd, 0));
	move(READ, OTHER, ring_do(&r, IORING_OP_READ, -1, 1000));
	done(CLOSE, close(fd));
	done(CLOSE, close(r.fd));
}

/* ---- Linux AIO ---- */

static struct iocb control(int fd, int opcode, long bytes, long at)
{
	return (struct iocb){
		.aio_fildes = (__u32)fd,
		.aio_lio_opcode = (__u16)opcode,
		.aio_buf = bytes ? (__u64)(uintptr_t)data : 0, /* a sync takes none */
		.aio_nbytes = (__u64)bytes,
		.aio_offset = at,
	};
}

/* All at once, and taken by two calls; a read beyond the end moves nothing. */
static void aio(const char *dir)
{
	struct iocb what[6], *all[6];
	struct io_event events[6];
	aio_context_t context = 0;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/aio", dir);
	fd = opened(REGULAR, open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
	move(WRITE, REGULAR, write(fd, data, 8192));
	if (syscall(SYS_io_setup, 8, &context))
		skip("io_setup");
	what[0] = control(fd, IOCB_CMD_PWRITE, 4096, 8192);
	what[1] = control(fd, IOCB_CMD_PREAD, 1000, 0);
	what[2] = control(fd, IOCB_CMD_PREAD, 3000, 4096);
	what[3] = control(fd, IOCB_CMD_PREAD, 4096, 1 << 20);
	what[4] = control(fd, IOCB_CMD_FSYNC, 0, 0);
	what[5] = control(fd, IOCB_CMD_FDSYNC, 0, 0);
	for (int i = 0; i < 6; i++)
		all[i] = &what[i];
	if (syscall(SYS_io_submit, context, 6L, all) != 6 ||
	    syscall(SYS_io_getevents, context, 2L, 2L, events, NULL) != 2 ||
	    syscall(SYS_io_pgetevents, context, 4L, 4L, events + 2, NULL, NULL) != 4)
		die("io_submit or io_getevents");
	for (int i = 0; i < 6; i++) {
		const struct iocb *of = (void *)(uintptr_t)events[i].obj;

		if (of->aio_lio_opcode == IOCB_CMD_FSYNC)
			on(FSYNC, REGULAR, (long)events[i].res);
		else if (of->aio_lio_opcode == IOCB_CMD_FDSYNC)
			on(FDATASYNC, REGULAR, (long)events[i].res);
		else
			move(of->aio_lio_opcode == IOCB_CMD_PWRITE, REGULAR, (long)events[i].res);
	}
	done(CLOSE, close(fd));
}

/* ---- output ---- */

static size_t used;
static char out[OUTPUT];

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void put(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	used += (size_t)vsnprintf(out + used, sizeof(out) - used, format, args);
	va_end(args);
	if (used >= sizeof(out))
		abort();
}

static void tell(void)
{
	for (int k = 0; k < KINDS; k++) {
		for (int d = READ; d <= WRITE; d++)
			put("%s.%s=%ld\n%s_bytes.%s=%ld\n", ops[d], kinds[k], moved[d][k].calls,
			    ops[d], kinds[k], moved[d][k].bytes);
		put("open.%s=%ld\nseek.%s=%ld\n", kinds[k], opens[k], kinds[k], seeks[k]);
		put("sync.%s=%ld\nerrors.%s=%ld\n", kinds[k], synced[k], kinds[k], failed[k]);
	}
	for (int op = OPEN; op < OPS; op++)
		put("call.%s=%ld\n", ops[op], calls[op]);
	for (int op = READ; op < OPS; op++)
		put("error.%s=%ld\n", ops[op], errors[op]);
	if (write(1, out, sizeof(out)) != sizeof(out)) /* NULs to the end: always as long */
		die("write");
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: io_calls none|calls|uring|aio DIR\n");
		return 2;
	}
	if (!strcmp(argv[1], "calls")) {
		files(argv[2]);
		streams();
		devices();
		copies(argv[2]);
	} else if (!strcmp(argv[1], "uring")) {
		uring(argv[2]);
	} else if (!strcmp(argv[1], "aio")) {
		aio(argv[2]);
	}
	tell();
	return 0;
}
