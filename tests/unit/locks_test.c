/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The locks probe's reading of memory: mutexes of every kind that this C library makes, as
 * they are in use, what is none, which function waits for what, and cycles of owners.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cycle.h"
#include "elf_symbols.h"
#include "glibc.h"
#include "sites.h"

static bool decode(const void *bytes, struct mutex_view *view)
{
	return mutex_decode(bytes, MUTEX_BYTES, view);
}

static void make(pthread_mutex_t *m, int type, int robust, int protocol, int shared)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, type);
	pthread_mutexattr_setrobust(&attr, robust);
	pthread_mutexattr_setprotocol(&attr, protocol);
	pthread_mutexattr_setpshared(&attr, shared);
	assert_int_equal(pthread_mutex_init(m, &attr), 0);
	pthread_mutexattr_destroy(&attr);
}

static void every_mutex_tells_its_owner(void **state)
{
	static const int types[] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
				     PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP };
	struct mutex_view view;
	pthread_mutex_t m;

	for (int i = 0; i < 4 * 2 * 2 * 2; i++) {
		int type = types[i & 3], robust = i & 4 ? PTHREAD_MUTEX_ROBUST : 0;
		int protocol = i & 8 ? PTHREAD_PRIO_INHERIT : 0, shared = !!(i & 16);

		make(&m, type, robust, protocol, shared);
		assert_true(decode(&m, &view));
		assert_false(view.locked);
		assert_int_equal(view.owner, 0);
		assert_int_equal(pthread_mutex_lock(&m), 0);
		assert_true(decode(&m, &view));
		assert_true(view.locked);
		assert_int_equal(view.owner, gettid());
		assert_int_equal(view.recursive, type == PTHREAD_MUTEX_RECURSIVE);
		assert_int_equal(view.error_checking, type == PTHREAD_MUTEX_ERRORCHECK);
		assert_int_equal(view.adaptive, type == PTHREAD_MUTEX_ADAPTIVE_NP);
		assert_int_equal(view.robust, robust == PTHREAD_MUTEX_ROBUST);
		assert_int_equal(view.pi, protocol == PTHREAD_PRIO_INHERIT);
		assert_int_equal(view.shared, shared || robust); /* glibc marks robust ones so */
		assert_int_equal(pthread_mutex_unlock(&m), 0);
		pthread_mutex_destroy(&m);
	}
}

static void a_recursive_mutex_counts(void **state)
{
	struct mutex_view view;
	pthread_mutex_t m;

	make(&m, PTHREAD_MUTEX_RECURSIVE, 0, 0, 0);
	pthread_mutex_lock(&m);
	pthread_mutex_lock(&m);
	assert_true(decode(&m, &view));
	assert_int_equal(view.owner, gettid());
}

static void a_waiter_does_not_change_the_owner(void **state)
{
	uint32_t bytes[6] = { 2, 0, 4711, 1, 0, 0 };
	struct mutex_view view;

	assert_true(decode(bytes, &view));
	assert_true(view.locked);
	assert_int_equal(view.owner, 4711);
}

static void what_is_no_mutex_is_refused(void **state)
{
	static const uint32_t not [][6] = {
		{ 3, 0, 0, 0, 0, 0 },             /* a lock word that never is */
		{ 2, 0, 0x7f001234, 1, 0, 0 },    /* a pointer's half, not a thread */
		{ 2, 0, 4711, 0, 0, 0 },          /* an owner, and no users */
		{ 2, 0, 4711, 1, 0x4000, 0 },     /* a kind that is none */
		{ 2, 5, 4711, 1, 0, 0 },          /* counts, and is not recursive */
		{ 1, 1, 0, 1, 1, 0 },             /* counts for nobody */
		{ 2, 0, 4711, 0x12345678, 0, 0 }, /* users beyond reason */
		{ 0x80000005, 0, 4711, 1, 0, 0 }, /* a thread in the word of a plain one */
	};
	struct mutex_view view;

	for (size_t i = 0; i < sizeof(not ) / sizeof(not [0]); i++)
		assert_false(decode(not [i], &view));
	assert_false(mutex_decode(not [0], MUTEX_BYTES - 1, &view));
}

