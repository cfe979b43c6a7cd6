/* SPDX-License-Identifier: BSD-2-Clause */
/* Flow: sort the rows by path, add up those that are alike, write a line for each sum. */
#include "folded.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "stack_path.h"
#include "stream.h"

/* A `;` inside of a name would be taken for the end of it. */
#define SEPARATOR ';'

static void put_state(struct stream *s, const struct stack_row *row)
{
	stream_printf(s, "[%s]", stack_state_name(row->state));
}

static void put_line(struct stream *s, const struct stack_row *row, uint64_t ns,
		     enum folded_state where)
{
	size_t n = stack_path_steps(row);

	if (where == FOLDED_STATE_FIRST) {
		put_state(s, row);
		stream_put(s, ";", 1);
	}
	for (size_t i = 0; i < n; i++) {
		struct stack_step step = stack_path_step(row, i);
		const char *suffix = stack_step_suffix(step.kind);

		if (i)
			stream_put(s, ";", 1);
		stream_name(s, step.name, SEPARATOR);
		stream_put(s, suffix, strlen(suffix));
	}
	if (where == FOLDED_STATE_LAST) {
		stream_put(s, ";", 1);
		put_state(s, row);
	}
	stream_printf(s, " %" PRIu64 "\n", ns);
}

static bool one_line(const struct stack_row *a, const struct stack_row *b, enum folded_state where)
{
	size_t n = stack_path_steps(a);

	return (where == FOLDED_STATE_NONE || a->state == b->state) && stack_path_steps(b) == n &&
	       stack_path_common(a, b) == n;
}

int folded_write(const struct report *r, struct outfile *f, enum folded_state where)
{
	const struct stacks_report *stacks = &r->stacks;
	const struct stack_row **rows;
	struct stream *s = NULL;
	int err;

	rows = stack_rows_sorted(stacks, STACK_BY_PATH, &err);
	if (!err)
		err = stream_open(&s, f, false);
	for (size_t i = 0, next; !err && i < stacks->nrows; i = next) {
		uint64_t ns = rows[i]->ns;

		for (next = i + 1; next < stacks->nrows && one_line(rows[i], rows[next], where);
		     next++)
			ns += rows[next]->ns;
		if (ns)
			put_line(s, rows[i], ns, where);
	}
	free(rows);
	return stream_close(s) ?: err;
}
