/* SPDX-License-Identifier: BSD-2-Clause */
/* A group's file handle is its inode number, so the kernel finds it without a search. */
#include "cgroup_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANDLE_KERNFS 0xfe /* FILEID_KERNFS, include/linux/exportfs.h, 5.5 */

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n = strcspn(list, ",\n");

		if (n == len && !strncmp(list, word, n))
			return true;
		list += n + (list[n] != '\0');
	}
	return false;
}

/*
 * Mount point of the hierarchy with the controller cpu: a first version's that lists it, else
 * the second's.
 */
static int cpu_mount(char *path, size_t size)
{
	char line[4096], where[2048];
	FILE *f = fopen("/proc/self/mountinfo", "re");
	bool first = false;

	*path = '\0';
	while (f && !first && fgets(line, sizeof(line), f)) {
		char *type = strstr(line, " - cgroup"), *options = strrchr(line, ' ');

		if (!type || sscanf(line, "%*d %*d %*s %*s %2047s", where) != 1)
			continue;
		first = !strncmp(type, " - cgroup ", 10) && has_word(options + 1, "cpu");
		if (first || (!*path && !strncmp(type, " - cgroup2 ", 11)))
			snprintf(path, size, "%s", where);
	}
	if (f)
		fclose(f);
	return *path ? 0 : -ENOENT;
}

static int open_by_id(const char *mount, uint64_t id)
{
	struct {
		struct file_handle head;
		unsigned char id[sizeof(id)];
	} handle = { .head = { .handle_bytes = sizeof(id), .handle_type = HANDLE_KERNFS } };
	int mount_fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd, err;

	if (mount_fd < 0)
		return -errno;
	memcpy(handle.head.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(mount_fd, &handle.head, O_PATH | O_CLOEXEC);
	err = -errno;
	close(mount_fd);
	return fd < 0 ? err : fd;
}

int cgroup_path_of_id(uint64_t id, char *path, size_t size)
{
	char mount[2048], link[64];
	int fd = cpu_mount(mount, sizeof(mount));
	ssize_t n;

	if (!fd)
		fd = open_by_id(mount, id);
	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, size - 1);
	close(fd);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	return 0;
}
