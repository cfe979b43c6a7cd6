// SPDX-License-Identifier: BSD-2-Clause
// The workload `network`: sockets, and counting what is sent and received.
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "network.h"

char buffer[1 << 20];
struct did did;

socklen_t loopback(union address *a, const char *kind, int port)
{
	memset(a, 0, sizeof(*a));
	if (*kind == '4' || *kind == 'c') {
		a->v4.sin_family = AF_INET;
		a->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		a->v4.sin_port = htons((uint16_t)port);
		return sizeof(a->v4);
	}
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons((uint16_t)port);
	must(inet_pton(AF_INET6, *kind == '6' ? "::1" : "::ffff:127.0.0.1", &a->v6.sin6_addr) - 1,
	     "inet_pton");
	return sizeof(a->v6);
}

int bound(const char *kind, int type, int port)
{
	union address a;
	socklen_t len = loopback(&a, kind, port);
	int fd = (int)must(socket(a.any.sa_family, type, 0), "socket"), yes = 1;

	must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), "SO_REUSEADDR");
	must(bind(fd, &a.any, len), "bind");
	return fd;
}

int port_of(int fd)
{
	union address a;
	socklen_t len = sizeof(a);

	must(getsockname(fd, &a.any, &len), "getsockname");
	return ntohs(a.v4.sin_port); /* at the same place in v6 */
}

int listening(const char *kind, int backlog)
{
	int fd = bound(kind, SOCK_STREAM, 0);

	must(listen(fd, backlog), "listen");
	say_u64("port", (uint64_t)port_of(fd));
	return fd;
}

int connected(const char *kind, int port)
{
	union address a;
	socklen_t len = loopback(&a, kind, port);
	int fd = (int)must(socket(a.any.sa_family, SOCK_STREAM, 0), "socket");

	must(connect(fd, &a.any, len), "connect");
	return fd;
}

void put(int fd, size_t bytes)
{
	while (bytes) {
		long n = must(send(fd, buffer, bytes < NETWORK_CHUNK ? bytes : NETWORK_CHUNK, 0),
			      "send");

		did.sends++;
		did.sent += (uint64_t)n;
		bytes -= (size_t)n;
	}
}

size_t get(int fd, size_t bytes)
{
	size_t all = 0;

	while (all < bytes) {
		long n = must(
			read(fd, buffer, bytes - all < NETWORK_CHUNK ? bytes - all : NETWORK_CHUNK),
			"read");

		did.receives++;
		if (!n)
			break;
		did.received += (uint64_t)n;
		all += (size_t)n;
	}
	return all;
}

void say_did(const char *who)
{
	say_of(who, getpid(), "sends", did.sends);
	say_of(who, getpid(), "sent", did.sent);
	say_of(who, getpid(), "receives", did.receives);
	say_of(who, getpid(), "received", did.received);
	say(who[0] == 'c' ? "client" : "server", "%d", getpid());
}

void end_child(pid_t child)
{
	int status;

	must(waitpid(child, &status, 0), "waitpid");
	if (status)
		exit(1);
}
