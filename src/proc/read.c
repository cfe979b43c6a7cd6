/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers of /proc files. They set no error text: that a process is gone, or not ours to
 * look into, is nothing that a user has to be told at every sample.
 */
#include "read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NET_DEV_BYTES 32768 /* some 250 interfaces */

ssize_t proc_read_file(const char *path, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (len < size - 1 && n > 0) {
		n = read(fd, buf + len, size - 1 - len);
		if (n > 0)
			len += (size_t)n;
	}
	n = n < 0 ? -errno : (ssize_t)len;
	close(fd);
	buf[len] = '\0';
	return n;
}

ssize_t proc_read_line(const char *path, char *buf, size_t size)
{
	ssize_t n = proc_read_file(path, buf, size);

	while (n > 0 && buf[n - 1] == '\n')
		buf[--n] = '\0';
	return n;
}

/* comm may hold spaces and parentheses: it ends at the last one. */
int proc_stat_parse(const char *text, struct proc_stat *s)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	uint64_t utime, stime, cutime, cstime;
	int got;

	memset(s, 0, sizeof(*s));
	if (!open || !close || close < open)
		return -EINVAL;
	snprintf(s->comm, sizeof(s->comm), "%.*s", (int)(close - open - 1), open + 1);
	got = sscanf(close + 1,
		     " %c %d %*d %*d %*d %*d %u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		     " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %*d %*d %" SCNu64
		     " %*d %" SCNu64 " %" SCNu64 " %" SCNu64
		     " %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %u",
		     &s->state, &s->ppid, &s->flags, &s->min_flt, &s->awaited_min_flt, &s->maj_flt,
		     &s->awaited_maj_flt, &utime, &stime, &cutime, &cstime, &s->threads,
		     &s->start_ticks, &s->vsize, &s->rss_pages, &s->processor);
	if (got != 16)
		return -EINVAL;
	s->cpu_ticks = utime + stime;
	s->awaited_ticks = cutime + cstime;
	return 0;
}

int proc_stat_read(pid_t pid, struct proc_stat *s)
{
	char path[64], text[1024];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	n = proc_read_file(path, text, sizeof(text));
	return n < 0 ? (int)n : proc_stat_parse(text, s);
}

int proc_io_read_file(const char *path, struct proc_io *io)
{
	char text[512];
	ssize_t n = proc_read_file(path, text, sizeof(text));

	if (n < 0)
		return (int)n;
	if (sscanf(text,
		   "rchar: %" SCNu64 " wchar: %" SCNu64
		   " syscr: %*u syscw: %*u read_bytes: %" SCNu64 " write_bytes: %" SCNu64,
		   &io->rchar, &io->wchar, &io->read_bytes, &io->write_bytes) != 4)
		return -EINVAL;
	return 0;
}

int proc_io_read(pid_t pid, struct proc_io *io)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	return proc_io_read_file(path, io);
}

int proc_cpu_ns(pid_t pid, uint64_t *ns)
{
	struct timespec ts;
	clockid_t clock;
	int err = clock_getcpuclockid(pid, &clock);

	if (err)
		return -err;
	if (clock_gettime(clock, &ts))
		return -errno;
	*ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	return 0;
}

int proc_net_parse(const char *text, uint64_t *rx_bytes, uint64_t *tx_bytes)
{
	bool any = false;

	*rx_bytes = *tx_bytes = 0;
	while (text) {
		uint64_t rx, tx;
		char name[32];

		if (sscanf(text, " %31[^: \n]:%" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64,
			   name, &rx, &tx) == 3) {
			any = true;
			if (strcmp(name, "lo") != 0) {
				*rx_bytes += rx;
				*tx_bytes += tx;
			}
		}
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return any ? 0 : -EINVAL;
}

int proc_net_read(pid_t pid, uint64_t *rx_bytes, uint64_t *tx_bytes)
{
	char path[64], *text = malloc(NET_DEV_BYTES);
	ssize_t n;

	if (!text)
		return -ENOMEM;
	snprintf(path, sizeof(path), "/proc/%d/net/dev", pid ? pid : getpid());
	n = proc_read_file(path, text, NET_DEV_BYTES);
	if (n >= 0)
		n = proc_net_parse(text, rx_bytes, tx_bytes);
	free(text);
	return (int)n;
}

uint64_t proc_net_ns(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return stat(path, &st) ? 0 : st.st_ino;
}

int psi_mem_read(const char *path, struct psi_mem *psi)
{
	char text[512];
	const char *full;
	ssize_t n = proc_read_file(path, text, sizeof(text));

	if (n < 0)
		return (int)n;
	full = strstr(text, "full ");
	if (!full || sscanf(text, "some avg10=%f", &psi->some_avg10) != 1 ||
	    sscanf(full, "full avg10=%f", &psi->full_avg10) != 1)
		return -EINVAL;
	return 0;
}

/* Where the cgroup v2 hierarchy whose root is visible is mounted. */
static int cgroup2_mount(char *path, size_t size)
{
	char line[4096], where[2048];
	FILE *f = fopen("/proc/self/mountinfo", "re");
	int err = -ENOENT;

	if (!f)
		return -errno;
	while (err && fgets(line, sizeof(line), f)) {
		char *type = strstr(line, " - cgroup2 ");

		if (type && sscanf(line, "%*d %*d %*s / %2047s", where) == 1 && *where == '/') {
			snprintf(path, size, "%s", where);
			err = 0;
		}
	}
	fclose(f);
	return err;
}

int proc_cgroup2_dir(pid_t pid, char *path, size_t size)
{
	char file[64], text[8192], mount[2048], *group;
	int err;

	snprintf(file, sizeof(file), "/proc/%d/cgroup", pid);
	if (proc_read_line(file, text, sizeof(text)) < 0)
		return -ENOENT;
	group = !strncmp(text, "0::", 3) ? text : strstr(text, "\n0::");
	if (!group)
		return -ENOENT;
	group = strchr(group, '/');
	if (!group || !strcmp(group, "/"))
		return -ENOENT;
	group[strcspn(group, "\n")] = '\0';
	err = cgroup2_mount(mount, sizeof(mount));
	if (err)
		return err;
	return (size_t)snprintf(path, size, "%s%s", mount, group) >= size ? -ENAMETOOLONG : 0;
}

int proc_psi_path(pid_t pid, char *path, size_t size)
{
	int err = proc_cgroup2_dir(pid, path, size);
	size_t len = err ? 0 : strlen(path);

	if (err)
		return err;
	if ((size_t)snprintf(path + len, size - len, "/memory.pressure") >= size - len)
		return -ENAMETOOLONG;
	return access(path, R_OK) ? -ENOENT : 0;
}
