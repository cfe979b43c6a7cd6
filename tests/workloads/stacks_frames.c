/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks_frames CASE HOW MS: frames that are hard to unwind, one case at a time; the table at
 * the end lists them.
 */
#include <alloca.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "stacks.h"

/* --- frames of variable size --- */

NOINLINE static void alloca_b(size_t n)
{
	char *room = alloca(n);

	memset(room, 1, n);
	stay("alloca_b alloca_a main");
	stacks_sink += room[n / 2];
}

NOINLINE static void alloca_a(void)
{
	alloca_b(1000 + (size_t)(getpid() & 63));
	stacks_sink++;
}

NOINLINE static void vla_b(size_t n)
{
	char room[n];

	memset(room, 1, n);
	stay("vla_b vla_a main");
	stacks_sink += room[n / 2];
}

NOINLINE static void vla_a(void)
{
	vla_b(3000 + (size_t)(getpid() & 63));
	stacks_sink++;
}

/* The stack is realigned, and its size is not known: the CFA is read from memory. */
NOINLINE static void realign_b(size_t n)
{
	__attribute__((aligned(64))) char block[256];
	char *room = alloca(n);

	memset(block, 1, sizeof(block));
	memset(room, 2, n);
	stay("realign_b realign_a main");
	stacks_sink += block[n & 255] + room[0];
}

NOINLINE static void realign_a(void)
{
	realign_b(100 + (size_t)(getpid() & 7));
	stacks_sink++;
}

/* More stack than a row's 16 bits of 8 bytes could hold twice over. */
NOINLINE static void big_b(void)
{
	volatile char room[200000];

	room[100] = 1;
	stay("big_b big_a main");
	stacks_sink += room[100];
}

NOINLINE static void big_a(void)
{
	big_b();
	stacks_sink++;
}

/* More than 16 bits of 8 bytes. */
NOINLINE static void huge_b(void)
{
	volatile char room[1500000];

	room[100] = 1;
	stay("huge_b huge_a main");
	stacks_sink += room[100];
}

NOINLINE static void huge_a(void)
{
	huge_b();
	stacks_sink++;
}

/*
 * As libcrypto's loops do it: while they run the frame is found by r11, and rsp is no help. A
 * round of the loop takes a cycle or two.
 */
void register_b(unsigned long rounds);
__asm__(".pushsection .text\n"
	".type register_b, @function\n"
	"register_b:\n"
	"	.cfi_startproc\n"
	"	lea 8(%rsp), %r11\n"
	"	.cfi_def_cfa 11, 0\n"
	"	sub $1000, %rsp\n"
	"	and $-64, %rsp\n"
	"1:	dec %rdi\n"
	"	jnz 1b\n"
	"	lea -8(%r11), %rsp\n"
	"	.cfi_def_cfa 7, 8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size register_b, . - register_b\n"
	".popsection\n");

NOINLINE static void register_a(void)
{
	printf("{\"chain\":[\"register_b\",\"register_a\",\"main\"],\"pid\":%d,\"tid\":%d}\n",
	       getpid(), getpid());
	fflush(stdout);
	register_b(100000000);
	stacks_sink++;
}

/*
 * As a library's _init is called: without unwind information, while rbp points to something on
 * the stack that is no frame.
 */
void bare_a(unsigned long rounds, const unsigned long *words);
__asm__(".pushsection .text\n"
	".skip 64, 0x90\n" /* a small gap between functions has the rules of what is before it */
	".type bare_b, @function\n"
	"bare_b:\n"
	"1:	dec %rdi\n"
	"	jnz 1b\n"
	"	ret\n"
	".size bare_b, . - bare_b\n"
	".type bare_a, @function\n"
	"bare_a:\n"
	"	.cfi_startproc\n"
	"	push %rbp\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset 6, -16\n"
	"	mov %rsi, %rbp\n"
	"	call bare_b\n"
	"	pop %rbp\n"
	"	.cfi_def_cfa_offset 8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size bare_a, . - bare_a\n"
	".popsection\n");

NOINLINE static void bare(void)
{
	unsigned long words[2] = { 0, 4096 };

	printf("{\"chain\":[\"bare_b\",\"bare_a\",\"bare\",\"main\"],\"pid\":%d,\"tid\":%d}\n",
	       getpid(), getpid());
	fflush(stdout);
	bare_a(100000000, words);
	stacks_sink++;
}

/* --- calls that are unlike others --- */

static int sorted;

NOINLINE static int sort_compare(const void *a, const void *b)
{
	if (!sorted++)
		stay("sort_compare sort_b sort_a main");
	stacks_sink++;
	return *(const int *)a - *(const int *)b;
}

NOINLINE static void sort_b(void)
{
	int numbers[8] = { 7, 3, 5, 1, 8, 2, 6, 4 };

	qsort(numbers, 8, sizeof(*numbers), sort_compare);
	stacks_sink += numbers[0];
}

