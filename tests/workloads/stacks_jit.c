/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks_jit first|last|dump N: makes a function of its own at run time, jit_made, which calls
 * jit_nap, N times for 5 ms. It is told of in /tmp/perf-PID.map before (first) or after all of it
 * (last), or in a jitdump in the current directory. The file stays: its path is printed.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "stacks.h"

/* push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret */
static const unsigned char bytes[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3 };

typedef void made(void (*f)(void));

volatile long stacks_sink;

NOINLINE static void jit_nap(void)
{
	struct timespec t = { 0, 5000000 };

	nanosleep(&t, NULL);
	stacks_sink++;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static made *make(void)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (code == MAP_FAILED)
		fail("mmap");
	memcpy(code, bytes, sizeof(bytes));
	if (mprotect(code, 4096, PROT_READ | PROT_EXEC))
		fail("mprotect");
	return (made *)code;
}

static void tell_map(made *code)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	f = fopen(path, "w");
	if (!f)
		fail(path);
	fprintf(f, "%lx %zx jit_made\n", (unsigned long)code, sizeof(bytes));
	fclose(f);
	puts(path);
}

/* A header and one record of code; the file is mapped, which is how it is found. */
static void tell_dump(made *code)
{
	struct {
		uint32_t magic, version, size, machine, pad, pid;
		uint64_t time, flags;
		uint32_t id, record;
		uint64_t when;
		uint32_t pid2, tid;
		uint64_t vma, address, length, index;
		char name[16];
	} d = { .magic = 0x4A695444, .version = 1, .size = 40, .machine = 62 };
	char path[64];
	int fd;

	d.pid = d.pid2 = d.tid = (uint32_t)getpid();
	d.record = sizeof(d) - d.size;
	d.vma = d.address = (uint64_t)code;
	d.length = sizeof(bytes);
	strcpy(d.name, "jit_made");
	snprintf(path, sizeof(path), "jit-%d.dump", getpid());
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, &d, sizeof(d)) != sizeof(d) ||
	    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		fail(path);
	puts(path);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 20;
	made *code = make();

	if (!strcmp(how, "first"))
		tell_map(code);
	if (!strcmp(how, "dump"))
		tell_dump(code);
	for (int i = 0; i < n; i++)
		code(jit_nap);
	if (!strcmp(how, "last"))
		tell_map(code);
	return 0;
}
