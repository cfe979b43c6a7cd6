/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of Debian's own programs and libraries, of the vdso and of hand-made code, each row
 * compared with what elfutils' libdw says of the same address.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "eh_hard.h"
#include "eh_table.h"
#include "eh_truth.h"

#define LIBRARIES "/usr/lib/x86_64-linux-gnu/"
#define ROWS 300000 /* of one file, spread over it when it has more */
#define ENTRY 64    /* bytes of code at e_entry that may be without an FDE */
#define PADDING 16  /* bytes between functions that take the row before */

struct comparison {
	const struct eh_table *table;
	const struct eh_truth *truth;
	uint64_t entry;
	const char *name;
	size_t points, mismatches;
};

/* Whether the end of a function that libdw knows is at most PADDING bytes before. */
static bool padding(const struct comparison *c, uint64_t address)
{
	for (uint64_t back = 1; back <= PADDING; back++)
		if (eh_truth_row(c->truth, address - back).rule != UNWIND_NONE)
			return true;
	return false;
}

/* Where dwell means to differ: the program's entry has no caller, padding takes any row. */
static bool meant(const struct comparison *c, uint64_t address, const struct unwind_row *ours,
		  const struct unwind_row *truth)
{
	if (ours->rule == UNWIND_END && c->entry && c->table->base + ours->pc == c->entry)
		return truth->rule != UNWIND_NONE || address - c->entry < ENTRY;
	return truth->rule == UNWIND_NONE && padding(c, address);
}

static void compare(struct comparison *c, uint64_t address)
{
	static const struct unwind_row none = { .rule = UNWIND_NONE };
	const struct unwind_row *ours = eh_table_find(c->table, address);
	struct unwind_row truth = eh_truth_row(c->truth, address);

	if (!ours)
		ours = &none;
	c->points++;
	if (ours->rule == truth.rule && ours->cfa == truth.cfa && ours->rbp == truth.rbp &&
	    ours->rbx == truth.rbx)
		return;
	if (meant(c, address, ours, &truth))
		return;
	if (c->mismatches++ < 5)
		print_error("%s at %#lx: rule %d cfa %d rbp %d rbx %d, libdw: "
			    "rule %d cfa %d rbp %d rbx %d\n",
			    c->name, (unsigned long)address, ours->rule, ours->cfa, ours->rbp,
			    ours->rbx, truth.rule, truth.cfa, truth.rbp, truth.rbx);
}

/* Rows in order, and in the index where find() looks for them. */
static void check_order(const struct eh_table *t)
{
	assert_true(t->nrows && t->npages == (t->span + UNWIND_PAGE - 1) / UNWIND_PAGE);
	for (size_t i = 0; i < t->nrows; i++) {
		const struct unwind_page *page = &t->pages[t->rows[i].pc / UNWIND_PAGE];

		assert_true(t->rows[i].pc < t->span);
		assert_true(!i || t->rows[i].pc > t->rows[i - 1].pc);
		assert_true(i >= page->low && i < page->high);
		assert_true(page->high <= t->nrows);
		assert_true(!i || t->rows[i].rule != t->rows[i - 1].rule ||
			    t->rows[i].cfa != t->rows[i - 1].cfa ||
			    t->rows[i].rbp != t->rows[i - 1].rbp ||
			    t->rows[i].rbx != t->rows[i - 1].rbx);
	}
}

/*
 * The first and the last byte of each row (of each `step`th when there are many), and as
 * many places anywhere in the text.
 */
static void compare_all(struct comparison *c)
{
	const struct eh_table *t = c->table;
	size_t step = t->nrows / ROWS + 1;
	uint64_t random = 88172645463325252ULL;

	check_order(t);
	for (size_t i = 0; i < t->nrows; i += step) {
		uint64_t end = i + 1 < t->nrows ? t->rows[i + 1].pc : t->span;

		compare(c, t->base + t->rows[i].pc);
		compare(c, t->base + end - 1);
	}
	for (size_t i = 0; i < t->nrows; i += step) {
		const struct eh_segment *s = &t->segments[i / step % t->nsegments];

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		compare(c, s->vaddr + random % s->size);
	}
	assert_int_equal(c->mismatches, 0);
}

static void compare_file(const char *path, struct eh_table *t)
{
	struct comparison c = { .table = t, .name = path };
	struct eh_truth truth;
	Elf64_Ehdr header;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(eh_table_read(t, fd), 0);
	assert_true(eh_truth_open(&truth, fd));
	c.truth = &truth;
	c.entry = header.e_entry;
	compare_all(&c);
	eh_truth_close(&truth);
	close(fd);
	printf("# %s: %zu rows, %zu points equal, %.2f %% unsupported\n", path, t->nrows, c.points,
	       100.0 * (double)t->unsupported / (double)t->covered);
}