NOINLINE static void sort_a(void)
{
	sort_b();
	stacks_sink++;
}

NOINLINE static void tail_c(void)
{
	stay("tail_c tail_a main");
	stacks_sink++;
}

/* Its call of tail_c is a jump: it is gone when that runs. */
NOINLINE static void tail_b(void)
{
	stacks_sink++;
	tail_c();
}

NOINLINE static void tail_a(void)
{
	tail_b();
	stacks_sink++;
}

static const char *depth_names; /* all of them, written before the first call */

NOINLINE static long recurse(long depth)
{
	if (depth <= 1)
		stay(depth_names);
	else
		stacks_sink = recurse(depth - 1) + 1;
	return depth;
}

NOINLINE static void recurse_to(long depth, const char *callers)
{
	size_t room = (size_t)depth * 8 + strlen(callers) + 1;
	char *names = calloc(1, room), *at = names;

	if (!names)
		abort();
	for (long i = 0; i < depth; i++)
		at += sprintf(at, "recurse ");
	strcpy(at, callers);
	depth_names = names;
	stacks_sink = recurse(depth);
	free(names);
}

NOINLINE static void depth_60(void)
{
	recurse_to(60, "recurse_to depth_60 main");
	stacks_sink++;
}

NOINLINE static void depth_1000(void)
{
	recurse_to(1000, "recurse_to depth_1000 main");
	stacks_sink++;
}

/* The parent waits in vfork() itself, the child, on the parent's stack, below it. */
NOINLINE static void vfork_child(void)
{
	stay_silent();
	stacks_sink++;
}

NOINLINE static void vfork_b(void)
{
	pid_t pid = vfork();

	if (!pid) {
		vfork_child();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	stacks_sink++;
}

NOINLINE static void vfork_a(void)
{
	printf("{\"chain\":[\"vfork_b\",\"vfork_a\",\"main\"],\"pid\":%d,\"tid\":%d}\n", getpid(),
	       getpid());
	printf("{\"child\":[\"stay_silent\",\"vfork_child\",\"vfork_b\",\"vfork_a\",\"main\"]}\n");
	fflush(stdout);
	vfork_b();
	stacks_sink++;
}

/* --- signals --- */

NOINLINE static void signal_handler(int signal)
{
	stay("signal_handler signal_b signal_a main");
	stacks_sink += signal;
}

NOINLINE static void signal_b(void)
{
	/* the call itself, so that the interrupted function is one of ours */
	long pid = getpid(), nr = SYS_kill;

	__asm__ volatile("syscall" : "+a"(nr) : "D"(pid), "S"(SIGUSR1) : "rcx", "r11", "memory");
	stacks_sink++;
}

NOINLINE static void signal_a(void)
{
	struct sigaction action = { .sa_handler = signal_handler };

	sigaction(SIGUSR1, &action, NULL);
	signal_b();
	stacks_sink++;
}

/* On a stack of its own, at an instruction that is no call. */
NOINLINE static void fault_handler(int signal)
{
	stay("fault_handler fault_b fault_a main");
	_exit(signal == SIGSEGV ? 0 : 1);
}

NOINLINE static void fault_b(volatile int *nowhere)
{
	*nowhere = 1;
	stacks_sink++;
}

NOINLINE static void fault_a(void)
{
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
	struct sigaction action = { .sa_handler = fault_handler, .sa_flags = SA_ONSTACK };
	int *volatile nowhere = NULL;

	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	fault_b(nowhere);
	stacks_sink++;
}

/* --- another stack: it ends at its own first function, main is not on it --- */

static ucontext_t context_main, context_other;

NOINLINE static void context_body(void)
{
	stay("context_body");
	stacks_sink++;
}

static void context(void)
{
	getcontext(&context_other);
	context_other.uc_stack.ss_sp = malloc(65536);
	context_other.uc_stack.ss_size = 65536;
	context_other.uc_link = &context_main;
	makecontext(&context_other, context_body, 0);
	swapcontext(&context_main, &context_other);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "alloca", alloca_a },   { "vla", vla_a },
	{ "realign", realign_a }, { "big", big_a },
	{ "huge", huge_a },       { "register", register_a },
	{ "sort", sort_a },       { "tail", tail_a },
	{ "depth-60", depth_60 }, { "depth-1000", depth_1000 },
	{ "vfork", vfork_a },     { "signal", signal_a },
	{ "fault", fault_a },     { "context", context },
	{ "bare", bare },
};

int main(int argc, char **argv)
{
	stay_setup(argc, argv, 2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (!strcmp(argv[1], cases[i].name)) {
			cases[i].run();
			stacks_sink++;
			return 0;
		}
	stay_usage(
		" alloca|vla|realign|big|huge|register|sort|tail|depth-60|depth-1000|vfork|signal|fault|context|bare");
}
