/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stacks as one tree, the children of a node by name. A node is a step of a path (see
 * stack_path.h) with its time in each state, that of its children included. Too small nodes
 * are left out: their time stays in their parent's.
 */
#ifndef DWELL_FLAME_TREE_H
#define DWELL_FLAME_TREE_H

#include "stack_path.h"

#define FLAME_NODES 50000 /* at most; for less the cut is lower */
#define FLAME_SHARE 20000 /* a node has at least 1/20000 of all time: 0.1 of 2,000 pixels */

struct flame_node {
	struct stack_step step;
	size_t depth; /* the root, which is all, has 0 and no name */
	uint64_t ns, cut_ns;
	uint64_t states[LEDGER_STATES];
};

struct flame_tree {
	struct flame_node *nodes; /* a parent stands before its children; the first is the root */
	size_t n, size, depth;    /* depth: the largest */
	uint64_t share;           /* what was left out is below 1/share of all */
	size_t cut;               /* nodes left out */
	uint64_t cut_ns;          /* their time */
};

/* 0 or -errno. */
int flame_tree_make(struct flame_tree *t, const struct stacks_report *s);
void flame_tree_free(struct flame_tree *t);

#endif
