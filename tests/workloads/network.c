// SPDX-License-Identifier: BSD-2-Clause
// A client and a server that know what they sent and received; says it as key=value lines.
//
//	network tcp 4|6|mapped CONNECTIONS BYTES   each connection sends BYTES and gets them back
//	network fork CONNECTIONS BYTES             the same, each served by a child of the acceptor
//	network udp 4|6|mapped|connected N BYTES   N datagrams out, each answered
//	network mmsg N BYTES                       N datagrams by one sendmmsg and one recvmmsg
//	network unix stream|dgram|seqpacket N BYTES
//	network file BYTES                         by sendfile, splice, writev; looked at by MSG_PEEK
//	network refused N                          N connects refused, N more of those not waited for
//	network unreachable N                      N connects without a route, in a network of its own
//	network reset N                            N connections that the client resets
//	network slow MS                            accepted MS after the connection was there
//	network full N                             N connects to a queue of one, nobody accepts
//	network reuse N                            N connections from one and the same port
//	network held N BYTES                       N connections open until stdin is closed
//
// The server is a child of its own; its PID and the client's are told.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "network.h"

/* Gives back what comes on each connection, until its end. */
static void echo(int fd, size_t bytes)
{
	size_t n = get(fd, bytes);

	put(fd, n);
	close(fd);
}

static void serve(int listener, long connections, size_t bytes, bool fork_each)
{
	for (long i = 0; i < connections; i++) {
		int fd = (int)must(accept(listener, NULL, NULL), "accept");
		pid_t child = fork_each ? fork() : 0;

		if (!child) {
			echo(fd, bytes);
			if (fork_each) {
				say_did("worker");
				_exit(0);
			}
			continue;
		}
		close(fd);
		end_child(child);
	}
	say_did("server");
	_exit(0);
}

static int tcp(const char *kind, long connections, size_t bytes, bool fork_each)
{
	int listener = listening(kind, 128), port = port_of(listener);
	pid_t server = fork(); /* the listener is inherited */

	if (!server)
		serve(listener, connections, bytes, fork_each);
	close(listener);
	for (long i = 0; i < connections; i++) {
		int fd = connected(kind, port);

		put(fd, bytes);
		if (get(fd, bytes) != bytes)
			die("echo");
		close(fd);
	}
	end_child(server);
	say_did("client");
	return 0;
}

static void answer(int fd, long n)
{
	union address from;

	for (long i = 0; i < n; i++) {
		socklen_t len = sizeof(from);
		long got =
			must(recvfrom(fd, buffer, sizeof(buffer), 0, &from.any, &len), "recvfrom");

		did.receives++;
		did.received += (uint64_t)got;
		must(sendto(fd, buffer, (size_t)got, 0, &from.any, len), "sendto");
		did.sends++;
		did.sent += (uint64_t)got;
	}
	say_did("server");
	_exit(0);
}

/* A port below those that the kernel hands out: one that was asked for is a service's. */
static int service(const char *kind)
{
	union address a;

	for (int port = 20000 + getpid() % 10000, tries = 0; tries < 100; port++, tries++) {
		socklen_t len = loopback(&a, kind, port);
		int fd = (int)must(socket(a.any.sa_family, SOCK_DGRAM, 0), "socket");

		if (!bind(fd, &a.any, len))
			return fd;
		close(fd);
	}
	die("no port is free");
}

static int udp(const char *kind, long n, size_t bytes)
{
	bool connects = *kind == 'c';
	int fd = service(kind), port = port_of(fd);
	union address a;
	socklen_t len = loopback(&a, kind, port);
	pid_t server = fork();

	if (!server)
		answer(fd, n);
	say_u64("port", (uint64_t)port);
	fd = (int)must(socket(a.any.sa_family, SOCK_DGRAM, 0), "socket");
	if (connects)
		must(connect(fd, &a.any, len), "connect");
	for (long i = 0; i < n; i++) {
		union address from;
		socklen_t flen = sizeof(from);

		if (connects) {
			must(write(fd, buffer, bytes), "write");
			must(read(fd, buffer, sizeof(buffer)), "read");
		} else {
			must(sendto(fd, buffer, bytes, 0, &a.any, len), "sendto");
			must(recvfrom(fd, buffer, sizeof(buffer), 0, &from.any, &flen), "recvfrom");
		}
		did.sends++, did.receives++;
		did.sent += bytes;
		did.received += bytes;
	}
	end_child(server);
	say_did("client");
	return 0;
}

