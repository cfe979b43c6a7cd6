// SPDX-License-Identifier: BSD-2-Clause
// A client and a server that only use io_uring for their connections; says what they did.
//
//	network_uring once N BYTES     each operation completes once; every second one in a worker
//	network_uring multi N BYTES    one multishot accept and one multishot receive a connection
//	network_uring zero N BYTES     sent by SEND_ZC
//	network_uring refused N        N connects refused
//
// N messages of BYTES each on each of two connections.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

#define ENTRIES 32
#define CONNECTIONS 2
#define BUFFERS 16
#define BUFFER_LEN 4096
#define GROUP 1

static struct ring {
	int fd;
	struct io_uring_sqe *sqes;
	unsigned *array, *tail, mask;
	unsigned *head, *ctail, cmask;
	struct io_uring_cqe *cqes;
} ring;

static char buffers[BUFFERS][BUFFER_LEN];
static struct {
	uint64_t sends, sent, receives, received;
} did;

static void ring_open(void)
{
	struct io_uring_params p = { 0 };
	char *sq, *cq;

	ring.fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
	if (ring.fd < 0)
		skip("io_uring_setup");
	sq = mmap(NULL, p.sq_off.array + ENTRIES * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd,
		  IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*ring.cqes), PROT_READ | PROT_WRITE,
		  MAP_SHARED, ring.fd, IORING_OFF_CQ_RING);
	ring.sqes = mmap(NULL, ENTRIES * sizeof(*ring.sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
			 ring.fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || (void *)ring.sqes == MAP_FAILED)
		die("mmap");
	ring.array = (unsigned *)(void *)(sq + p.sq_off.array);
	ring.tail = (unsigned *)(void *)(sq + p.sq_off.tail);
	ring.mask = ENTRIES - 1;
	ring.head = (unsigned *)(void *)(cq + p.cq_off.head);
	ring.ctail = (unsigned *)(void *)(cq + p.cq_off.tail);
	ring.cmask = p.cq_entries - 1;
	ring.cqes = (struct io_uring_cqe *)(void *)(cq + p.cq_off.cqes);
}

static void submit(const struct io_uring_sqe *sqe)
{
	unsigned at = *ring.tail & ring.mask;

	ring.sqes[at] = *sqe;
	ring.array[at] = at;
	__atomic_store_n(ring.tail, *ring.tail + 1, __ATOMIC_RELEASE);
	must(syscall(SYS_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0), "io_uring_enter");
}

/* The next completion of whatever operation. */
static struct io_uring_cqe any(void)
{
	struct io_uring_cqe cqe;

	while (*ring.head == __atomic_load_n(ring.ctail, __ATOMIC_ACQUIRE))
		must(syscall(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0),
		     "io_uring_enter");
	cqe = ring.cqes[*ring.head & ring.cmask];
	__atomic_store_n(ring.head, *ring.head + 1, __ATOMIC_RELEASE);
	return cqe;
}

/* Connections that a multishot accept has given, while something else was waited for. */
static int early[CONNECTIONS], nearly;

static struct io_uring_cqe next(int code)
{
	struct io_uring_cqe cqe = { 0 };

	if (code == IORING_OP_ACCEPT && nearly) {
		cqe.res = early[--nearly];
		return cqe;
	}
	for (;;) {
		cqe = any();
		if (cqe.user_data >> 8 == (unsigned)code)
			return cqe;
		if (cqe.user_data >> 8 != IORING_OP_ACCEPT || nearly == CONNECTIONS)
			die("a completion of something else");
		early[nearly++] = cqe.res;
	}
}

static int result(const struct io_uring_sqe *sqe)
{
	submit(sqe);
	return next(sqe->opcode).res;
}

static struct io_uring_sqe op(int code, int fd, void *addr, size_t len)
{
	return (struct io_uring_sqe){ .opcode = (__u8)code,
				      .fd = fd,
				      .addr = (__u64)(uintptr_t)addr,
				      .len = (__u32)len,
				      .user_data = (__u64)code << 8 | (__u64)fd };
}

static void give_buffers(unsigned first, unsigned n) /* for the multishot receive */
{
	struct io_uring_sqe sqe = op(IORING_OP_PROVIDE_BUFFERS, (int)n, buffers[first], BUFFER_LEN);

	sqe.off = first;
	sqe.buf_group = GROUP;
	if (result(&sqe) < 0)
		die("PROVIDE_BUFFERS");
}

