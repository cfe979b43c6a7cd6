/* SPDX-License-Identifier: BSD-2-Clause */
/* The store (what is shown twice counts once, what is dropped stays in the tree), its tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "store.h"
#include "table.h"

static struct store store;

static int setup(void **state)
{
	memset(&store, 0, sizeof(store));
	store.max_processes = 8;
	return 0;
}

static int teardown(void **state)
{
	store_free(&store);
	return 0;
}

static uint64_t in_tree(uint32_t nr)
{
	return tally_get(&store.tree, tally_key(ABI_NATIVE, nr, 0));
}

static uint64_t in_process(uint32_t proc_id, uint32_t nr)
{
	const struct calls_process *p = store_process(&store, proc_id);

	return p ? tally_get(&p->calls, tally_key(ABI_NATIVE, nr, 0)) : 0;
}

static void see_live(uint32_t proc_id, uint32_t thread_id, uint32_t reads)
{
	struct syscalls_live live = { .proc_id = proc_id, .thread_id = thread_id };

	live.thread.counts[call_slot(SYS_read)] = reads;
	live.thread.used[0] = SYS_read;
	live.thread.nused = 1;
	store_live(&store, &live);
}

static void see_final(uint32_t proc_id, uint32_t thread_id, uint32_t reads, uint32_t flags)
{
	struct syscalls_final_short f = {
		.head = { .kind = EVENT_SYSCALLS_FINAL,
			  .flags = flags | FINAL_SHORT,
			  .who = { .proc_id = proc_id, .thread_id = thread_id } },
		.ncalls = 1,
		.nerrors = 1,
		.calls = { { SYS_read, reads } },
		.errors = { { .count = reads / 2, .slot = SYS_read, .err = EAGAIN } },
	};

	assert_true(store_final(&store, &f.head, sizeof(f)));
}

static void a_thread_seen_alive_and_ended_counts_once(void **state)
{
	see_live(1, 7, 10);
	see_live(1, 7, 25);
	assert_int_equal(in_tree(SYS_read), 25);
	see_final(1, 7, 30, 0);
	assert_int_equal(in_tree(SYS_read), 30);
	assert_int_equal(in_process(1, SYS_read), 30);
	assert_null(store.threads);
	assert_int_equal(tally_get(&store.tree, tally_key(ABI_NATIVE, SYS_read, EAGAIN)), 15);
}

static void a_whole_final_record_counts_every_slot(void **state)
{
	struct syscalls_final f = { .head = { .kind = EVENT_SYSCALLS_FINAL,
					      .who = { .proc_id = 3 } } };

	for (uint32_t slot = 0; slot < CALL_SLOTS; slot++)
		f.thread.counts[slot] = slot + 1;
	assert_true(store_final(&store, &f.head, sizeof(f)));
	assert_int_equal(tally_total(&store.tree), CALL_SLOTS * (CALL_SLOTS + 1) / 2);
	assert_int_equal(in_tree(slot_call(CALL_SLOTS - 1)), CALL_SLOTS);
}

static void a_cut_record_is_refused(void **state)
{
	struct syscalls_final_short f = { .head = { .flags = FINAL_SHORT }, .ncalls = 1 };

	assert_false(store_final(&store, &f.head, sizeof(f) - 1));
	f.head.flags = 0;
	assert_false(store_final(&store, &f.head, sizeof(f)));
	assert_int_equal(store.tree.n, 0);
}

static void a_wrapped_count_goes_on(void **state)
{
	struct rare_key carry = { .proc_id = 1, .nr = SYS_read };

	see_live(1, 7, 0xfffffff0);
	see_live(1, 7, 5); /* 4 + 1: the count restarts at 1 */
	store_rare(&store, &carry, 0xffffffff);
	assert_true(in_tree(SYS_read) == 0x100000004);
	store_rare(&store, &carry, 0xffffffff);
	assert_true(in_tree(SYS_read) == 0x100000004);
}

