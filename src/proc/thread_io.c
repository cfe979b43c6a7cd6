/* SPDX-License-Identifier: BSD-2-Clause */
/* One small file a thread. The gone are sorted once a reading and looked up. */
#include "thread_io.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GONE_MAX 65536 /* older ones left /proc long ago */

void gone_add(struct gone_set *g, uint32_t tid)
{
	if (g->n == GONE_MAX) {
		g->n /= 2;
		memmove(g->tids, g->tids + g->n, g->n * sizeof(*g->tids));
	}
	if (g->n == g->size) {
		size_t size = g->size ? 2 * g->size : 4;
		uint32_t *grown = reallocarray(g->tids, size, sizeof(*grown));

		if (!grown)
			return;
		g->tids = grown;
		g->size = size;
	}
	g->tids[g->n++] = tid;
}

void gone_release(struct gone_set *g)
{
	free(g->tids);
	memset(g, 0, sizeof(*g));
}

static int by_tid(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* A thread that ends meanwhile is no error: its exit will be told. */
static int add_thread(pid_t pid, uint32_t tid, struct proc_io *sum)
{
	struct proc_io io;
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/proc/%d/task/%u/io", pid, tid);
	err = proc_io_read_file(path, &io);
	if (err)
		return err == -ENOENT || err == -ESRCH ? 0 : err;
	sum->rchar += io.rchar;
	sum->wchar += io.wchar;
	sum->read_bytes += io.read_bytes;
	sum->write_bytes += io.write_bytes;
	return 0;
}

/* Sums the threads of dir; of the gone, those still shown stay in g. */
static int add_threads(pid_t pid, DIR *dir, struct gone_set *g, struct proc_io *sum)
{
	struct gone_set shown = {};
	struct dirent *e;
	int err = 0;

	if (g->n)
		qsort(g->tids, g->n, sizeof(*g->tids), by_tid);
	while (!err && (e = readdir(dir))) {
		uint32_t tid = (uint32_t)strtoul(e->d_name, NULL, 10);

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		if (g->n && bsearch(&tid, g->tids, g->n, sizeof(tid), by_tid))
			gone_add(&shown, tid);
		else
			err = add_thread(pid, tid, sum);
	}
	gone_release(g);
	*g = shown;
	return err;
}

int thread_io_read(pid_t pid, uint64_t threads, struct gone_set *g, struct proc_io *sum)
{
	char path[64];
	DIR *dir;
	int err;

	memset(sum, 0, sizeof(*sum));
	if (threads == 1 && !g->n)
		return add_thread(pid, (uint32_t)pid, sum);
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	err = add_threads(pid, dir, g, sum);
	closedir(dir);
	return err;
}
