/* SPDX-License-Identifier: BSD-2-Clause */
/* Which living processes to attach to; see select.h. */
#include "select.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"

void pid_list_add(struct pid_list *l, pid_t pid)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->pids[i] == pid)
			return;
	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 64;
		l->pids = reallocarray(l->pids, l->room, sizeof(*l->pids));
		if (!l->pids)
			abort();
	}
	l->pids[l->n++] = pid;
}

void pid_list_free(struct pid_list *l)
{
	free(l->pids);
	*l = (struct pid_list){ 0 };
}

/* Calls `visit` with each PID of /proc. */
static int visit_proc(void (*visit)(void *ctx, pid_t pid), void *ctx)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;

	if (!dir)
		return err_set(-errno, "cannot read '/proc'");
	while ((e = readdir(dir)))
		if (isdigit((unsigned char)e->d_name[0]))
			visit(ctx, (pid_t)strtol(e->d_name, NULL, 10));
	closedir(dir);
	return 0;
}

static void add_all(void *ctx, pid_t pid)
{
	if (pid != getpid())
		pid_list_add(ctx, pid);
}

int select_all(struct pid_list *l)
{
	return visit_proc(add_all, l);
}

struct by_name {
	struct pid_list *list;
	const char *name;
};

static void add_named(void *ctx, pid_t pid)
{
	const struct by_name *by = ctx;
	char path[64], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return; /* gone meanwhile */
	if (fgets(comm, sizeof(comm), f))
		comm[strcspn(comm, "\n")] = '\0';
	fclose(f);
	if (!strncmp(comm, by->name, 15) && pid != getpid())
		pid_list_add(by->list, pid);
}

int select_name(struct pid_list *l, const char *name)
{
	struct by_name by = { l, name };

	return visit_proc(add_named, &by);
}

static int cgroup_members(struct pid_list *l, const char *path)
{
	char file[4096];
	FILE *f;
	int pid, n;

	n = snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	if (n < 0 || (size_t)n >= sizeof(file))
		return err_set(-ENAMETOOLONG, "cgroup '%s'", path);
	f = fopen(file, "re");
	if (!f)
		return err_set(-errno, "'%s' is not a cgroup directory: cannot read '%s'", path,
			       file);
	while (fscanf(f, "%d", &pid) == 1)
		if (pid && pid != getpid())
			pid_list_add(l, pid);
	fclose(f);
	return 0;
}

int select_cgroup(struct pid_list *l, const char *path)
{
	int err = cgroup_members(l, path);
	struct dirent *e;
	DIR *dir;

	if (err)
		return err;
	dir = opendir(path);
	if (!dir)
		return err_set(-errno, "cannot read cgroup '%s'", path);
	while (!err && (e = readdir(dir))) {
		char below[4096];

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		if (snprintf(below, sizeof(below), "%s/%s", path, e->d_name) < (int)sizeof(below))
			err = select_cgroup(l, below);
	}
	closedir(dir);
	return err;
}

struct parent {
	pid_t pid, ppid;
};

struct parents {
	struct parent *list;
	size_t n, room;
};

static void add_parent(void *ctx, pid_t pid)
{
	struct parents *all = ctx;
	char path[64], line[512], *close_paren;
	int ppid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(line, sizeof(line), f) && (close_paren = strrchr(line, ')')) &&
	    sscanf(close_paren + 1, " %*c %d", &ppid) == 1) {
		if (all->n == all->room) {
			all->room = all->room ? all->room * 2 : 256;
			all->list = reallocarray(all->list, all->room, sizeof(*all->list));
			if (!all->list)
				abort();
		}
		all->list[all->n++] = (struct parent){ pid, ppid };
	}
	fclose(f);
}

int select_descendants(struct pid_list *l)
{
	struct parents all = { 0 };
	int err = visit_proc(add_parent, &all);

	/* the list grows while it is walked, so children of children are found too */
	for (size_t i = 0; !err && i < l->n; i++)
		for (size_t k = 0; k < all.n; k++)
			if (all.list[k].ppid == l->pids[i] && all.list[k].pid != getpid())
				pid_list_add(l, all.list[k].pid);
	free(all.list);
	return err;
}
