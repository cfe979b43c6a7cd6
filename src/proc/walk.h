/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree below a process as /proc tells it, for when BPF does not: walked at each
 * sample. A descendant once seen stays until it ends, also when its parent dies first
 * (double fork); one whose parent came and went between two walks is not found.
 */
#ifndef DWELL_PROC_WALK_H
#define DWELL_PROC_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "member.h"

struct proc_tree;

/* Whether this kernel lists a thread's children (CONFIG_PROC_CHILDREN). */
bool proc_has_children(void);
struct proc_tree *proc_tree_new(pid_t root, bool by_children);
void proc_tree_free(struct proc_tree *t);
/* Members that exist (zombies too), the root first if it does; valid until the next call. 0 or
 * -errno. */
int proc_tree_walk(struct proc_tree *t, const struct proc_member **members, size_t *n);

#endif
