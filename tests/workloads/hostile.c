// SPDX-License-Identifier: BSD-2-Clause
/*
 * hostile: processes that are hard to look at.
 *
 *	hostile flood N		a process in a stream of N signals, handled on a stack of its own
 *	hostile traced N	one that ptrace stops and lets go N times
 *	hostile bomb DEPTH	each process forks two, so deep
 *	hostile seccomp		one that may do nothing but read, write and exit, and allocates;
 *				one that is killed for more
 *	hostile mappings N	N mappings of code, each apart
 *	hostile remaps N	one mapping of code made and taken away N times
 *
 * Prints what it did as key=value.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_signal(int sig)
{
	(void)sig;
	usleep(10);
}

static pid_t sleeper(void)
{
	struct sigaction a = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER };
	stack_t stack = { .ss_size = 65536 };
	int ready[2];
	char c = 0;
	pid_t pid;

	if (pipe(ready))
		err(1, "pipe");
	pid = fork();
	if (pid) {
		close(ready[1]);
		if (pid < 0 || read(ready[0], &c, 1) != 1)
			err(1, "fork");
		close(ready[0]);
		return pid;
	}
	stack.ss_sp = malloc(stack.ss_size);
	if (!stack.ss_sp || sigaltstack(&stack, NULL) || sigaction(SIGUSR1, &a, NULL) ||
	    write(ready[1], &c, 1) != 1)
		_exit(1);
	for (;;)
		usleep(1000);
}

static int flood(int n)
{
	pid_t pid = sleeper();

	for (int i = 0; i < n; i++)
		if (kill(pid, SIGUSR1) || (i % 64 == 0 && usleep(200)))
			err(1, "kill");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("signals=%d\n", n);
	return 0;
}

static int traced(int n)
{
	pid_t pid = sleeper();
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0)) {
		kill(pid, SIGKILL);
		err(77, "ptrace");
	}
	for (int i = 0; i < n; i++) {
		ptrace(PTRACE_INTERRUPT, pid, 0, 0);
		waitpid(pid, &status, __WALL);
		usleep(200);
		ptrace(PTRACE_CONT, pid, 0, 0);
		usleep(200);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
	printf("stops=%d\n", n);
	return 0;
}

static void bomb(int depth)
{
	for (int i = 0; depth && i < 2; i++) {
		pid_t pid = fork();

		if (pid < 0)
			_exit(1);
		if (!pid) {
			bomb(depth - 1);
			_exit(0);
		}
	}
	while (depth && wait(NULL) > 0)
		;
	if (!depth)
		usleep(20000);
}

static void confined(bool more)
{
	void *blocks[50];

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(77);
	for (volatile long i = 0; i < 20000000; i++)
		;
	for (int i = 0; i < 50; i++)
		blocks[i] = malloc(100);
	for (int i = 0; i < 50; i++)
		free(blocks[i]);
	if (more)
		getppid();
	syscall(SYS_exit, 7);
}

static int seccomp(void)
{
	int status[2];

	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (!pid) {
			void *volatile heap = malloc(100000); /* from now on it is there */

			free(heap);
			confined(i);
		}
		if (pid < 0 || waitpid(pid, &status[i], 0) != pid)
			err(1, "fork");
	}
	printf("code=%d\nsignal=%d\n", WEXITSTATUS(status[0]), WTERMSIG(status[1]));
	return 0;
}

static void *map_code(int fd)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	if (at == MAP_FAILED)
		err(1, "mmap");
	return at;
}

static int mappings(int n, bool keep)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	for (int i = 0; i < n; i++) {
		void *at = map_code(fd);

		if (!keep)
			munmap(at, 4096);
		else if (mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			 MAP_FAILED)
			err(1, "mmap");
	}
	usleep(100000);
	printf("mappings=%d\n", n);
	return 0;
}

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[2]) : 0;

	if (argc > 1 && !strcmp(argv[1], "flood"))
		return flood(n);
	if (argc > 1 && !strcmp(argv[1], "traced"))
		return traced(n);
	if (argc > 1 && !strcmp(argv[1], "bomb")) {
		bomb(n);
		printf("processes=%d\n", (2 << n) - 1);
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "seccomp"))
		return seccomp();
	if (argc > 1 && (!strcmp(argv[1], "mappings") || !strcmp(argv[1], "remaps")))
		return mappings(n, argv[1][0] == 'm');
	errx(2, "usage: hostile flood N | traced N | bomb DEPTH | seccomp | mappings N | remaps N");
}