static void rare_rows_go_with_their_process(void **state)
{
	struct rare_key key = { .proc_id = 1, .nr = 20, .abi = ABI_I386 };

	see_final(1, 7, 2, 0);
	assert_false(store_rare(&store, &key, 3));
	assert_false(store_rare(&store, &key, 4));
	see_final(1, 8, 2, FINAL_GROUP_DEAD);
	assert_true(store_rare(&store, &key, 5));
	assert_int_equal(tally_get(&store.tree, tally_key(ABI_I386, 20, 0)), 5);
	assert_null(store.rare);
}

static void a_spilled_thread_stays_in_the_tree(void **state)
{
	see_live(1, 7, 10);
	store_spilled_thread(&store, 7);
	store_spill(&store, call_slot(SYS_read), &(struct spill){ 12, 1 });
	store_spill(&store, call_slot(SYS_read), &(struct spill){ 14, 2 });
	assert_int_equal(in_tree(SYS_read), 14);
	assert_int_equal(tally_get(&store.tree, tally_key(ABI_NATIVE, SYS_read, ERR_UNKNOWN)), 2);
}

static void the_tree_outlives_its_processes(void **state)
{
	for (uint32_t id = 1; id <= 100; id++)
		see_final(id, id, id, FINAL_GROUP_DEAD);
	assert_true(store.nprocesses <= 8);
	assert_int_equal(store.nprocesses + store.processes_cut, 100);
	assert_int_equal(in_tree(SYS_read), 5050);
	assert_int_equal(in_process(100, SYS_read), 100);
}

static void the_living_are_not_dropped(void **state)
{
	for (uint32_t id = 1; id <= 20; id++)
		see_final(id, id, 1, 0);
	assert_int_equal(store.nprocesses, 8);
	assert_int_equal(store.processes_cut, 12);
	assert_int_equal(in_tree(SYS_read), 20);
	assert_int_equal(in_process(8, SYS_read), 1);
}

static void a_table_joins_conventions_and_sorts(void **state)
{
	struct report *r = report_new();
	const struct syscall_table *t = &r->syscalls.tree;

	tally_add(&store.tree, tally_key(ABI_NATIVE, SYS_getpid, 0), 5);
	tally_add(&store.tree, tally_key(ABI_I386, 20, 0), 2);
	tally_add(&store.tree, tally_key(ABI_NATIVE, SYS_openat, 0), 9);
	tally_add(&store.tree, tally_key(ABI_NATIVE, SYS_openat, ENOENT), 1);
	tally_add(&store.tree, tally_key(ABI_NATIVE, SYS_openat, EACCES), 3);
	tally_add(&store.tree, tally_key(ABI_NATIVE, SYS_openat, ERR_UNKNOWN), 2);
	tally_add(&store.tree, tally_key(ABI_NATIVE, 5000, 0), 1);
	tally_add(&store.tree, tally_key(ABI_URING, 0, 0), 4);
	table_fill(r, &r->syscalls.tree, &store.tree);
	table_fill_uring(r, &store.tree);
	assert_int_equal(t->ncalls, 3);
	assert_int_equal(t->total, 17);
	assert_string_equal(t->calls[0].name, "openat");
	assert_string_equal(t->calls[0].class_name, "file_io");
	assert_int_equal(t->calls[0].nerrors, 3);
	assert_int_equal(t->calls[0].errors[0].err, EACCES);
	assert_int_equal(t->calls[0].errors[1].err, 0);
	assert_int_equal(t->calls[0].errors[2].err, ENOENT);
	assert_string_equal(t->calls[1].name, "getpid");
	assert_int_equal(t->calls[1].count, 7);
	assert_int_equal(t->calls[1].nr, SYS_getpid);
	assert_string_equal(t->calls[2].name, "syscall_5000");
	assert_int_equal(r->syscalls.io_uring_ops, 4);
	assert_string_equal(r->syscalls.uring[0].name, "nop");
	report_free(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_thread_seen_alive_and_ended_counts_once),
		TEST(a_whole_final_record_counts_every_slot),
		TEST(a_cut_record_is_refused),
		TEST(a_wrapped_count_goes_on),
		TEST(rare_rows_go_with_their_process),
		TEST(a_spilled_thread_stays_in_the_tree),
		TEST(the_tree_outlives_its_processes),
		TEST(the_living_are_not_dropped),
		TEST(a_table_joins_conventions_and_sorts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
