// SPDX-License-Identifier: BSD-2-Clause
/*
 * probes: one of the things that the probes look at, in a loop, and the nanoseconds of one.
 *
 *	probes fault|pread|unix|udp|tcp|futex|open|malloc|mutex COUNT
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

static int fds[2], listener;
static struct sockaddr_in address;
static char buffer[4096];

static void need(int ok, const char *what)
{
	if (!ok)
		err(1, "%s", what);
}

/* ---- what is done once ---- */

static void open_file(void)
{
	char path[] = "/tmp/dwell-bench-XXXXXX";

	fds[0] = mkstemp(path);
	need(fds[0] >= 0 && pwrite(fds[0], buffer, sizeof(buffer), 0) == sizeof(buffer), path);
	unlink(path);
}

static void open_pair(void)
{
	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
}

static void bind_loopback(int type)
{
	socklen_t size = sizeof(address);

	listener = socket(AF_INET, type, 0);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	need(!bind(listener, (struct sockaddr *)&address, size), "bind");
	need(!getsockname(listener, (struct sockaddr *)&address, &size), "getsockname");
}

static void open_udp(void)
{
	bind_loopback(SOCK_DGRAM);
	fds[0] = socket(AF_INET, SOCK_DGRAM, 0);
}

static void open_tcp(void)
{
	bind_loopback(SOCK_STREAM);
	need(!listen(listener, 8), "listen");
}

static void open_nothing(void)
{
}

/* ---- what is measured ---- */

static void fault(long n)
{
	char *pages = mmap(NULL, (size_t)n * 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(pages != MAP_FAILED, "mmap");
	madvise(pages, (size_t)n * 4096, MADV_NOHUGEPAGE);
	for (long i = 0; i < n; i++)
		pages[i * 4096] = 1;
	munmap(pages, (size_t)n * 4096);
}

static void read_file(long n)
{
	for (long i = 0; i < n; i++)
		need(pread(fds[0], buffer, sizeof(buffer), 0) == sizeof(buffer), "pread");
}

static void send_unix(long n)
{
	for (long i = 0; i < n; i++)
		need(send(fds[0], buffer, 64, 0) == 64 && recv(fds[1], buffer, 64, 0) == 64,
		     "send");
}

static void send_udp(long n)
{
	for (long i = 0; i < n; i++)
		need(sendto(fds[0], buffer, 64, 0, (struct sockaddr *)&address, sizeof(address)) ==
				     64 &&
			     recv(listener, buffer, sizeof(buffer), 0) == 64,
		     "sendto");
}

static void connect_tcp(long n)
{
	for (long i = 0; i < n; i++) {
		int client = socket(AF_INET, SOCK_STREAM, 0), server;
		struct linger now = { 1, 0 }; /* no TIME_WAIT: the ports would run out */

		need(!connect(client, (struct sockaddr *)&address, sizeof(address)), "connect");
		server = accept(listener, NULL, NULL);
		setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(client);
		close(server);
	}
}

static void wake_futex(long n)
{
	static int word;

	for (long i = 0; i < n; i++)
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void open_close(long n)
{
	for (long i = 0; i < n; i++)
		close(open("/dev/null", O_RDONLY));
}

static void allocate(long n)
{
	for (long i = 0; i < n; i++) {
		void *volatile block = malloc(64); /* volatile: so that both calls are made */

		free(block);
	}
}

static void lock_mutex(long n)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	for (long i = 0; i < n; i++) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
}

static const struct {
	const char *name;
	void (*prepare)(void);
	void (*some)(long n);
} works[] = {
	{ "fault", open_nothing, fault },      { "pread", open_file, read_file },
	{ "unix", open_pair, send_unix },      { "udp", open_udp, send_udp },
	{ "tcp", open_tcp, connect_tcp },      { "futex", open_nothing, wake_futex },
	{ "open", open_nothing, open_close },  { "malloc", open_nothing, allocate },
	{ "mutex", open_nothing, lock_mutex },
};

int main(int argc, char **argv)
{
	struct fastest fastest = { 0 };
	long part = argc == 3 ? atol(argv[2]) / PARTS : 0;

	for (size_t w = 0; part > 0 && w < sizeof(works) / sizeof(works[0]); w++) {
		if (strcmp(works[w].name, argv[1]) != 0)
			continue;
		works[w].prepare();
		for (int i = 0; i < PARTS; i++) {
			part_begin(&fastest);
			works[w].some(part);
			part_end(&fastest);
		}
		print_each(&fastest, (double)part);
		return 0;
	}
	errx(2, "usage: probes fault|pread|unix|udp|tcp|futex|open|malloc|mutex COUNT");
}
