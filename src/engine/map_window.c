/* SPDX-License-Identifier: BSD-2-Clause */
/* The addresses are reserved whole, then mapped from the first on; see map_window.h. */
#include "map_window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "err.h"

#define STEP ((size_t)256 << 10) /* a multiple of any page */

int map_window_open(struct map_window *w, int fd, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *at;

	bytes = (bytes + page - 1) & ~(page - 1);
	at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return -errno;
	/* one of our own: the probe whose map it is may be closed before us */
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0) {
		int err = -errno;

		munmap(at, bytes);
		return err;
	}
	*w = (struct map_window){ .at = at, .bytes = bytes, .fd = fd };
	return 0;
}

void map_window_grow(struct map_window *w, size_t end)
{
	size_t from = w->mapped, to = (end + STEP - 1) / STEP * STEP;

	to = to < w->bytes ? to : w->bytes;
	if (to <= from)
		return;
	if (mmap(w->at + from, to - from, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, w->fd,
		 (off_t)from) == MAP_FAILED) {
		log_msg(LOG_ERROR, "cannot map %zu bytes of a table: %s", to - from,
			strerror(errno));
		abort();
	}
	w->mapped = to;
}

void map_window_close(struct map_window *w)
{
	if (w->at) {
		munmap(w->at, w->bytes);
		close(w->fd);
	}
	*w = (struct map_window){ .fd = -1 };
}
