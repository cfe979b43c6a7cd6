// SPDX-License-Identifier: BSD-2-Clause
// alloc_ranges: ranges against a plain array of pages, each of which knows its owner.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_ranges.h"

#define PAGES 200
#define OWNERS 5

static char owners[OWNERS];

struct book {
	struct alloc_ranges ranges;
	void *page[PAGES];    /* the truth */
	int64_t live[OWNERS]; /* what was added less what was told as gone */
};

static void gone(void *ctx, const struct alloc_range *piece)
{
	struct book *b = ctx;
	int64_t *live = &b->live[(char *)piece->owner - owners];

	assert_true(piece->start < piece->end);
	*live -= (int64_t)(piece->end - piece->start);
	assert_true(*live >= 0);
}

static void unmap(struct book *b, uint64_t start, uint64_t end)
{
	assert_true(alloc_ranges_cut(&b->ranges, start, end, PAGES, gone, b));
	for (uint64_t i = start; i < end; i++)
		b->page[i] = NULL;
}

static void map(struct book *b, uint64_t start, uint64_t end, int owner)
{
	struct alloc_range range = { start, end, &owners[owner] };

	unmap(b, start, end);
	assert_true(alloc_ranges_add(&b->ranges, &range, PAGES));
	b->live[owner] += (int64_t)(end - start);
	for (uint64_t i = start; i < end; i++)
		b->page[i] = &owners[owner];
}

static void check(const struct book *b)
{
	int64_t live[OWNERS] = { 0 };
	void *page[PAGES] = { NULL };
	uint64_t last = 0;

	for (size_t i = 0; i < b->ranges.n; i++) {
		const struct alloc_range *r = &b->ranges.list[i];

		assert_true(r->start >= last && r->end > r->start);
		last = r->end;
		for (uint64_t k = r->start; k < r->end; k++)
			page[k] = r->owner;
	}
	assert_memory_equal(page, b->page, sizeof(page));
	for (int i = 0; i < PAGES; i++)
		if (b->page[i])
			live[(char *)b->page[i] - owners]++;
	assert_memory_equal(live, b->live, sizeof(live));
}

static void any_sequence_agrees_with_the_pages(void **state)
{
	struct book b = { 0 };

	srand(7);
	for (int i = 0; i < 20000; i++) {
		uint64_t start = (uint64_t)rand() % PAGES;
		uint64_t end = start + 1 + (uint64_t)rand() % 20;

		if (end > PAGES)
			end = PAGES;
		if (rand() % 2)
			map(&b, start, end, rand() % OWNERS);
		else
			unmap(&b, start, end);
		check(&b);
	}
	alloc_ranges_free(&b.ranges);
	assert_int_equal(b.ranges.n, 0);
}

static void steps_of_one_owner_are_one_range(void **state)
{
	struct book b = { 0 };

	for (uint64_t i = 0; i < 50; i++)
		map(&b, i, i + 1, 2);
	assert_int_equal(b.ranges.n, 1);
	check(&b);
	alloc_ranges_free(&b.ranges);
}

static void what_has_no_room_is_told_as_gone(void **state)
{
	struct alloc_range range = { 0, 100, &owners[0] };
	struct book b = { .live = { 100 } };

	assert_true(alloc_ranges_add(&b.ranges, &range, 1));
	assert_false(alloc_ranges_cut(&b.ranges, 40, 50, 1, gone, &b));
	assert_int_equal(b.ranges.n, 1);
	assert_int_equal(b.live[0], 40); /* the rest of the two pieces is given up */
	range = (struct alloc_range){ 200, 300, &owners[1] };
	assert_false(alloc_ranges_add(&b.ranges, &range, 1));
	alloc_ranges_free(&b.ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_sequence_agrees_with_the_pages),
		cmocka_unit_test(steps_of_one_owner_are_one_range),
		cmocka_unit_test(what_has_no_room_is_told_as_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
