// SPDX-License-Identifier: BSD-2-Clause
/*
 * cpu MODE …: programs that know what happened to them on their CPU.
 *
 *	cpu migrate N		moves between two CPUs, N times by sched_setaffinity
 *	cpu spin MS		owns a CPU for MS; says what that CPU's interrupts were meanwhile,
 *				and how long it did not get on in all (gap_ns)
 *	cpu share MS		the same, without keeping others off the CPU
 *	cpu udp N		N datagrams to itself: the kernel receives them in softirqs
 *	cpu barrier N		a thread makes N membarriers: an interrupt each for the thread
 *				that spins on another CPU
 *
 * spin, udp and barrier print the differences of /proc/interrupts and /proc/softirqs of the CPU hit:
 * hard.KEY and soft.NAME, upper bounds of what can have hit the process.
 */
#include "truth.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROWS 512

struct row {
	char name[32];
	uint64_t count;
};

struct table {
	struct row rows[ROWS];
	size_t n;
};

/* The column of CPU `cpu` in a file whose first line names the CPUs. */
static void read_column(struct table *t, const char *path, int cpu)
{
	static char line[16384];
	FILE *f = fopen(path, "re");
	int column = -1, at = 0;

	t->n = 0;
	if (!f || !fgets(line, sizeof(line), f))
		skip(path);
	for (char *p = strtok(line, " \n"); p; p = strtok(NULL, " \n"), at++)
		if (!strncmp(p, "CPU", 3) && atoi(p + 3) == cpu)
			column = at;
	while (column >= 0 && t->n < ROWS && fgets(line, sizeof(line), f)) {
		struct row *r = &t->rows[t->n];
		char *colon = strchr(line, ':'), *p = colon + 1;

		if (!colon || sscanf(line, " %31[^:]", r->name) != 1)
			continue;
		for (int i = 0; i <= column; i++)
			r->count = strtoull(p, &p, 10);
		t->n++;
	}
	fclose(f);
}

static void say_difference(const char *prefix, const struct table *a, const struct table *b)
{
	char key[64];

	for (size_t i = 0; i < b->n; i++) {
		uint64_t before = 0;

		for (size_t j = 0; j < a->n; j++)
			if (!strcmp(a->rows[j].name, b->rows[i].name))
				before = a->rows[j].count;
		snprintf(key, sizeof(key), "%s.%s", prefix, b->rows[i].name);
		if (b->rows[i].count != before)
			say_u64(key, b->rows[i].count - before);
	}
}

/* The n-th CPU that we may run on; -1: there are not so many. */
static int allowed_cpu(int n)
{
	cpu_set_t set;

	must(sched_getaffinity(0, sizeof(set), &set), "sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set) && n-- == 0)
			return cpu;
	return -1;
}

static int second_cpu(void)
{
	int cpu = allowed_cpu(1);

	if (cpu < 0) {
		errno = ENODEV;
		skip("a second CPU");
	}
	return cpu;
}

/* se.nr_migrations as /proc/self/sched has it, where the kernel is built to tell. */
static void say_migrations(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/sched", "re");

	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (colon && !strncmp(line, "se.nr_migrations", 16))
			say_u64("migrations", strtoull(colon + 1, NULL, 10));
	}
	if (f)
		fclose(f);
}

static void migrate(long n)
{
	int cpus[2] = { allowed_cpu(0), second_cpu() };

	pin_to_cpu(cpus[1]);
	for (long i = 0; i < n; i++)
		pin_to_cpu(cpus[i & 1]);
	say_u64("moves", (uint64_t)n);
	say_migrations();
}

static struct table hard[2], soft[2];
static int here;

static void observe(int i)
{
	read_column(&hard[i], "/proc/interrupts", here);
	read_column(&soft[i], "/proc/softirqs", here);
}

/* Real-time, so that few others run on the CPU meanwhile; without the right, as it is. */
static void own_cpu(int cpu)
{
	struct sched_param param = { .sched_priority = 1 };

	here = cpu;
	pin_to_cpu(here);
	say_u64("realtime", !sched_setscheduler(0, SCHED_FIFO, &param));
	say_u64("cpu", (uint64_t)here);
}

#define GAP_NS 1000 /* a reading of the clock takes less than a tenth of it */

static void spin(long ms, bool alone)
{
	uint64_t begin, cpu, end, now, last, gaps = 0;

	if (alone)
		own_cpu(allowed_cpu(0));
	here = sched_getcpu();
	pin_to_cpu(here);
	observe(0);
	cpu = cpu_ns();
	begin = last = now_ns();
	end = begin + (uint64_t)ms * 1000000;
	while ((now = now_ns()) < end) {
		if (now - last > GAP_NS)
			gaps += now - last;
		last = now;
	}
	say_u64("gap_ns", gaps);
	say_u64("cpu_ns", cpu_ns() - cpu);
	say_u64("wall_ns", now_ns() - begin);
	observe(1);
}

static void udp(long n)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	socklen_t len = sizeof(to);
	int fd = (int)must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
	uint64_t begin;
	char byte = 0;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(fd, (struct sockaddr *)&to, len), "bind");
	must(getsockname(fd, (struct sockaddr *)&to, &len), "getsockname");
	own_cpu(allowed_cpu(0));
	observe(0);
	begin = now_ns();
	for (long i = 0; i < n; i++) {
		must(sendto(fd, &byte, 1, 0, (struct sockaddr *)&to, len), "sendto");
		must(recv(fd, &byte, 1, 0), "recv");
	}
	say_u64("wall_ns", now_ns() - begin);
	observe(1);
	say_u64("datagrams", (uint64_t)n);
	close(fd);
}

static atomic_int spinning, stop;

static void *spin_elsewhere(void *cpu)
{
	own_cpu(*(int *)cpu);
	spinning = 1;
	while (!stop)
		;
	return NULL;
}

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

static void barrier(long n)
{
	pthread_t other;
	int there = second_cpu();

	if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
		skip("membarrier");
	pin_to_cpu(allowed_cpu(0));
	if (pthread_create(&other, NULL, spin_elsewhere, &there))
		die("pthread_create");
	while (!spinning)
		sched_yield();
	observe(0);
	for (long i = 0; i < n; i++)
		must(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED), "membarrier");
	observe(1);
	stop = 1;
	pthread_join(other, NULL);
	say_u64("barriers", (uint64_t)n);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "spin";
	long n = arg_long(argc, argv, 2, 100);

	say_u64("pid", (uint64_t)getpid());
	if (!strcmp(mode, "migrate"))
		migrate(n);
	else if (!strcmp(mode, "udp"))
		udp(n);
	else if (!strcmp(mode, "barrier"))
		barrier(n);
	else
		spin(n, !strcmp(mode, "spin"));
	say_difference("hard", &hard[0], &hard[1]);
	say_difference("soft", &soft[0], &soft[1]);
	return 0;
}
