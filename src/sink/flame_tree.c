/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow: the rows by path, so that a node is complete when the next row leaves it; then its
 * time goes to its parent, and the node itself goes when it is too small. Only the nodes that
 * stay and those of one path are ever there. When too many stay, again with a larger cut.
 */
#include "flame_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

struct builder {
	struct flame_tree *tree;
	uint64_t least; /* ns of a node that stays */
	size_t *open;   /* nodes of the present path, from the root */
	size_t nopen, size;
};

static int open_node(struct builder *b, struct stack_step step)
{
	struct flame_tree *t = b->tree;

	if (t->n == t->size) {
		size_t size = t->size ? 2 * t->size : 256;
		struct flame_node *grown = reallocarray(t->nodes, size, sizeof(*grown));

		if (!grown)
			return err_set(-ENOMEM, "no memory for the flame graph");
		t->nodes = grown;
		t->size = size;
	}
	if (b->nopen == b->size) {
		size_t size = 2 * b->size;
		size_t *grown = reallocarray(b->open, size, sizeof(*grown));

		if (!grown)
			return err_set(-ENOMEM, "no memory for the flame graph");
		b->open = grown;
		b->size = size;
	}
	t->nodes[t->n] = (struct flame_node){ .step = step, .depth = b->nopen };
	b->open[b->nopen++] = t->n++;
	return 0;
}

static void close_node(struct builder *b)
{
	struct flame_tree *t = b->tree;
	struct flame_node *node = &t->nodes[b->open[--b->nopen]];
	struct flame_node *parent = b->nopen ? &t->nodes[b->open[b->nopen - 1]] : NULL;

	if (parent) {
		parent->ns += node->ns;
		for (size_t i = 0; i < LEDGER_STATES; i++)
			parent->states[i] += node->states[i];
	}
	if (!parent || (node->ns && node->ns >= b->least)) {
		t->cut_ns += node->cut_ns;
		t->depth = node->depth > t->depth ? node->depth : t->depth;
		return;
	}
	parent->cut_ns += node->ns; /* its children went before it: it is the last node */
	t->cut += node->ns != 0;
	t->n--;
}

static int add_row(struct builder *b, const struct stack_row *row)
{
	struct flame_node *leaf;
	int err = 0;

	for (size_t i = b->nopen - 1; i < stack_path_steps(row) && !err; i++)
		err = open_node(b, stack_path_step(row, i));
	if (err)
		return err;
	leaf = &b->tree->nodes[b->open[b->nopen - 1]];
	leaf->ns += row->ns;
	leaf->states[row->state < LEDGER_STATES ? row->state : STATE_OTHER] += row->ns;
	return 0;
}

static int build(struct flame_tree *t, const struct stack_row **rows, size_t n, uint64_t least)
{
	struct builder b = { .tree = t, .least = least, .size = 64 };
	int err;

	b.open = calloc(b.size, sizeof(*b.open));
	if (!b.open)
		return err_set(-ENOMEM, "no memory for the flame graph");
	t->n = t->cut = t->depth = 0;
	t->cut_ns = 0;
	err = open_node(&b, (struct stack_step){ .name = "" });
	for (size_t i = 0; !err && i < n; i++) {
		size_t common = i ? stack_path_common(rows[i - 1], rows[i]) : 0;

		while (b.nopen > common + 1)
			close_node(&b);
		err = add_row(&b, rows[i]);
		if (!err && t->n > FLAME_NODES + b.nopen)
			err = -E2BIG;
	}
	while (!err && b.nopen)
		close_node(&b);
	free(b.open);
	return err;
}

int flame_tree_make(struct flame_tree *t, const struct stacks_report *s)
{
	uint64_t whole = stack_rows_ns(s);
	const struct stack_row **rows;
	int err;

	*t = (struct flame_tree){ .share = FLAME_SHARE };
	rows = stack_rows_sorted(s, STACK_BY_PATH, &err);
	if (err)
		return err;
	while ((err = build(t, rows, s->nrows, whole / t->share)) == -E2BIG && t->share > 1)
		t->share /= 2;
	free(rows);
	if (err)
		flame_tree_free(t);
	return err;
}

void flame_tree_free(struct flame_tree *t)
{
	free(t->nodes);
	*t = (struct flame_tree){ 0 };
}
