/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow: O_TMPFILE where the file system has it, else a hidden file beside the target;
 * fsync; then a name by link and rename. A symbolic link is followed first, so that its
 * target is replaced and not the link. SIGPIPE is blocked around each write, so a reader
 * that left is an error here and not our death; the command's own handling is untouched.
 */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "err.h"

#define LINKS_MAX 40   /* as the kernel follows */
#define FIFO_TRIES 200 /* every 10 ms: two seconds */

struct outfile {
	int fd;
	bool own_fd;
	char *path; /* the final name; NULL: written straight */
	char *temp; /* name in the meantime; NULL: none yet */
	char *name; /* for messages */
	int error;
};

static void outfile_free(struct outfile *f)
{
	if (f->own_fd && f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f->temp);
	free(f->name);
	free(f);
}

static struct outfile *outfile_new(int fd, const char *name)
{
	struct outfile *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->fd = fd;
	f->name = strdup(name);
	if (!f->name) {
		free(f);
		return NULL;
	}
	return f;
}

int outfile_fd(struct outfile **out, int fd, const char *name)
{
	*out = outfile_new(fd, name);
	return *out ? 0 : err_set(-ENOMEM, "cannot write '%s'", name);
}

/* ".NAME.XXXXXX" in the same directory, for mkstemp or a link. */
static char *temp_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	int dir = slash ? (int)(slash - path + 1) : 0;
	char *name;

	if (asprintf(&name, "%.*s.%.200s.XXXXXX", dir, path, path + dir) < 0)
		return NULL;
	return name;
}

static int open_unnamed(const char *path, mode_t mode)
{
	char *dir = strdup(path), *slash = dir ? strrchr(dir, '/') : NULL;
	int fd;

	if (!dir)
		return -ENOMEM;
	if (slash)
		slash[slash == dir] = '\0';
	fd = open(slash ? dir : ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
	if (fd < 0)
		fd = -errno;
	free(dir);
	return fd;
}

static int open_beside(struct outfile *f, mode_t mode)
{
	mode_t mask = umask(0);

	umask(mask);
	f->temp = temp_name(f->path);
	if (!f->temp)
		return -ENOMEM;
	f->fd = mkostemp(f->temp, O_CLOEXEC);
	if (f->fd < 0) {
		int err = -errno;

		free(f->temp);
		f->temp = NULL;
		return err;
	}
	fchmod(f->fd, mode & ~mask);
	return 0;
}

/* Where a link leads that stands at `path`; NULL: none stands there, or errno is ENOMEM. */
static char *link_target(const char *path)
{
	const char *slash = strrchr(path, '/');
	int dir = slash ? (int)(slash - path + 1) : 0;
	char link[PATH_MAX], *target;
	ssize_t n = readlink(path, link, sizeof(link) - 1);

	if (n <= 0)
		return NULL;
	link[n] = '\0';
	if (asprintf(&target, "%.*s%s", link[0] == '/' ? 0 : dir, path, link) >= 0)
		return target;
	errno = ENOMEM;
	return NULL;
}

/* The file behind links, which need not be there yet: then realpath() does not tell. */
static int follow_links(struct outfile *f, const char *path)
{
	f->path = realpath(path, NULL);
	if (f->path)
		return 0;
	f->path = strdup(path);
	for (int links = 0; f->path; links++) {
		char *target = link_target(f->path);

		if (!target)
			return errno == ENOMEM ? -ENOMEM : 0;
		free(f->path);
		f->path = target;
		if (links == LINKS_MAX)
			return -ELOOP;
	}
	return -ENOMEM;
}

/* An existing file is replaced, so it must be one that we could have written over. */
static int open_regular(struct outfile *f, const char *path, bool exists, mode_t mode)
{
	int err = follow_links(f, path);

	if (err)
		return err;
	if (exists && access(f->path, W_OK))
		return -errno;
	f->fd = open_unnamed(f->path, mode);
	return f->fd >= 0 ? 0 : open_beside(f, mode);
}

/* /dev/stdout and the like: the name of a descriptor that somebody has open. */
static bool is_alias(const char *path)
{
	static const char *const names[] = { "/dev/stdin", "/dev/stdout", "/dev/stderr" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(path, names[i]))
			return true;
	return !strncmp(path, "/dev/fd/", 8) || !strncmp(path, "/proc/", 6);
}

/* Whether a signal waits that would end the program, or is to: a blocked one does not wake us. */
static bool is_asked_to_end(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) ||
	       sigismember(&pending, SIGHUP);
}

