// SPDX-License-Identifier: BSD-2-Clause
// waits on descriptors: pipes, sockets, readiness, a terminal; see waits.h. Each setup says
// the object as dwell should name it: a pipe's inode, a socket's addresses, a path.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "truth.h"
#include "waits.h"

static int epoll_fd = -1;

static void say_inode(int fd)
{
	struct stat st;

	must(fstat(fd, &st), "fstat");
	say_u64("inode", st.st_ino);
}

static void setup_pipe(void)
{
	int fd[2];

	must(pipe(fd), "pipe");
	here = fd[0];
	there = fd[1];
	say_inode(here);
}

/* The pipe is full: the waiter writes, the helper drains. */
static void setup_full_pipe(void)
{
	char page[4096] = { 0 };
	int fd[2];

	must(pipe(fd), "pipe");
	here = fd[1];
	there = fd[0];
	must(fcntl(here, F_SETPIPE_SZ, 4096), "F_SETPIPE_SZ");
	if (write(here, page, sizeof(page)) != sizeof(page))
		die("fill pipe");
	say_inode(here);
}

static void wait_read(uint64_t ns)
{
	char c;

	(void)ns;
	if (read(here, &c, 1) != 1)
		die("read");
}

static void wake_write(void)
{
	if (write(there, "x", 1) != 1)
		die("write");
}

static void wait_write_page(uint64_t ns)
{
	char page[4096] = { 0 };

	(void)ns;
	if (write(here, page, sizeof(page)) != sizeof(page))
		die("write");
}

static void wake_read_page(void)
{
	char page[4096];

	if (read(there, page, sizeof(page)) != sizeof(page))
		die("read");
}

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static uint16_t port_of(int fd, bool peer)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	if (peer)
		must(getpeername(fd, (struct sockaddr *)&a, &len), "getpeername");
	else
		must(getsockname(fd, (struct sockaddr *)&a, &len), "getsockname");
	return ntohs(a.sin_port);
}

static int listener(void)
{
	struct sockaddr_in a = loopback();
	int fd = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket");

	must(bind(fd, (struct sockaddr *)&a, sizeof(a)), "bind");
	must(listen(fd, 8), "listen");
	return fd;
}

static void setup_tcp(void)
{
	struct sockaddr_in a = loopback();
	int fd = listener();

	a.sin_port = htons(port_of(fd, false));
	here = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	must(connect(here, (struct sockaddr *)&a, sizeof(a)), "connect");
	there = (int)must(accept(fd, NULL, NULL), "accept");
	close(fd);
	say_u64("port", port_of(here, false));
	say_u64("peer_port", port_of(here, true));
}

static void setup_accept(void)
{
	here = listener();
	say_u64("port", port_of(here, false));
}

static void wait_accept(uint64_t ns)
{
	int fd;

	(void)ns;
	fd = (int)must(accept(here, NULL, NULL), "accept");
	close(fd);
}

static void wake_connect(void)
{
	struct sockaddr_in a = loopback();
	int fd = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket");

	a.sin_port = htons(port_of(here, false));
	must(connect(fd, (struct sockaddr *)&a, sizeof(a)), "connect");
	close(fd);
}

static void setup_udp(void)
{
	struct sockaddr_in a = loopback(), b = loopback();

	here = (int)must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	there = (int)must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	must(bind(here, (struct sockaddr *)&a, sizeof(a)), "bind");
	must(bind(there, (struct sockaddr *)&b, sizeof(b)), "bind");
	a.sin_port = htons(port_of(here, false));
	must(connect(there, (struct sockaddr *)&a, sizeof(a)), "connect");
	say_u64("port", port_of(here, false));
}

/* The waiter's end is the accepted one: its address is the path. */
static void setup_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = (int)must(socket(AF_UNIX, SOCK_STREAM, 0), "socket");

	snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/dwell-waits-%d.sock", getpid());
	must(bind(fd, (struct sockaddr *)&a, sizeof(a)), "bind");
	must(listen(fd, 1), "listen");
	there = (int)must(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	must(connect(there, (struct sockaddr *)&a, sizeof(a)), "connect");
	here = (int)must(accept(fd, NULL, NULL), "accept");
	close(fd);
	unlink(a.sun_path);
	say("path", "%s", a.sun_path);
}

