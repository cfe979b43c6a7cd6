// SPDX-License-Identifier: BSD-2-Clause
/*
 * calls all|end|compat|uring|restart: system calls in exactly known numbers, errors too,
 * by process and by thread. Nothing depends on timing: joins spin, so no futex is called.
 * Says `call.NAME=count` and `error.NAME.ERRNO=count` for the calls that only this file
 * makes (the C library's own at start are not among them).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "truth.h"

static char text[4096];
static size_t used;

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	used += (size_t)vsnprintf(text + used, sizeof(text) - used, fmt, ap);
	va_end(ap);
}

/* The kernel's own interface: no errno, which threads made by clone() would share. */
static long call(long nr, long a, long b, long c)
{
	long ret;

	asm volatile("syscall"
		     : "=a"(ret)
		     : "a"(nr), "D"(a), "S"(b), "d"(c)
		     : "rcx", "r11", "memory");
	return ret;
}

static void repeat(long nr, long a, long b, long c, long times)
{
	while (times--)
		call(nr, a, b, c);
}

static volatile int signals;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

static long waits(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

static void succeed_and_fail(void)
{
	static const char missing[] = "/nonexistent/file";

	repeat(SYS_getppid, 0, 0, 0, 1000);
	repeat(SYS_getuid, 0, 0, 0, 300);
	repeat(SYS_openat, AT_FDCWD, (long)missing, O_RDONLY, 7);
	repeat(SYS_close, -1, 0, 0, 5);
	repeat(SYS_execve, (long)missing, 0, 0, 2);
	repeat(SYS_dup, -1, 0, 0, 4);
	repeat(SYS_kill, getpid(), 9999, 0, 3);
	repeat(5000, 0, 0, 0, 2); /* no such call */
	note("call.getppid=1000\nerror.openat.ENOENT=7\nerror.close.EBADF=5\n");
	note("error.execve.ENOENT=2\ncall.dup=4\nerror.dup.EBADF=4\nerror.kill.EINVAL=3\n");
}

static void fail_on_pipes(void)
{
	int fd[2];
	char c;

	must(pipe2(fd, O_NONBLOCK), "pipe2");
	repeat(SYS_read, fd[0], (long)&c, 1, 3);
	close(fd[0]);
	signal(SIGPIPE, SIG_IGN);
	repeat(SYS_write, fd[1], (long)&c, 1, 2);
	close(fd[1]);
	note("call.pipe2=1\nerror.read.EAGAIN=3\nerror.write.EPIPE=2\n");
}

static void take_signals(void)
{
	struct sigaction act = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &act, NULL);
	for (int i = 0; i < 4; i++)
		call(SYS_tgkill, getpid(), tid_self(), SIGUSR1);
	note("call.tgkill=4\ncall.rt_sigreturn=4\n");
}

static int thread_body(void *unused)
{
	(void)unused;
	repeat(SYS_getuid, 0, 0, 0, 100);
	repeat(SYS_dup3, -1, -1, 0, 10);
	return 0;
}

static void run_threads(void)
{
	static char stacks[3][65536] __attribute__((aligned(16)));
	static volatile pid_t tids[3];
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		    CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;

	for (int i = 0; i < 3; i++) {
		tids[i] = 1; /* the kernel clears it when the thread has ended */
		must(clone(thread_body, stacks[i] + sizeof(stacks[i]), flags, NULL, NULL, NULL,
			   &tids[i]),
		     "clone");
	}
	for (int i = 0; i < 3; i++)
		while (tids[i])
			__builtin_ia32_pause();
	note("call.getuid=600\nerror.dup3.EINVAL=30\n"); /* 300 of the leader's */
}

static void run_children(char *self)
{
	static char part[] = "end";
	char *argv[] = { self, part, NULL };

	for (int i = 0; i < 2; i++) {
		pid_t pid = (pid_t)must(fork(), "fork");

		if (!pid) {
			repeat(SYS_getgid, 0, 0, 0, 50);
			if (i)
				execv(self, argv);
			_exit(0);
		}
		must(waitpid(pid, NULL, 0), "waitpid");
	}
	note("call.getgid=100\ncall.getpgid=13\ncall.wait4=2\n");
}

static int run_all(char *self)
{
	succeed_and_fail();
	fail_on_pipes();
	take_signals();
	run_threads();
	run_children(self);
	return 0;
}