static void receive_once(int fd, size_t bytes)
{
	for (uint64_t got = 0, i = 0; got < bytes; i++) {
		struct io_uring_sqe sqe = op(IORING_OP_RECV, fd, buffers[0], BUFFER_LEN);
		int n;

		sqe.flags = i & 1 ? IOSQE_ASYNC : 0;
		n = result(&sqe);
		if (n <= 0)
			die("RECV");
		got += (uint64_t)n;
		did.receives++;
		did.received += (uint64_t)n;
	}
}

/* One request, until the end of the stream, for which the kernel completes it a last time. */
static void receive_multi(int fd)
{
	struct io_uring_sqe sqe = op(IORING_OP_RECV, fd, NULL, 0);
	struct io_uring_cqe cqe;

	sqe.flags = IOSQE_BUFFER_SELECT;
	sqe.buf_group = GROUP;
	sqe.ioprio = IORING_RECV_MULTISHOT;
	submit(&sqe);
	do {
		cqe = next(IORING_OP_RECV);
		if (cqe.res < 0 && cqe.res != -ENOBUFS) {
			errno = -cqe.res;
			skip("a multishot receive");
		}
		if (cqe.res >= 0) {
			did.receives++;
			did.received += (uint64_t)cqe.res;
		}
		if (cqe.res > 0 && !(cqe.flags & IORING_CQE_F_MORE))
			die("the multishot receive ended early");
		if (cqe.res == -ENOBUFS)
			die("no buffers left");
	} while (cqe.flags & IORING_CQE_F_MORE);
}

static void serve(int listener, size_t bytes, bool multi)
{
	struct io_uring_sqe sqe = op(IORING_OP_ACCEPT, listener, NULL, 0);
	int fds[CONNECTIONS];

	ring_open();
	if (multi) {
		sqe.ioprio = IORING_ACCEPT_MULTISHOT;
		give_buffers(0, BUFFERS);
		submit(&sqe);
	}
	for (int i = 0; i < CONNECTIONS; i++) {
		fds[i] = multi ? next(IORING_OP_ACCEPT).res : result(&sqe);
		if (fds[i] < 0)
			die("ACCEPT");
		if (multi)
			receive_multi(fds[i]);
		else
			receive_once(fds[i], bytes);
	}
}

static void send_one(int fd, int code, size_t bytes, bool async)
{
	struct io_uring_sqe sqe = op(code, fd, buffers[0], bytes);
	int n;

	sqe.flags = async ? IOSQE_ASYNC : 0;
	n = result(&sqe);
	if (code == IORING_OP_SEND_ZC && n == -EINVAL) {
		errno = EINVAL;
		skip("SEND_ZC");
	}
	if (n != (int)bytes)
		die("SEND");
	if (code == IORING_OP_SEND_ZC)
		next(code); /* the buffer is free again */
	did.sends++;
	did.sent += bytes;
}

static int connect_to(const struct sockaddr_in *a, int fd)
{
	struct io_uring_sqe sqe = op(IORING_OP_CONNECT, fd, (void *)(uintptr_t)a, 0);

	sqe.off = sizeof(*a);
	return result(&sqe);
}

static void say_did(const char *who)
{
	say_of(who, getpid(), "sends", did.sends);
	say_of(who, getpid(), "sent", did.sent);
	say_of(who, getpid(), "receives", did.receives);
	say_of(who, getpid(), "received", did.received);
	say(who, "%d", getpid());
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	long n = arg_long(argc, argv, 2, 4);
	size_t bytes = (size_t)arg_long(argc, argv, 3, 100);
	int code = strcmp(what, "zero") ? IORING_OP_SEND : IORING_OP_SEND_ZC;
	int listener = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket"), status;
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	pid_t server;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(listener, (struct sockaddr *)&a, len), "bind");
	must(getsockname(listener, (struct sockaddr *)&a, &len), "getsockname");
	ring_open();
	for (long i = 0; i < n && !strcmp(what, "refused"); i++)
		if (connect_to(&a, (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket")) !=
		    -ECONNREFUSED)
			die("nobody refused");
	if (!strcmp(what, "refused"))
		return 0;
	must(listen(listener, 8), "listen");
	server = fork();
	if (!server) {
		serve(listener, (size_t)n * bytes, !strcmp(what, "multi"));
		say_did("server");
		_exit(0);
	}
	for (int i = 0; i < CONNECTIONS; i++) {
		int fd = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket");

		if (connect_to(&a, fd))
			die("CONNECT");
		for (long j = 0; j < n; j++) {
			send_one(fd, code, bytes, j & 1);
			sleep_ns(3000000);
		}
		close(fd);
	}
	must(waitpid(server, &status, 0), "waitpid");
	if (status)
		return WEXITSTATUS(status);
	say_did("client");
	return 0;
}