static void setup_pair(void)
{
	int fd[2];

	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), "socketpair");
	here = fd[0];
	there = fd[1];
}

static void wait_recv(uint64_t ns)
{
	char c;

	(void)ns;
	if (recv(here, &c, 1, 0) != 1)
		die("recv");
}

static void wait_recvmsg(uint64_t ns)
{
	char c;
	struct iovec io = { &c, 1 };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1 };

	(void)ns;
	if (recvmsg(here, &msg, 0) != 1)
		die("recvmsg");
}

static void setup_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLIN };

	setup_pipe();
	epoll_fd = (int)must(epoll_create1(0), "epoll_create1");
	must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, here, &ev), "epoll_ctl");
}

/* After each wait the byte is taken out; it is there, so that read does not block. */
static void wait_epoll(uint64_t ns)
{
	struct epoll_event ev;

	must(epoll_wait(epoll_fd, &ev, 1, -1), "epoll_wait");
	wait_read(ns);
}

static void wait_poll(uint64_t ns)
{
	struct pollfd p = { .fd = here, .events = POLLIN };

	must(syscall(SYS_poll, &p, 1, -1), "poll");
	wait_read(ns);
}

static void wait_ppoll(uint64_t ns)
{
	struct pollfd p = { .fd = here, .events = POLLIN };

	must(ppoll(&p, 1, NULL, NULL), "ppoll");
	wait_read(ns);
}

static void wait_select(uint64_t ns)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(here, &set);
	must(syscall(SYS_select, here + 1, &set, NULL, NULL, NULL), "select");
	wait_read(ns);
}

static void wait_pselect(uint64_t ns)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(here, &set);
	must(pselect(here + 1, &set, NULL, NULL, NULL, NULL), "pselect");
	wait_read(ns);
}

/* A timeout, nothing ever ready: the clock ends it, poll is still what it waits in. */
static void wait_poll_timeout(uint64_t ns)
{
	must(syscall(SYS_poll, NULL, 0, (int)(ns / 1000000)), "poll");
}

static void setup_tty(void)
{
	struct termios raw;

	there = (int)must(posix_openpt(O_RDWR | O_NOCTTY), "posix_openpt");
	must(grantpt(there), "grantpt");
	must(unlockpt(there), "unlockpt");
	say("path", "%s", ptsname(there));
	here = (int)must(open(ptsname(there), O_RDWR | O_NOCTTY), "open pty");
	must(tcgetattr(here, &raw), "tcgetattr");
	cfmakeraw(&raw);
	must(tcsetattr(here, TCSANOW, &raw), "tcsetattr");
}

const struct wait_kind wait_kinds_fd[] = {
	{ .name = "pipe_read", .setup = setup_pipe, .wait = wait_read, .wake = wake_write },
	{ .name = "pipe_write",
	  .setup = setup_full_pipe,
	  .wait = wait_write_page,
	  .wake = wake_read_page },
	{ .name = "tcp_recv", .setup = setup_tcp, .wait = wait_recv, .wake = wake_write },
	{ .name = "tcp_read", .setup = setup_tcp, .wait = wait_read, .wake = wake_write },
	{ .name = "tcp_accept", .setup = setup_accept, .wait = wait_accept, .wake = wake_connect },
	{ .name = "udp_recvmsg", .setup = setup_udp, .wait = wait_recvmsg, .wake = wake_write },
	{ .name = "unix_recv", .setup = setup_unix, .wait = wait_recv, .wake = wake_write },
	{ .name = "unix_pair", .setup = setup_pair, .wait = wait_recv, .wake = wake_write },
	{ .name = "epoll", .setup = setup_epoll, .wait = wait_epoll, .wake = wake_write },
	{ .name = "poll", .setup = setup_pipe, .wait = wait_poll, .wake = wake_write },
	{ .name = "ppoll", .setup = setup_pipe, .wait = wait_ppoll, .wake = wake_write },
	{ .name = "select", .setup = setup_pipe, .wait = wait_select, .wake = wake_write },
	{ .name = "pselect", .setup = setup_pipe, .wait = wait_pselect, .wake = wake_write },
	{ .name = "poll_timeout", .wait = wait_poll_timeout },
	{ .name = "tty", .setup = setup_tty, .wait = wait_read, .wake = wake_write },
	{}
};
