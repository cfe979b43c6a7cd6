/* SPDX-License-Identifier: BSD-2-Clause */
/* See mapped_file.h. */
#include "mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DELETED " (deleted)"

static void cut_deleted(char *path)
{
	size_t n = strlen(path), tail = strlen(DELETED);

	if (n > tail && !strcmp(path + n - tail, DELETED))
		path[n - tail] = '\0';
}

/*
 * By the time that we open it the process may have executed another program, or its number may
 * be another's. On the device that the kernel side saw, the inode decides: what a JIT has
 * written to since is still that file. stat() may tell of another device, and inode, than the
 * kernel has (overlay, btrfs), but of the same time of the last write.
 */
static bool is_it(int fd, const struct stacks_file_event *event)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	if ((major(st.st_dev) << 20 | minor(st.st_dev)) == event->dev)
		return st.st_ino == event->inode;
	return (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec ==
	       event->changed;
}

/* What was opened as m->fd, if it is the file: 0 or -errno. */
static int keep_it(struct mapped_file *m, const struct stacks_file_event *event)
{
	if (m->fd < 0)
		return -errno;
	if (is_it(m->fd, event))
		return 0;
	close(m->fd);
	m->fd = -1;
	return -ESTALE;
}

static int open_link(struct mapped_file *m, const struct stacks_file_event *event, uint64_t start,
		     uint64_t end)
{
	uint32_t pid = event->head.who.pid;
	char link[96];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%u/map_files/%llx-%llx", pid, (unsigned long long)start,
		 (unsigned long long)end);
	n = readlink(link, m->path, sizeof(m->path) - 1);
	if (n < 0)
		return -errno;
	m->path[n] = '\0';
	cut_deleted(m->path);
	m->fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return keep_it(m, event);
}

/* The line of /proc/PID/maps around an address: the mapping's present bounds, and its path. */
static int find_line(struct mapped_file *m, uint32_t pid, uint64_t *start, uint64_t *end)
{
	char name[48], line[PATH_MAX + 128];
	unsigned long long from, to;
	int at, err = -ENOENT;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%u/maps", pid);
	f = fopen(name, "re");
	if (!f)
		return -errno;
	while (err && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx-%llx %*s %*s %*s %*s %n", &from, &to, &at) < 2 ||
		    *start < from || *start >= to)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(m->path, sizeof(m->path), "%s", line + at);
		*start = from;
		*end = to;
		err = 0;
	}
	fclose(f);
	cut_deleted(m->path);
	return err;
}

/* The path as the process sees it. A symbolic link would be followed in our root: refused. */
static int open_path(struct mapped_file *m, const struct stacks_file_event *event)
{
	if (m->root_fd < 0 || m->path[0] != '/')
		return -ENOENT;
	m->fd = openat(m->root_fd, m->path + 1, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	return keep_it(m, event);
}

int mapped_file_open(struct mapped_file *m, const struct stacks_file_event *event)
{
	uint32_t pid = event->head.who.pid;
	uint64_t start = event->start, end = event->end;
	char root[32];
	int err;

	m->fd = -1;
	m->path[0] = '\0';
	snprintf(root, sizeof(root), "/proc/%u/root", pid);
	m->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	err = open_link(m, event, start, end);
	if (err) { /* split or joined since, or not permitted */
		err = find_line(m, pid, &start, &end);
		if (!err && open_link(m, event, start, end))
			err = open_path(m, event);
	}
	if (err)
		mapped_file_close(m);
	return err;
}

void mapped_file_close(struct mapped_file *m)
{
	if (m->fd >= 0)
		close(m->fd);
	if (m->root_fd >= 0)
		close(m->root_fd);
	m->fd = m->root_fd = -1;
}
