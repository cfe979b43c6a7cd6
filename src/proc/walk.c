/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow: forget known processes that ended, then take in the children of all that are left
 * until no more are found: from /proc/PID/task/TID/children, or, on a kernel without that
 * file, by the parent of every process there is.
 */
#include "walk.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "err.h"
#include "read.h"

#define CHILDREN_BYTES (1 << 20) /* of one thread: 130,000 children */

struct known {
	pid_t pid;
	size_t index; /* in members */
	UT_hash_handle hh;
};

struct proc_tree {
	pid_t root;
	bool by_children; /* the kernel has the children file */
	bool started;     /* the root was looked for: its PID may be another's later */
	struct known *known;
	struct proc_member *members;
	size_t n, size;
	char *children; /* CHILDREN_BYTES */
};

bool proc_has_children(void)
{
	return !access("/proc/thread-self/children", F_OK);
}

struct proc_tree *proc_tree_new(pid_t root, bool by_children)
{
	struct proc_tree *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->root = root;
	t->by_children = by_children;
	t->children = malloc(CHILDREN_BYTES);
	if (!t->children) {
		free(t);
		return NULL;
	}
	return t;
}

void proc_tree_free(struct proc_tree *t)
{
	struct known *k, *next;

	if (!t)
		return;
	k = t->known;
	HASH_CLEAR(hh, t->known); /* they stay chained */
	for (; k; k = next) {
		next = k->hh.next;
		free(k);
	}
	free(t->members);
	free(t->children);
	free(t);
}

static uint64_t ticks_ns(uint64_t ticks)
{
	return ticks * (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void member_set(struct proc_member *m, pid_t pid, const struct proc_stat *s)
{
	m->pid = pid;
	m->ppid = s->ppid;
	m->start_ns = ticks_ns(s->start_ticks);
	memcpy(m->comm, s->comm, sizeof(m->comm));
}

static int add(struct proc_tree *t, pid_t pid, const struct proc_stat *s)
{
	struct known *k;

	if (t->n == t->size) {
		size_t size = t->size ? 2 * t->size : 64;
		struct proc_member *grown = reallocarray(t->members, size, sizeof(*grown));

		if (!grown)
			return err_set(-ENOMEM, "cannot keep %zu processes", size);
		t->members = grown;
		t->size = size;
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		return err_set(-ENOMEM, "cannot keep process %d", pid);
	k->pid = pid;
	k->index = t->n;
	member_set(&t->members[t->n++], pid, s);
	HASH_ADD_INT(t->known, pid, k);
	return 0;
}

/* Drops those that ended, or whose PID is another process now; refreshes the rest. */
static void forget_dead(struct proc_tree *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++) {
		struct proc_member m = t->members[i];
		struct proc_stat s;
		struct known *k;
		bool alive = !proc_stat_read(m.pid, &s) && ticks_ns(s.start_ticks) == m.start_ns;

		HASH_FIND_INT(t->known, &m.pid, k);
		if (!k)
			continue;
		if (alive) {
			member_set(&t->members[kept], m.pid, &s);
			k->index = kept++;
		} else {
			HASH_DEL(t->known, k);
			free(k);
		}
	}
	t->n = kept;
}

static int add_if_new(struct proc_tree *t, pid_t pid)
{
	struct proc_stat s;
	struct known *k;

	HASH_FIND_INT(t->known, &pid, k);
	if (k || proc_stat_read(pid, &s))
		return 0;
	return add(t, pid, &s);
}

static int add_children_of(struct proc_tree *t, pid_t pid, int tid)
{
	char path[96], *p = t->children;
	ssize_t n;
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, tid);
	n = proc_read_file(path, t->children, CHILDREN_BYTES);
	if (n < 0)
		return 0; /* the thread is gone; that the file exists at all was seen before */
	while (!err) {
		char *end;
		long child = strtol(p, &end, 10);

		if (end == p)
			break;
		err = add_if_new(t, (pid_t)child);
		p = end;
	}
	return err;
}

static int walk_children(struct proc_tree *t)
{
	int err = 0;

	for (size_t i = 0; i < t->n && !err; i++) { /* t->n grows as we go */
		pid_t pid = t->members[i].pid;
		struct dirent *e;
		char path[64];
		DIR *dir;

		snprintf(path, sizeof(path), "/proc/%d/task", pid);
		dir = opendir(path);
		while (dir && !err && (e = readdir(dir)))
			if (isdigit((unsigned char)e->d_name[0]))
				err = add_children_of(t, pid, atoi(e->d_name));
		if (dir)
			closedir(dir);
	}
	return err;
}

/* One pass over all of /proc; `more` says that a member was found, whose children may have come
 * before. */
static int scan_parents(struct proc_tree *t, bool *more)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	int err = 0;

	if (!dir)
		return err_set(-errno, "cannot read /proc");
	while (!err && (e = readdir(dir))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		struct known *self, *parent;
		struct proc_stat s;

		if (pid <= 0)
			continue;
		HASH_FIND_INT(t->known, &pid, self);
		if (self || proc_stat_read(pid, &s))
			continue;
		HASH_FIND_INT(t->known, &s.ppid, parent);
		if (!parent)
			continue;
		*more = true;
		err = add(t, pid, &s);
	}
	closedir(dir);
	return err;
}

int proc_tree_walk(struct proc_tree *t, const struct proc_member **members, size_t *n)
{
	bool more = !t->by_children;
	int err = 0;

	forget_dead(t);
	if (!t->started)
		err = add_if_new(t, t->root);
	t->started = true;
	if (!err && t->by_children)
		err = walk_children(t);
	while (!err && more) {
		more = false;
		err = scan_parents(t, &more);
	}
	*members = t->members;
	*n = t->n;
	return err;
}
