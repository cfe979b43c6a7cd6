/* SPDX-License-Identifier: BSD-2-Clause */
/* By device, inode and mount: a private /tmp is another mount below the same directory. */
#include "roots.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct identity {
	uint64_t dev, inode, mount;
};

static bool identify(int at, const char *path, struct identity *id)
{
	struct statx st;

	if (statx(at, path, AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &st))
		return false;
	id->dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	id->inode = st.stx_ino;
	id->mount = st.stx_mask & STATX_MNT_ID ? st.stx_mnt_id : 0;
	return true;
}

static bool same(const struct identity *a, const struct identity *b)
{
	return a->dev == b->dev && a->inode == b->inode && a->mount == b->mount;
}

int roots_number(struct roots *r, int fd)
{
	struct identity id, ours;
	int copy;

	if (fd < 0)
		return ROOT_OURS;
	if (!identify(fd, "", &id))
		return ROOT_LOST;
	if (identify(AT_FDCWD, "/", &ours) && same(&id, &ours))
		return ROOT_OURS;
	for (int i = 0; i < r->n; i++) {
		struct identity known = { r->list[i].dev, r->list[i].inode, r->list[i].mount };

		if (same(&id, &known))
			return i;
	}
	copy = r->n < ROOTS_MAX ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	if (copy < 0)
		return ROOT_LOST;
	r->list[r->n].fd = copy;
	r->list[r->n].dev = id.dev;
	r->list[r->n].inode = id.inode;
	r->list[r->n].mount = id.mount;
	return r->n++;
}

int roots_fd(const struct roots *r, int number)
{
	return number < 0 ? -1 : r->list[number].fd;
}

void roots_close(struct roots *r)
{
	for (int i = 0; i < r->n; i++)
		close(r->list[i].fd);
	r->n = 0;
}
