/* SPDX-License-Identifier: BSD-2-Clause */
/* Which living processes to attach to: by PID, by name, by cgroup, all; with descendants. */
#ifndef DWELL_SELECT_H
#define DWELL_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct pid_list {
	pid_t *pids;
	size_t n, room;
};

void pid_list_add(struct pid_list *l, pid_t pid); /* once each */
void pid_list_free(struct pid_list *l);
/* Every process of /proc but this one. 0 or -errno. */
int select_all(struct pid_list *l);
/* Those whose comm is `name`. */
int select_name(struct pid_list *l, const char *name);
/* The members of a cgroup directory and of those below it. */
int select_cgroup(struct pid_list *l, const char *path);
/* Adds the descendants of those in the list. */
int select_descendants(struct pid_list *l);

#endif
