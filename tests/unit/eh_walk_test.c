/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program walks its own stack over dwell's rows and asks the C library (backtrace(), which is
 * libgcc's unwinder) at the same place: address for address, from the caller to the end.
 */
#include <alloca.h>
#include <execinfo.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <cmocka.h>

#include "eh_walk.h"

#ifdef __clang__ /* which makes no clones */
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif
#define ALTERNATE_STACK (1U << 20)

static struct eh_process *self;
static struct eh_walk walk;
static size_t frames, different;
static volatile long sink;

/*
 * Both walks from here. The leaf differs by where each of the two was called, and a sanitizer's
 * backtrace() has a frame of its own below it.
 */
NOINLINE static void look(void)
{
	void *truth[EH_WALK_FRAMES];
	size_t extra = 0;
	ucontext_t c;
	int n;

	getcontext(&c);
	n = backtrace(truth, EH_WALK_FRAMES);
	eh_walk(self,
		&(struct eh_registers){ .pc = (uint64_t)c.uc_mcontext.gregs[REG_RIP],
					.sp = (uint64_t)c.uc_mcontext.gregs[REG_RSP],
					.bp = (uint64_t)c.uc_mcontext.gregs[REG_RBP],
					.di = (uint64_t)c.uc_mcontext.gregs[REG_RDI],
					.bx = (uint64_t)c.uc_mcontext.gregs[REG_RBX] },
		&walk);
	while (extra < 2 && walk.n > 1 &&
	       walk.frames[1].pc != (uint64_t)(uintptr_t)truth[extra + 1])
		extra++;
	frames = (size_t)n - extra;
	different = walk.n != frames || !walk.whole;
	for (size_t i = 1; i < frames && i < walk.n; i++)
		different += walk.frames[i].pc != (uint64_t)(uintptr_t)truth[i + extra];
	sink++;
}

static void check(size_t at_least)
{
	if (different)
		for (size_t i = 0; i < walk.n && i < 20; i++)
			print_error("%#lx %s %#lx\n", (unsigned long)walk.frames[i].pc,
				    walk.frames[i].path ? walk.frames[i].path : "-",
				    (unsigned long)walk.frames[i].vaddr);
	assert_int_equal(different, 0);
	assert_true(frames >= at_least);
}

static void plain_calls(void **state)
{
	look();
	check(6); /* look, here, cmocka's, main, the C library's, _start */
}

NOINLINE static long deep(long n)
{
	if (n)
		sink = deep(n - 1) + 1;
	else
		look();
	return n;
}

static void recursion(void **state)
{
	deep(200);
	check(206);
}

NOINLINE static void with_alloca(size_t n)
{
	__attribute__((aligned(64))) char block[256];
	char *room = alloca(n);

	memset(block, 1, sizeof(block));
	memset(room, 2, n);
	look();
	sink += block[n & 255] + room[0];
}

static void alloca_on_a_realigned_stack(void **state)
{
	with_alloca(100 + (size_t)(getpid() & 7));
	check(7);
}

static int compare(const void *a, const void *b)
{
	look();
	return *(const int *)a - *(const int *)b;
}

static void through_the_c_library(void **state)
{
	int numbers[] = { 2, 1 };

	qsort(numbers, 2, sizeof(*numbers), compare);
	check(7);
}

static void *in_thread(void *arg)
{
	look();
	return arg;
}

static void a_thread_begins_in_clone(void **state)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, in_thread, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	check(3);
}

static void handler(int signal)
{
	look();
	sink += signal;
}

static void a_signal_in_a_call(void **state)
{
	struct sigaction action = { .sa_handler = handler }, before;

	sigaction(SIGUSR1, &action, &before);
	raise(SIGUSR1);
	sigaction(SIGUSR1, &before, NULL);
	check(8);
}

static sigjmp_buf back;

static void fault_handler(int signal)
{
	look();
	siglongjmp(back, signal);
}

NOINLINE static void touch(volatile char *page)
{
	*page = 1;
	sink++;
}

/* At an instruction that calls nothing, handled on a stack of its own. */
static void a_fault_on_another_stack(void **state)
{
	stack_t stack = { .ss_sp = malloc(ALTERNATE_STACK), .ss_size = ALTERNATE_STACK }, before;
	struct sigaction action = { .sa_handler = fault_handler, .sa_flags = SA_ONSTACK }, was;
	char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(page != MAP_FAILED);
	sigaltstack(&stack, &before);
	sigaction(SIGSEGV, &action, &was);
	if (!sigsetjmp(back, 1))
		touch(page);
	sigaction(SIGSEGV, &was, NULL);
	sigaltstack(&before, NULL);
	free(stack.ss_sp);
	munmap(page, 4096);
	check(8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_calls),
		cmocka_unit_test(recursion),
		cmocka_unit_test(alloca_on_a_realigned_stack),
		cmocka_unit_test(through_the_c_library),
		cmocka_unit_test(a_thread_begins_in_clone),
		cmocka_unit_test(a_signal_in_a_call),
		cmocka_unit_test(a_fault_on_another_stack),
	};
	void *loaded[1];
	int failed;

	backtrace(loaded, 1); /* loads libgcc, so that the mappings have it */
	self = eh_process_open(getpid());
	if (!self)
		return 1;
	failed = cmocka_run_group_tests_name("eh_walk", tests, NULL, NULL);
	eh_process_close(self);
	return failed;
}