static void callers_say_what_they_wait_for(void **state)
{
	assert_int_equal(lock_kind_of_caller("pthread_cond_wait"), LOCK_CONDITION);
	assert_int_equal(lock_kind_of_caller("sem_wait"), LOCK_SEMAPHORE);
	assert_int_equal(lock_kind_of_caller("pthread_rwlock_wrlock"), LOCK_RWLOCK);
	assert_int_equal(lock_kind_of_caller("pthread_barrier_wait"), LOCK_BARRIER);
	assert_int_equal(lock_kind_of_caller("malloc"), LOCK_FUTEX);
	assert_int_equal(lock_kind_of_caller(NULL), LOCK_FUTEX);
	for (int i = 0; i < LOCK_KINDS; i++)
		assert_non_null(lock_kind_names[i]);
}

/* ---- cycles ---- */

static void two_in_each_others_way(void **state)
{
	struct waiting w[] = { { 10, 20 }, { 20, 10 }, { 30, 10 }, { 40, 99 }, { 50, 0 } };

	assert_int_equal(cycles_find(w, 5), 1);
	assert_int_equal(w[0].next, 1);
	assert_int_equal(w[0].cycle, 0);
	assert_int_equal(w[1].cycle, 0);
	assert_int_equal(w[2].cycle, CYCLE_NONE); /* waits for one of them, and is in none */
	assert_int_equal(w[3].cycle, CYCLE_NONE);
	assert_int_equal(w[4].cycle, CYCLE_NONE);
}

static void several_cycles_and_one_alone(void **state)
{
	struct waiting w[] = { { 5, 1 }, { 1, 2 }, { 2, 3 }, { 3, 1 },
			       { 9, 9 }, { 8, 7 }, { 7, 8 }, { 6, 5 } };

	assert_int_equal(cycles_find(w, 8), 3);
	assert_int_equal(w[0].cycle, CYCLE_NONE);
	assert_true(w[1].cycle == w[2].cycle && w[2].cycle == w[3].cycle);
	assert_true(w[4].cycle != CYCLE_NONE && w[4].next == 4);
	assert_true(w[5].cycle == w[6].cycle && w[5].cycle != w[4].cycle);
	assert_int_equal(w[7].cycle, CYCLE_NONE);
}

static void a_chain_is_no_cycle(void **state)
{
	struct waiting w[] = { { 1, 2 }, { 2, 3 }, { 3, 4 } };

	assert_int_equal(cycles_find(w, 3), 0);
	assert_int_equal(cycles_find(w, 0), 0);
}

/* ---- symbols ---- */

int locks_test_variable[4] = { 1, 2, 3, 4 };
char locks_test_zeroes[65536];

/* Where this program's own file is mapped, as /proc/self/maps has it. */
static bool mapped(const void *address, uint64_t *offset, char *path)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[4400];
	bool found = false;

	while (!found && fgets(line, sizeof(line), f)) {
		unsigned long start, end, at;

		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %4095s", &start, &end, &at, path) == 4 &&
		    (uintptr_t)address >= start && (uintptr_t)address < end) {
			*offset = at + ((uintptr_t)address - start);
			found = *path == '/';
		}
	}
	fclose(f);
	return found;
}

static void a_variable_by_its_address(void **state)
{
	struct elf_symbol symbol;
	struct elf_symbols *s;
	uint64_t offset, address;
	char path[4096];

	assert_true(mapped(&locks_test_variable[2], &offset, path));
	s = elf_symbols_open(path, 0);
	assert_non_null(s);
	assert_true(elf_symbols_address(s, offset, true, &address));
	assert_true(elf_symbols_find(s, ELF_VARIABLE, address, &symbol));
	assert_string_equal(symbol.name, "locks_test_variable");
	assert_int_equal(address - symbol.value, 2 * sizeof(int));
	/* zeroes lie behind what the file holds, at the same distance */
	offset += (uint64_t)(&locks_test_zeroes[60000] - (char *)&locks_test_variable[2]);
	assert_true(elf_symbols_address(s, offset, true, &address));
	assert_true(elf_symbols_find(s, ELF_VARIABLE, address, &symbol));
	assert_string_equal(symbol.name, "locks_test_zeroes");
	assert_false(elf_symbols_address(s, offset, false, &address));
	elf_symbols_close(s);
}

static void a_function_by_name_and_back(void **state)
{
	struct elf_symbol symbol, same;
	struct elf_symbols *s;
	uint64_t offset, there;
	char path[4096];

	assert_true(mapped((const void *)(uintptr_t)&cycles_find, &there, path));
	s = elf_symbols_open(path, 0);
	assert_non_null(s);
	assert_true(elf_symbols_function(s, "cycles_find", &symbol));
	assert_true(elf_symbols_offset(s, symbol.value, &offset));
	assert_int_equal(offset, there);
	assert_true(elf_symbols_find(s, ELF_FUNCTION, symbol.value + 1, &same));
	assert_string_equal(same.name, "cycles_find");
	assert_false(elf_symbols_function(s, "no_such_function", &symbol));
	elf_symbols_close(s);
}

