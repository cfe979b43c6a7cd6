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

static void put_error(struct syscalls_row *row, unsigned at, int err, uint64_t n)
{
	row->errors[at] =
		(struct call_error){ call_error_key(call_slot(SYS_read), (uint32_t)err), n };
}

/* Two stripes, of which the first has one read and no error. */
static void see_rows(uint32_t proc_id, uint64_t reads)
{
	struct syscalls_row rows[2] = { 0 };

	rows[0].counts[call_slot(SYS_read)] = 1;
	rows[1].counts[call_slot(SYS_read)] = reads - 1;
	put_error(&rows[1], 3, EAGAIN, reads / 2);
	store_rows(&store, proc_id, rows, 2);
}

static void see_end(uint32_t proc_id, uint64_t reads)
{
	see_rows(proc_id, reads);
	store_end(&store, proc_id);
}

static void a_process_seen_alive_and_ended_counts_once(void **state)
{
	see_rows(1, 10);
	see_rows(1, 25);
	assert_int_equal(in_tree(SYS_read), 25);
	see_end(1, 30);
	assert_int_equal(in_tree(SYS_read), 30);
	assert_int_equal(in_process(1, SYS_read), 30);
	assert_null(store.seen);
	assert_int_equal(tally_get(&store.tree, tally_key(ABI_NATIVE, SYS_read, EAGAIN)), 15);
}

static void every_slot_of_a_row_counts(void **state)
{
	struct syscalls_row row = { 0 };

	for (uint32_t slot = 0; slot < CALL_SLOTS; slot++)
		row.counts[slot] = slot + 1;
	store_rows(&store, 3, &row, 1);
	assert_int_equal(tally_total(&store.tree), CALL_SLOTS * (CALL_SLOTS + 1) / 2);
	assert_int_equal(in_tree(slot_call(CALL_SLOTS - 1)), CALL_SLOTS);
}

/* Stripes have an error wherever there was room; what had none is in syscalls_rare. */
static void an_error_is_one_wherever_it_stands(void **state)
{
	struct rare_key elsewhere = { .proc_id = 1, .nr = SYS_read, .err = EAGAIN };
	struct syscalls_row rows[2] = { 0 };

	put_error(&rows[0], 0, EAGAIN, 2);
	put_error(&rows[0], 1, EIO, 1);
	put_error(&rows[1], 5, EAGAIN, 3);
	store_rows(&store, 1, rows, 2);
	store_rare(&store, &elsewhere, 4);
	assert_int_equal(tally_get(&store.tree, tally_key(ABI_NATIVE, SYS_read, EAGAIN)), 9);
	assert_int_equal(tally_get(&store.tree, tally_key(ABI_NATIVE, SYS_read, EIO)), 1);
	put_error(&rows[1], 5, EAGAIN, 10);
	store_rows(&store, 1, rows, 2);
	assert_int_equal(tally_get(&store.tree, tally_key(ABI_NATIVE, SYS_read, EAGAIN)), 16);
}

static void who_has_no_slot_is_in_the_tree(void **state)
{
	see_rows(0, 10);
	see_rows(0, 12);
	assert_int_equal(in_tree(SYS_read), 12);
	assert_null(store.processes);
}

static void rare_rows_go_with_their_process(void **state)
{
	struct rare_key key = { .proc_id = 1, .nr = 20, .abi = ABI_I386 };

	see_rows(1, 2);
	assert_false(store_rare(&store, &key, 3));
	assert_false(store_rare(&store, &key, 4));
	see_end(1, 4);
	assert_true(store_rare(&store, &key, 5));
	assert_int_equal(tally_get(&store.tree, tally_key(ABI_I386, 20, 0)), 5);
	assert_null(store.rare);
}

static bool is_odd(void *ctx, uint32_t proc_id)
{
	return proc_id & 1;
}

/* Of a process that is gone and forgotten they make no new one. */
static void rare_rows_of_the_forgotten_go(void **state)
{
	struct rare_key gone = { .proc_id = 1, .nr = 20, .abi = ABI_I386 };
	struct rare_key alive = { .proc_id = 2, .nr = 20, .abi = ABI_I386 };

	store.gone = is_odd;
	assert_true(store_rare(&store, &gone, 5));
	assert_null(store_process(&store, 1));
	assert_false(store_rare(&store, &alive, 3));
	assert_non_null(store_process(&store, 2));
	assert_int_equal(tally_get(&store.tree, tally_key(ABI_I386, 20, 0)), 8);
}

static void what_no_table_had_room_for_stays_in_the_tree(void **state)
{
	see_rows(1, 10);
	store_spill(&store, call_slot(SYS_read), &(struct spill){ 2, 1 });
	store_spill(&store, call_slot(SYS_read), &(struct spill){ 4, 2 });
	assert_int_equal(in_tree(SYS_read), 14);
	assert_int_equal(tally_get(&store.tree, tally_key(ABI_NATIVE, SYS_read, ERR_UNKNOWN)), 2);
}

static void the_tree_outlives_its_processes(void **state)
{
	for (uint32_t id = 1; id <= 100; id++)
		see_end(id, id);
	assert_true(store.nprocesses <= 8);
	assert_int_equal(store.nprocesses + store.processes_cut, 100);
	assert_int_equal(in_tree(SYS_read), 5050);
	assert_int_equal(in_process(100, SYS_read), 100);
}

static void the_living_are_not_dropped(void **state)
{
	for (uint32_t id = 1; id <= 20; id++)
		see_rows(id, 1);
	assert_int_equal(store.nprocesses, 8);
	assert_int_equal(store.processes_cut, 12);
	assert_int_equal(in_tree(SYS_read), 20);
	assert_int_equal(in_process(8, SYS_read), 1);
	for (uint32_t id = 1; id <= 20; id++)
		see_rows(id, 2);
	assert_int_equal(store.processes_cut, 12); /* each is said once */
	see_end(1, 2);
	see_rows(21, 1);
	assert_int_equal(in_process(21, SYS_read), 1);
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
		TEST(a_process_seen_alive_and_ended_counts_once),
		TEST(every_slot_of_a_row_counts),
		TEST(an_error_is_one_wherever_it_stands),
		TEST(who_has_no_slot_is_in_the_tree),
		TEST(rare_rows_go_with_their_process),
		TEST(rare_rows_of_the_forgotten_go),
		TEST(what_no_table_had_room_for_stays_in_the_tree),
		TEST(the_tree_outlives_its_processes),
		TEST(the_living_are_not_dropped),
		TEST(a_table_joins_conventions_and_sorts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
