/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths of stacks and their order; see stack_path.h. */
#include "stack_path.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "states.h"

static bool has_thread(const struct stack_row *row)
{
	return row->thread && *row->thread && (!row->comm || strcmp(row->thread, row->comm) != 0);
}

size_t stack_path_steps(const struct stack_row *row)
{
	return 1 + has_thread(row) + row->nframes;
}

static const char *named(const char *name)
{
	return name && *name ? name : "[unnamed]";
}

struct stack_step stack_path_step(const struct stack_row *row, size_t i)
{
	size_t heads = 1 + has_thread(row);
	const struct stack_frame *f;

	if (!i)
		return (struct stack_step){ named(row->comm), STACK_STEP_PROCESS, NULL };
	if (i < heads)
		return (struct stack_step){ row->thread, STACK_STEP_THREAD, NULL };
	f = row->frames[row->nframes - 1 - (i - heads)];
	return (struct stack_step){ named(f->name), f->kind, f };
}

const char *stack_step_suffix(unsigned kind)
{
	switch (kind) {
	case STACK_FRAME_KERNEL:
		return "_[k]";
	case STACK_FRAME_INLINED:
		return "_[i]";
	case STACK_FRAME_JIT:
		return "_[j]";
	case STACK_FRAME_WAKER:
		return "_[w]";
	default:
		return "";
	}
}

const char *stack_state_name(uint32_t state)
{
	return ledger_state_names[state < LEDGER_STATES ? state : STATE_OTHER];
}

static int compare_steps(const struct stack_step *a, const struct stack_step *b)
{
	int order;

	if (a->frame && a->frame == b->frame)
		return 0;
	order = strcmp(a->name, b->name);
	return order ? order : (a->kind > b->kind) - (a->kind < b->kind);
}

static int compare_paths(const struct stack_row *a, const struct stack_row *b, size_t *common)
{
	size_t na = stack_path_steps(a), nb = stack_path_steps(b), i;

	for (i = 0; i < na && i < nb; i++) {
		struct stack_step x = stack_path_step(a, i), y = stack_path_step(b, i);
		int order = compare_steps(&x, &y);

		*common = i;
		if (order)
			return order;
	}
	*common = i;
	return (na > nb) - (na < nb);
}

size_t stack_path_common(const struct stack_row *a, const struct stack_row *b)
{
	size_t common = 0;

	compare_paths(a, b, &common);
	return common;
}

static int compare_threads(const struct stack_row *a, const struct stack_row *b)
{
	if (a->proc_id != b->proc_id)
		return a->proc_id < b->proc_id ? -1 : 1;
	return (a->thread_id > b->thread_id) - (a->thread_id < b->thread_id);
}

static int by_path(const void *a, const void *b)
{
	const struct stack_row *x = *(const struct stack_row *const *)a;
	const struct stack_row *y = *(const struct stack_row *const *)b;
	size_t common;
	int order = compare_paths(x, y, &common);

	if (!order)
		order = (x->state > y->state) - (x->state < y->state);
	if (!order)
		order = compare_threads(x, y);
	return order ? order : (x > y) - (x < y);
}

static int by_thread(const void *a, const void *b)
{
	const struct stack_row *x = *(const struct stack_row *const *)a;
	const struct stack_row *y = *(const struct stack_row *const *)b;
	int order = compare_threads(x, y);

	return order ? order : by_path(a, b);
}

const struct stack_row **stack_rows_sorted(const struct stacks_report *s, enum stack_order order,
					   int *err)
{
	const struct stack_row **rows = calloc(s->nrows + 1, sizeof(*rows));

	*err = rows ? 0 : err_set(-ENOMEM, "no memory to sort the stacks");
	if (!rows)
		return NULL;
	for (size_t i = 0; i < s->nrows; i++)
		rows[i] = &s->rows[i];
	qsort(rows, s->nrows, sizeof(*rows), order == STACK_BY_THREAD ? by_thread : by_path);
	return rows;
}

uint64_t stack_rows_ns(const struct stacks_report *s)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < s->nrows; i++)
		ns += s->rows[i].ns;
	return ns;
}