static void what_is_no_elf_file_is_refused(void **state)
{
	assert_null(elf_symbols_open("/proc/self/maps", 0));
	assert_null(elf_symbols_open("/dev/zero", 0));
	assert_null(elf_symbols_open("/", 0));
	assert_null(elf_symbols_open("/no/such/file", 0));
	assert_null(elf_symbols_open("/proc/self/exe", 1)); /* another inode */
}

/* Read, not mapped: what is gone is not found, and no signal. */
static void a_file_that_is_cut_meanwhile(void **state)
{
	char path[] = "/tmp/dwell-cut-XXXXXX", bytes[4096];
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), to = mkstemp(path);
	struct elf_symbol symbol;
	struct elf_symbols *s;
	uint64_t address;
	ssize_t n;

	assert_true(from >= 0 && to >= 0);
	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(to, bytes, (size_t)n), n);
	s = elf_symbols_open(path, 0);
	assert_non_null(s);
	assert_int_equal(ftruncate(to, 64), 0);
	assert_false(elf_symbols_function(s, "cycles_find", &symbol));
	assert_false(elf_symbols_section(s, ".text", &address));
	elf_symbols_close(s);
	unlink(path);
	close(from);
	close(to);
}

/* Its return address; not inlined, so that it has one. */
static __attribute__((noinline)) uint64_t here(void)
{
	return (uint64_t)(uintptr_t)__builtin_return_address(0);
}

/* What was called before the return address `word` of this program. */
static void assert_called(uint64_t word, const char *name)
{
	struct elf_symbols *s;
	uint64_t offset, address;
	char path[4096];

	assert_true(mapped((const void *)(uintptr_t)word, &offset, path));
	s = elf_symbols_open(path, 0);
	assert_non_null(s);
	assert_true(elf_symbols_address(s, offset, false, &address));
	assert_string_equal(elf_symbols_called(s, address), name);
	assert_null(elf_symbols_called(s, address + 1));
	elf_symbols_close(s);
}

static uint64_t from_library;

/* Calls a library's function as code without a PLT does, and keeps where it came back to. */
static __attribute__((noinline)) void through_the_got(void)
{
	__asm__ volatile("call *pthread_self@GOTPCREL(%%rip)\n\tlea (%%rip), %0"
			 : "=r"(from_library)
			 :
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
}

static void what_was_called(void **state)
{
	uint64_t direct = here();

	assert_called(direct, "here");
	through_the_got();
	/* lea is seven bytes, and what it gives lies behind it */
	assert_called(from_library - 7, "pthread_self");
}

/* ---- kernel stacks ---- */

static void the_site_is_behind_the_lock_code(void **state)
{
	static const char *const stack[] = { "bpf_trace_run2",
					     "__traceiter_contention_end",
					     "rwsem_down_write_slowpath",
					     "down_write",
					     "do_renameat2",
					     "__x64_sys_rename" };
	static const char *const spin[] = { "bpf_trace_run2", "__pv_queued_spin_lock_slowpath",
					    "_raw_spin_lock", "raw_spin_rq_lock_nested" };
	static const char *const deep[] = { "bpf_trace_run2", "__mutex_lock.constprop.0",
					    "mutex_lock" };

	assert_int_equal(site_caller(stack, 6), 4);
	assert_int_equal(site_caller(stack + 2, 4), 2);
	assert_int_equal(site_caller(spin, 4), 3);
	assert_int_equal(site_caller(deep, 3), 3); /* not reached */
	assert_int_equal(site_caller(NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mutex_tells_its_owner),
		cmocka_unit_test(a_recursive_mutex_counts),
		cmocka_unit_test(a_waiter_does_not_change_the_owner),
		cmocka_unit_test(what_is_no_mutex_is_refused),
		cmocka_unit_test(callers_say_what_they_wait_for),
		cmocka_unit_test(two_in_each_others_way),
		cmocka_unit_test(several_cycles_and_one_alone),
		cmocka_unit_test(a_chain_is_no_cycle),
		cmocka_unit_test(a_variable_by_its_address),
		cmocka_unit_test(a_function_by_name_and_back),
		cmocka_unit_test(a_file_that_is_cut_meanwhile),
		cmocka_unit_test(what_is_no_elf_file_is_refused),
		cmocka_unit_test(what_was_called),
		cmocka_unit_test(the_site_is_behind_the_lock_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
