// SPDX-License-Identifier: BSD-2-Clause
// The workload `network`: connections that fail, end hard, wait or stay; see network.c.
#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "network.h"

int refused(long n)
{
	int taken = bound("4", SOCK_STREAM, 0); /* bound, not listening */
	union address a;
	socklen_t len = loopback(&a, "4", port_of(taken));

	for (long i = 0; i < 2 * n; i++) {
		int type = SOCK_STREAM | (i < n ? 0 : SOCK_NONBLOCK);
		int fd = (int)must(socket(AF_INET, type, 0), "socket"), err = 0;
		socklen_t size = sizeof(err);

		if (!connect(fd, &a.any, len))
			die("nobody refused");
		if (i >= n)
			must(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size), "SO_ERROR");
		close(fd);
	}
	say_u64("refused", 2 * (uint64_t)n);
	return 0;
}

int unreachable(long n)
{
	union address a;
	socklen_t len = loopback(&a, "4", 9);

	if (unshare(CLONE_NEWNET)) /* there not even loopback is up */
		skip("a network namespace");
	for (long i = 0; i < n; i++) {
		int fd = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket");

		if (!connect(fd, &a.any, len))
			die("there is a route");
		say_u64("errno", (uint64_t)errno);
		close(fd);
	}
	return 0;
}

int reset(long n)
{
	int listener = listening("4", 128), port = port_of(listener);
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	pid_t server = fork();

	for (long i = 0; i < n && !server; i++) {
		int fd = (int)must(accept(listener, NULL, NULL), "accept");

		if (read(fd, buffer, 1) >= 0 || errno != ECONNRESET)
			die("no reset came");
		close(fd);
	}
	if (!server) {
		say_did("server");
		_exit(0);
	}
	for (long i = 0; i < n; i++) {
		int fd = connected("4", port);

		must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), "SO_LINGER");
		sleep_ns(i & 1 ? 2000000 : 0); /* accepted before or after it */
		close(fd);
	}
	end_child(server);
	say_did("client");
	return 0;
}

int slow(long ms)
{
	int listener = listening("4", 8), fd = connected("4", port_of(listener)), peer;
	uint64_t begin = now_ns();

	sleep_ns((uint64_t)ms * 1000000);
	peer = (int)must(accept(listener, NULL, NULL), "accept");
	say_u64("waited_ns", now_ns() - begin);
	close(fd);
	close(peer);
	return 0;
}

int full(long n)
{
	int listener = listening("4", 0), port = port_of(listener);
	union address a;
	socklen_t len = loopback(&a, "4", port);

	for (long i = 0; i < n; i++) {
		int fd = (int)must(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");

		if (connect(fd, &a.any, len) && errno != EINPROGRESS)
			die("connect");
	}
	sleep_ns(20000000);
	return 0; /* all are closed at the exit: those without an answer were abandoned */
}

int reuse(long n)
{
	int listener = listening("4", 8), port = port_of(listener), mine = 0, yes = 1;
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	for (long i = 0; i < n; i++) {
		union address a;
		int fd = bound("4", SOCK_STREAM, mine), peer;
		socklen_t len = loopback(&a, "4", port);

		must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), "SO_REUSEADDR");
		mine = port_of(fd);
		must(connect(fd, &a.any, len), "connect");
		peer = (int)must(accept(listener, NULL, NULL), "accept");
		put(fd, 100);
		get(peer, 100);
		/* no TIME_WAIT: the port is free at once */
		must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), "SO_LINGER");
		close(fd);
		close(peer);
	}
	say_did("client");
	return 0;
}

int held(long n, size_t bytes)
{
	int listener = listening("4", (int)n), port = port_of(listener);

	for (long i = 0; i < n; i++) {
		int fd = connected("4", port);
		int peer = (int)must(accept(listener, NULL, NULL), "accept");

		put(fd, bytes + (size_t)i);
		get(peer, bytes + (size_t)i);
		say("connection", "%d", port_of(fd));
	}
	say_did("client");
	must(read(0, buffer, 1), "stdin");
	return 0;
}
