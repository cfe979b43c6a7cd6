// SPDX-License-Identifier: BSD-2-Clause
// truth: clocks, spans and output for the workloads; see truth.h.
#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

pid_t tid_self(void)
{
	return (pid_t)syscall(SYS_gettid);
}

void sleep_ns(uint64_t ns)
{
	uint64_t until = now_ns() + ns;
	struct timespec t = { (time_t)(until / 1000000000), (long)(until % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

void spin_cpu_ns(uint64_t ns)
{
	uint64_t until = cpu_ns() + ns;

	while (cpu_ns() < until)
		for (volatile int i = 0; i < 20000; i++)
			;
}

void pin_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

uint64_t delay_ns(void)
{
	static _Thread_local int fd = -1;
	static _Thread_local pid_t owner;
	char text[128];
	char *field;
	ssize_t n;

	if (fd < 0 || owner != tid_self()) { /* after fork the descriptor is the parent's */
		owner = tid_self();
		fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			skip("/proc/thread-self/schedstat");
	}
	n = pread(fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		die("read schedstat");
	text[n] = '\0';
	field = strchr(text, ' ');
	return field ? strtoull(field, NULL, 10) : 0;
}

static uint64_t blocks(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return (uint64_t)ru.ru_nvcsw;
}

void span_begin(struct span *s)
{
	s->delay_ns = delay_ns();
	s->blocks = blocks();
	s->cpu_ns = cpu_ns();
	s->wall_ns = now_ns();
}

void span_end(struct span *s)
{
	s->wall_ns = now_ns() - s->wall_ns;
	s->cpu_ns = cpu_ns() - s->cpu_ns;
	s->blocks = blocks() - s->blocks;
	s->delay_ns = delay_ns() - s->delay_ns;
}

uint64_t span_blocked_ns(const struct span *s)
{
	uint64_t not_blocked = s->cpu_ns + s->delay_ns;

	return s->wall_ns > not_blocked ? s->wall_ns - not_blocked : 0;
}

void waits_add(struct waits *w, const struct span *s)
{
	uint64_t blocked = s->blocks ? span_blocked_ns(s) : 0;

	w->blocked_ns += blocked;
	w->wall_ns += s->wall_ns;
	w->blocks += s->blocks;
	if (blocked > w->max_ns)
		w->max_ns = blocked;
	if (s->blocks && w->calls < MAX_SPANS)
		w->each[w->calls] = blocked;
	w->calls++;
}

void waits_print(const struct waits *w, const char *prefix)
{
	static char list[MAX_SPANS * 12 + 1];
	size_t used = 0;

	printf("%sblocked_ns=%lu\n%swall_ns=%lu\n%smax_ns=%lu\n", prefix, w->blocked_ns, prefix,
	       w->wall_ns, prefix, w->max_ns);
	printf("%sblocks=%lu\n%scalls=%u\n", prefix, w->blocks, prefix, w->calls);
	printf("%sdelay_ns=%lu\n", prefix, delay_ns());
	for (uint32_t i = 0; i < w->calls && i < MAX_SPANS && used + 24 < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%lu", i ? "," : "",
					 w->each[i]);
	printf("%seach=%s\n", prefix, used ? list : "");
	fflush(stdout);
}

bool is_in_state(pid_t tid, char state)
{
	char path[64], text[256] = "";
	char *at;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		die(path);
	close(fd);
	at = strrchr(text, ')');
	return at && at[2] == state;
}

void await_state(pid_t tid, char state)
{
	while (!is_in_state(tid, state))
		sleep_ns(200000);
}

void say(const char *key, const char *fmt, ...)
{
	char text[1024], line[1280];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = snprintf(line, sizeof(line), "%s=%s\n", key, text);
	fflush(stdout);
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		die("stdout");
}

void say_u64(const char *key, uint64_t value)
{
	say(key, "%lu", value);
}

void say_of(const char *prefix, long id, const char *key, uint64_t value)
{
	char name[128];

	snprintf(name, sizeof(name), "%s.%ld.%s", prefix, id, key);
	say_u64(name, value);
}

void die(const char *text)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, text, strerror(errno));
	exit(1);
}

void skip(const char *text)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, text, strerror(errno));
	exit(EXIT_SKIP);
}

long must(long ret, const char *text)
{
	if (ret < 0)
		die(text);
	return ret;
}

long arg_long(int argc, char **argv, int i, long otherwise)
{
	return i < argc ? strtol(argv[i], NULL, 10) : otherwise;
}

int reap_and_say(pid_t pid)
{
	struct rusage ru;
	siginfo_t info;
	int status;

	must(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), "waitid");
	sleep_ns(20000000); /* the zombie's own last switch is behind it */
	must(wait4(pid, &status, 0, &ru), "wait4");
	say_of("child", pid, "status", (uint64_t)status);
	say_of("child", pid, "switches", (uint64_t)(ru.ru_nvcsw + ru.ru_nivcsw));
	say_of("child", pid, "voluntary", (uint64_t)ru.ru_nvcsw);
	say_of("child", pid, "involuntary", (uint64_t)ru.ru_nivcsw);
	return status;
}