/* What is on every machine that runs the tests, then what is on some. */
static void debian_files_are_as_libdw_says(void **state)
{
	static const char *const always[] = {
		LIBRARIES "libc.so.6",
		"/lib64/ld-linux-x86-64.so.2",
		"/proc/self/exe",
		"/usr/bin/bash",
		"/usr/bin/python3",
		LIBRARIES "libstdc++.so.6",
		LIBRARIES "libcrypto.so.3",
		LIBRARIES "libsqlite3.so.0",
		LIBRARIES "libLLVM-14.so.1",
		"/usr/bin/qemu-system-x86_64",
		"/usr/bin/busybox", /* static */
	};
	struct eh_table t;

	for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++) {
		compare_file(always[i], &t);
		eh_table_free(&t);
	}
}

static void node_has_several_segments(void **state)
{
	struct eh_table t;

	if (access("/usr/bin/node", R_OK))
		skip();
	compare_file("/usr/bin/node", &t);
	if (t.nsegments < 2)
		print_message("# node has one segment here\n");
	eh_table_free(&t);
}

/* From the program header to the last byte of the mapping named [vdso]. */
static size_t vdso_size(uint64_t start)
{
	char line[512];
	unsigned long from, to, size = 0;
	FILE *f = fopen("/proc/self/maps", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && from == start)
			size = to - from;
	fclose(f);
	return size;
}

static void the_vdso_is_as_libdw_says(void **state)
{
	uint64_t start = getauxval(AT_SYSINFO_EHDR);
	struct comparison c = { .name = "vdso" };
	struct eh_truth truth;
	struct eh_table t;
	size_t size;
	void *copy;

	if (!start)
		skip();
	size = vdso_size(start);
	assert_true(size);
	copy = malloc(size);
	assert_non_null(copy);
	memcpy(copy, (const void *)(uintptr_t)start, size);
	assert_int_equal(eh_table_read_image(&t, copy, size), 0);
	assert_true(eh_truth_open_memory(&truth, copy, size));
	c.table = &t;
	c.truth = &truth;
	compare_all(&c);
	assert_int_equal(t.unsupported, 0);
	eh_truth_close(&truth);
	eh_table_free(&t);
	free(copy);
}

/* Each rule, as written down in eh_hard.S, at its label. */
static void hand_made_rules(void **state)
{
	struct eh_table t;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	uint64_t bias = eh_hard_bias();

	assert_true(fd >= 0);
	assert_int_equal(eh_table_read(&t, fd), 0);
	for (const struct eh_hard *h = eh_hard_places; h->what; h++) {
		const struct unwind_row *row =
			eh_table_find(&t, (uint64_t)(uintptr_t)h->place - bias);

		if (!row || row->rule != h->row.rule || row->cfa != h->row.cfa ||
		    row->rbx != h->row.rbx || row->rbp != h->row.rbp)
			fail_msg("%s: rule %d cfa %d rbp %d rbx %d, wanted %d %d %d %d", h->what,
				 row ? row->rule : -1, row ? row->cfa : 0, row ? row->rbp : 0,
				 row ? row->rbx : 0, h->row.rule, h->row.cfa, h->row.rbp,
				 h->row.rbx);
	}
	eh_table_free(&t);
	close(fd);
}

/* readelf's word for it: `readelf -n`, `readelf -l`. */
static void identify_finds_what_read_finds(void **state)
{
	struct eh_table whole, brief;
	int fd = open(LIBRARIES "libc.so.6", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(eh_table_read(&whole, fd), 0);
	assert_int_equal(eh_table_identify(&brief, fd), 0);
	assert_int_equal(whole.build_id_len, 20);
	assert_int_equal(brief.build_id_len, 20);
	assert_memory_equal(whole.build_id, brief.build_id, 20);
	assert_int_equal(brief.nsegments, whole.nsegments);
	assert_memory_equal(brief.segments, whole.segments, sizeof(brief.segments));
	assert_int_equal(brief.base, whole.base);
	assert_int_equal(brief.nrows, 0);
	eh_table_free(&whole);
	eh_table_free(&brief);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(debian_files_are_as_libdw_says),
		cmocka_unit_test(node_has_several_segments),
		cmocka_unit_test(the_vdso_is_as_libdw_says),
		cmocka_unit_test(hand_made_rules),
		cmocka_unit_test(identify_finds_what_read_finds),
	};

	return cmocka_run_group_tests_name("eh_table", tests, NULL, NULL);
}