/* In a program that the first one's child has become. */
static int run_end(char *self)
{
	(void)self;
	repeat(SYS_getpgid, 0, 0, 0, 13);
	return 0;
}

/* The 32-bit entry of a 64-bit program: 20 is getpid there and writev here. */
static int run_compat(char *self)
{
	long ret;

	(void)self;
	for (int i = 0; i < 11; i++)
		asm volatile("int $0x80"
			     : "=a"(ret)
			     : "a"(20)
			     : "memory", "r8", "r9", "r10", "r11");
	if (ret != getpid())
		skip("int 0x80");
	for (int i = 0; i < 3; i++)
		asm volatile("int $0x80"
			     : "=a"(ret)
			     : "a"(6), "b"(-1)
			     : "memory", "r8", "r9", "r10", "r11");
	note("compat.getpid=11\ncompat.close.EBADF=3\n");
	return 0;
}

/* Submits 5 times 4 operations that do nothing. */
static int run_uring(char *self)
{
	struct io_uring_params p = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 4, &p);
	struct io_uring_sqe *sqes;
	unsigned int *array, *tail;
	char *sq;

	(void)self;
	if (fd < 0)
		skip("io_uring_setup");
	sq = mmap(NULL, p.sq_off.array + 64, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  IORING_OFF_SQ_RING);
	sqes = mmap(NULL, 4 * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    IORING_OFF_SQES);
	if (sq == MAP_FAILED || (void *)sqes == MAP_FAILED)
		die("mmap");
	array = (unsigned int *)(void *)(sq + p.sq_off.array);
	tail = (unsigned int *)(void *)(sq + p.sq_off.tail);
	for (unsigned int i = 0; i < 4; i++) {
		sqes[i].opcode = IORING_OP_NOP;
		array[i] = i;
	}
	for (int i = 0; i < 5; i++) {
		__atomic_store_n(tail, *tail + 4, __ATOMIC_RELEASE);
		if (syscall(SYS_io_uring_enter, fd, 4, 0, 0, NULL, 0) != 4)
			die("io_uring_enter");
	}
	note("call.io_uring_setup=1\ncall.io_uring_enter=5\nuring_ops=20\n");
	return 0;
}

#define EXIT_EARLY 3 /* a signal came before the call that it was to interrupt: once more */

/*
 * A signal in the middle: the call fails with EINTR, or is made again by itself. Where it came
 * before its call another one comes, a second later, and is one too many.
 */
static int run_restart(char *self)
{
	struct itimerval soon = { { 1, 0 }, { 0, 20000 } }, off = { 0 };
	struct sigaction act = { .sa_handler = on_signal };
	struct timespec ms = { 0, 60000000 };
	int fd[2], interrupted = 0;
	long blocks;
	char c;

	(void)self;
	must(pipe(fd), "pipe");
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	interrupted += call(SYS_nanosleep, (long)&ms, 0, 0) < 0; /* EINTR */
	setitimer(ITIMER_REAL, &soon, NULL);
	interrupted += call(SYS_read, fd[0], (long)&c, 1) < 0; /* EINTR */
	act.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &act, NULL);
	if (!must(fork(), "fork")) {
		sleep_ns(100000000);
		call(SYS_write, fd[1], (long)"x", 1);
		_exit(0);
	}
	blocks = waits();
	setitimer(ITIMER_REAL, &soon, NULL);
	call(SYS_read, fd[0], (long)&c, 1); /* restarted once, then reads the byte */
	setitimer(ITIMER_REAL, &off, NULL);
	blocks = waits() - blocks;
	waitpid(-1, NULL, 0);
	if (signals != 3 || interrupted != 2 || blocks < 2)
		_exit(EXIT_EARLY);
	note("call.nanosleep=1\ncall.read=3\ncall.rt_sigreturn=3\ncall.setitimer=4\n");
	note("failed.nanosleep=1\nfailed.read=2\n");
	return 0;
}

static const struct {
	const char *name;
	int (*run)(char *self);
} parts[] = {
	{ "all", run_all },     { "end", run_end },         { "compat", run_compat },
	{ "uring", run_uring }, { "restart", run_restart },
};

int main(int argc, char **argv)
{
	const char *part = argc > 1 ? argv[1] : "all";

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (strcmp(parts[i].name, part))
			continue;
		parts[i].run(argv[0]);
		call(SYS_write, STDOUT_FILENO, (long)text, (long)used);
		_exit(0);
	}
	errno = EINVAL;
	die(part);
}