/* A FIFO has to have a reader, who may come at the same time as we do. */
static int open_fifo(const char *path)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int fd = -1;

	for (int tries = 0; fd < 0 && tries < FIFO_TRIES; tries++) {
		if (tries && is_asked_to_end())
			break;
		if (tries)
			nanosleep(&pause, NULL);
		fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd < 0 && errno != ENXIO)
			return -errno;
	}
	if (fd < 0)
		return -ENXIO;
	return fcntl(fd, F_SETFL, O_APPEND) ? -errno : fd;
}

/* What is no regular file, or has another name: written straight. */
static int open_straight(struct outfile *f, const char *path, const struct stat *st)
{
	if (S_ISFIFO(st->st_mode)) {
		f->fd = open_fifo(path);
		return f->fd < 0 ? f->fd : 0;
	}
	f->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
	return f->fd < 0 ? -errno : 0;
}

int outfile_open(struct outfile **out, const char *path)
{
	struct outfile *f = outfile_new(-1, path);
	struct stat st;
	bool exists;
	int err;

	if (!f)
		return err_set(-ENOMEM, "cannot write '%s'", path);
	f->own_fd = true;
	exists = !stat(path, &st);
	if (exists && S_ISDIR(st.st_mode)) {
		err = -EISDIR;
	} else if (exists && (!S_ISREG(st.st_mode) || is_alias(path))) {
		err = open_straight(f, path, &st);
	} else {
		err = open_regular(f, path, exists, exists ? st.st_mode & 0777 : 0666);
	}
	if (err) {
		outfile_free(f);
		if (err != -ENXIO || !exists || !S_ISFIFO(st.st_mode))
			return err_set(err, "cannot write '%s'", path);
		err_set(0, "cannot write '%s': nobody reads the FIFO", path);
		return err;
	}
	*out = f;
	return 0;
}

/* A descriptor that is set to non-blocking (a shared pipe may be) is waited for. */
static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int outfile_write(struct outfile *f, const void *data, size_t len)
{
	const struct timespec now = { 0 };
	sigset_t pipe, before, pending;
	bool was_pending;

	if (f->error)
		return f->error;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, &before);
	f->error = write_all(f->fd, data, len);
	if (f->error == -EPIPE && !was_pending)
		sigtimedwait(&pipe, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (f->error)
		log_msg(LOG_ERROR, "cannot write '%s': %s; the rest of it is dropped", f->name,
			strerror(-f->error));
	return f->error;
}

int outfile_error(const struct outfile *f)
{
	return f->error;
}

/* Gives the unnamed file a hidden name: linkat does not replace, rename does. */
static int link_temp(struct outfile *f)
{
	char proc[64];
	int err = -EEXIST;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", f->fd);
	for (int tries = 0; err == -EEXIST && tries < 100; tries++) {
		char *name = temp_name(f->path);
		int fd = name ? mkostemp(name, O_CLOEXEC) : -1; /* a name that is free */

		err = 0;
		if (fd < 0) {
			err = name ? -errno : -ENOMEM;
		} else {
			close(fd);
			unlink(name);
			if (linkat(AT_FDCWD, proc, AT_FDCWD, name, AT_SYMLINK_FOLLOW))
				err = -errno;
		}
		if (!err)
			f->temp = name;
		else
			free(name);
	}
	return err;
}

static int publish(struct outfile *f)
{
	int err;

	if (fsync(f->fd))
		return -errno;
	err = f->temp ? 0 : link_temp(f);
	if (err)
		return err;
	if (rename(f->temp, f->path))
		return -errno;
	free(f->temp);
	f->temp = NULL;
	return 0;
}

int outfile_close(struct outfile *f, bool keep)
{
	int err;

	if (!f)
		return 0;
	err = f->error;
	if (keep && !err && f->path) {
		err = publish(f);
		if (err)
			log_msg(LOG_ERROR, "cannot write '%s': %s", f->name, strerror(-err));
	}
	if (f->temp)
		unlink(f->temp);
	outfile_free(f);
	return err;
}