static int mmsg(long n, size_t bytes)
{
	int in = service("4"), port = port_of(in), out = socket(AF_INET, SOCK_DGRAM, 0);
	struct mmsghdr *m = calloc((size_t)n, sizeof(*m));
	struct iovec *v = calloc((size_t)n, sizeof(*v));
	union address a;
	socklen_t len = loopback(&a, "4", port);

	for (long i = 0; i < n; i++) {
		v[i] = (struct iovec){ buffer, bytes + (size_t)i };
		m[i].msg_hdr = (struct msghdr){
			.msg_name = &a, .msg_namelen = len, .msg_iov = &v[i], .msg_iovlen = 1
		};
		did.sent += bytes + (size_t)i;
	}
	if (must(sendmmsg(out, m, (unsigned)n, 0), "sendmmsg") != n)
		die("sendmmsg sent less");
	for (long i = 0; i < n; i++) {
		v[i].iov_len = 65536;
		m[i].msg_hdr.msg_name = NULL;
		m[i].msg_hdr.msg_namelen = 0;
	}
	for (long got = 0; got < n;) {
		long some = must(recvmmsg(in, m, (unsigned)(n - got), MSG_WAITFORONE, NULL),
				 "recvmmsg");

		did.receives++;
		for (long i = 0; i < some; i++)
			did.received += m[i].msg_len;
		got += some;
	}
	did.sends = 1;
	say_did("client");
	return 0;
}

static int unix_pair(const char *kind, long n, size_t bytes)
{
	int type = *kind == 's' ? (kind[1] == 't' ? SOCK_STREAM : SOCK_SEQPACKET) : SOCK_DGRAM,
	    fd[2];
	pid_t server;

	must(socketpair(AF_UNIX, type, 0, fd), "socketpair");
	server = fork();
	if (!server) {
		for (long i = 0; i < n; i++)
			get(fd[1], bytes);
		say_did("server");
		_exit(0);
	}
	for (long i = 0; i < n; i++)
		put(fd[0], bytes);
	end_child(server);
	say_did("client");
	return 0;
}

static void send_file(int to, size_t bytes)
{
	int file = (int)must(memfd_create("network", 0), "memfd_create"), p[2];
	struct iovec v[2] = { { buffer, 100 }, { buffer, 23 } };
	off_t at = 0;

	must(ftruncate(file, (off_t)bytes), "ftruncate");
	while ((size_t)at < bytes) {
		did.sent += (uint64_t)must(sendfile(to, file, &at, bytes - (size_t)at), "sendfile");
		did.sends++;
	}
	must(pipe(p), "pipe");
	must(write(p[1], buffer, 4000), "write");
	if (must(splice(p[0], NULL, to, NULL, 4000, 0), "splice") != 4000)
		die("splice");
	must(writev(to, v, 2), "writev");
	did.sends += 2;
	did.sent += 4123;
}

static void receive_file(int from, size_t bytes)
{
	int p[2];

	must(recv(from, buffer, 10, MSG_PEEK), "MSG_PEEK");
	must(pipe(p), "pipe");
	/* by splice as far as a pipe takes it at once */
	did.received = (uint64_t)must(splice(from, NULL, p[1], NULL, 3000, 0), "splice");
	did.receives = 1;
	get(from, bytes - did.received);
	if (did.received != bytes)
		die("bytes are missing");
}

static int file(size_t bytes)
{
	int listener = listening("4", 1), port = port_of(listener), fd;
	pid_t server = fork();

	if (!server) {
		fd = (int)must(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept4");
		receive_file(fd, bytes + 4123);
		say_did("server");
		_exit(0);
	}
	fd = connected("4", port);
	send_file(fd, bytes);
	shutdown(fd, SHUT_WR);
	end_child(server);
	say_did("client");
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *kind = argc > 2 ? argv[2] : "";
	bool has_kind = !strcmp(what, "tcp") || !strcmp(what, "udp") || !strcmp(what, "unix");
	long n = arg_long(argc, argv, 2 + has_kind, 1);
	size_t bytes = (size_t)arg_long(argc, argv, 3 + has_kind, 1000);

	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(what, "tcp"))
		return tcp(kind, n, bytes, false);
	if (!strcmp(what, "fork"))
		return tcp("4", n, bytes, true);
	if (!strcmp(what, "udp"))
		return udp(kind, n, bytes);
	if (!strcmp(what, "unix"))
		return unix_pair(kind, n, bytes);
	if (!strcmp(what, "mmsg"))
		return mmsg(n, bytes);
	if (!strcmp(what, "file"))
		return file((size_t)n);
	if (!strcmp(what, "refused"))
		return refused(n);
	if (!strcmp(what, "unreachable"))
		return unreachable(n);
	if (!strcmp(what, "reset"))
		return reset(n);
	if (!strcmp(what, "slow"))
		return slow(n);
	if (!strcmp(what, "full"))
		return full(n);
	if (!strcmp(what, "reuse"))
		return reuse(n);
	if (!strcmp(what, "held"))
		return held(n, bytes);
	errno = EINVAL;
	die("usage: network WHAT [ARG...]");
}
