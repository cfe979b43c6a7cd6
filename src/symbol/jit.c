/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding the files: /tmp/perf-PID.map below the process's root, PID as the process sees itself;
 * jit-PID.dump is whatever of that name it has mapped, as the specification wants it to.
 */
#include "jit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#include "err.h"
#include "jit_file.h"
#include "plain_file.h"

#define FILE_MAX (1LL << 32)
#define FILES 4                  /* a perf map, and jitdumps of several compilers */
#define CLOCK_SLACK 1000000000LL /* a file's times are coarser than a process's */

struct jit_process {
	uint32_t proc_id;
	struct jit_file files[FILES]; /* the first is the perf map */
	struct jit_regions regions;
	size_t bytes;
	bool refused;        /* there was no room for all of it */
	uint64_t dumps_lost; /* at one look: more of them than FILES */
	/* as it was when it lived: what it leaves behind is looked for with these */
	pid_t inside; /* its PID in its own namespace */
	int root;     /* number of its root directory */
	uid_t owner;
	UT_hash_handle hh;
};

void jit_file_read(struct jit_file *f, struct jit_regions *to)
{
	struct stat st;

	if (f->fd < 0 || fstat(f->fd, &st))
		return;
	if (st.st_size < f->at) {
		f->at = 0; /* written anew */
		f->broken = false;
	}
	if (f->broken || st.st_size <= f->at)
		return;
	f->broken = f->at > FILE_MAX;
	if (f->broken)
		;
	else if (f->dump)
		jitdump_read(f, st.st_size, to);
	else
		perf_map_read(f, st.st_size, to);
	to->lost += f->broken; /* what stands behind that */
}

static void read_files(struct jits *all, struct jit_process *p)
{
	if (all->bytes >= JIT_BYTES) {
		all->lost += !p->refused;
		p->refused = true;
		return;
	}
	for (size_t i = 0; i < FILES; i++)
		jit_file_read(&p->files[i], &p->regions);
	all->bytes -= p->bytes;
	p->bytes = jit_regions_bytes(&p->regions);
	all->bytes += p->bytes;
}

static struct jit_process *process_of(struct jits *all, uint32_t proc_id)
{
	struct jit_process *p;

	HASH_FIND(hh, all->list, &proc_id, sizeof(proc_id), p);
	if (p)
		return p;
	p = all->n < JIT_PROCESSES ? calloc(1, sizeof(*p)) : NULL;
	if (!p)
		return NULL;
	p->proc_id = proc_id;
	p->root = ROOT_OURS;
	for (size_t i = 0; i < FILES; i++)
		p->files[i].fd = -1;
	HASH_ADD(hh, all->list, proc_id, sizeof(p->proc_id), p);
	all->n++;
	return p;
}

/* The PID that the process has in its own namespace; -1: it is gone. */
static pid_t pid_inside(pid_t pid)
{
	char path[64], line[512];
	pid_t inside = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && inside < 0 && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "NSpid:", 6))
			inside = (pid_t)strtol(strrchr(line, '\t'), NULL, 10);
	}
	if (f)
		fclose(f);
	return inside;
}

static bool same_file(const struct jit_file *f, const struct stat *st)
{
	return f->inode == st->st_ino && f->dev == st->st_dev;
}

/* Takes the file that is open at fd, which it owns from then on. */
static void take_file(struct jits *all, struct jit_file *f, int fd, const struct stat *st,
		      bool dump)
{
	if (f->fd >= 0) {
		close(f->fd);
		all->open--;
	}
	if (!same_file(f, st))
		*f = (struct jit_file){ .dev = st->st_dev, .inode = st->st_ino, .dump = dump };
	f->fd = fd;
	all->open++;
}

/* A file of an earlier process that had this PID: such maps stay behind in /tmp. */
static bool is_stale(const struct stat *st, uint64_t start_ns)
{
	struct timespec real, mono;
	int64_t written = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec, offset;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	offset = (real.tv_sec - mono.tv_sec) * 1000000000LL + real.tv_nsec - mono.tv_nsec;
	return start_ns && written + CLOCK_SLACK < (int64_t)start_ns + offset;
}

static void find_perf_map(struct jits *all, struct jit_process *p, int root,
			  const struct jit_owner *who)
{
	char path[64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", p->inside);
	fd = plain_file_open(root, path);
	if (fd < 0)
		return;
	/* anybody may write to /tmp: names come from the process's user or from root */
	if (!fstat(fd, &st) && (st.st_uid == p->owner || !st.st_uid) &&
	    !is_stale(&st, who->start_ns) && (p->files[0].fd < 0 || !same_file(&p->files[0], &st)))
		take_file(all, &p->files[0], fd, &st, false);
	else
		close(fd);
}

static bool is_dump(const char *path)
{
	const char *base = strrchr(path, '/');
	int end = 0;

	return base && sscanf(base, "/jit-%*[0-9].dump%n", &end) == 0 && end &&
	       (!base[end] || base[end] == ' ');
}

/* False: there is no room for it. */
static bool add_dump(struct jits *all, struct jit_process *p, int fd)
{
	struct jit_file *room = NULL;
	struct stat st;

	if (fstat(fd, &st)) {
		close(fd);
		return true;
	}
	for (size_t i = FILES - 1; i > 0; i--) {
		if (!p->files[i].inode || same_file(&p->files[i], &st))
			room = &p->files[i];
		if (same_file(&p->files[i], &st))
			break;
	}
	if (!room || room->fd >= 0) {
		close(fd);
		return room;
	}
	take_file(all, room, fd, &st, true);
	return true;
}

static void find_dumps(struct jits *all, struct jit_process *p, int root, pid_t pid)
{
	char path[PATH_MAX], line[PATH_MAX + 128];
	uint64_t lost = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long start, end;
		char *name = strchr(line, '/');
		int fd;

		if (!name || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		name[strcspn(name, "\n")] = '\0';
		if (!is_dump(name))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", pid, start, end);
		fd = plain_file_open(-1, path);
		if (fd < 0)
			fd = plain_file_open(root, name);
		if (fd >= 0)
			lost += !add_dump(all, p, fd);
	}
	if (f)
		fclose(f);
	if (lost > p->dumps_lost) /* the same ones at each look */
		p->dumps_lost = lost;
}

/* Too many files are open: what was read of these is kept, the next read opens them again. */
static void close_files(struct jits *all, struct jit_process *p)
{
	for (size_t i = 0; i < FILES; i++) {
		if (p->files[i].fd < 0)
			continue;
		close(p->files[i].fd);
		p->files[i].fd = -1;
		all->open--;
	}
}

/* Its files, while it lives. */
static int look_at_living(struct jits *all, struct jit_process *p, struct roots *roots,
			  const struct jit_owner *who)
{
	char path[64];
	struct stat st;
	pid_t inside = pid_inside(who->pid);
	int root;

	snprintf(path, sizeof(path), "/proc/%d/root", who->pid);
	root = inside > 0 ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	snprintf(path, sizeof(path), "/proc/%d", who->pid);
	if (root < 0)
		return err_set(-ESRCH, "cannot look for the JIT code of process %d", who->pid);
	if (!stat(path, &st)) {
		int number = roots_number(roots, root);

		all->roots_lost += number == ROOT_LOST && p->root != ROOT_LOST;
		p->inside = inside;
		p->owner = st.st_uid;
		p->root = number;
		find_perf_map(all, p, root, who);
		find_dumps(all, p, root, who->pid);
	}
	close(root);
	return 0;
}

/* What it left behind. */
static void look_at_ended(struct jits *all, struct jit_process *p, const struct roots *roots,
			  const struct jit_owner *who)
{
	if (!p->inside) { /* it was too short to be looked at */
		p->inside = who->pid;
		p->owner = geteuid();
	}
	if (p->root != ROOT_LOST) /* ours may have one of another process with that PID */
		find_perf_map(all, p, roots_fd(roots, p->root), who);
}

/* Counts a process once, or not at all if many thousands of others have been so. */
static void refuse(struct jits *all, uint32_t proc_id)
{
	uint64_t *word = &all->refused[proc_id / 64 % JIT_REFUSED], bit = 1ULL << proc_id % 64;

	all->lost += !(*word & bit);
	*word |= bit;
}

int jits_read(struct jits *all, struct roots *roots, const struct jit_owner *who)
{
	struct jit_process *p = process_of(all, who->proc_id);
	int err = 0;

	if (!p) {
		refuse(all, who->proc_id);
		return err_set(-ENOSPC, "no room for the JIT code of process %d", who->pid);
	}
	if (!who->ended)
		err = look_at_living(all, p, roots, who);
	if (who->ended || err)
		look_at_ended(all, p, roots, who);
	read_files(all, p); /* what is open can be read, even if the process is gone */
	if (all->open > JIT_OPEN_FILES)
		close_files(all, p);
	return err;
}

static struct jit_process *find(const struct jits *all, uint32_t proc_id)
{
	struct jit_process *p;

	HASH_FIND(hh, all->list, &proc_id, sizeof(proc_id), p);
	return p;
}

const char *jits_function(const struct jits *all, uint32_t proc_id, uint64_t address)
{
	struct jit_process *p = find(all, proc_id);

	return p ? jit_regions_find(&p->regions, address) : NULL;
}

uint32_t jits_generation(const struct jits *all, uint32_t proc_id)
{
	const struct jit_process *p = find(all, proc_id);

	return p ? p->regions.generation : 0;
}

uint64_t jits_lost(const struct jits *all)
{
	uint64_t lost = all->lost;

	for (const struct jit_process *p = all->list; p; p = p->hh.next)
		lost += p->regions.lost + p->dumps_lost;
	return lost;
}

void jits_close(struct jits *all)
{
	struct jit_process *p, *next;

	HASH_ITER(hh, all->list, p, next) {
		HASH_DEL(all->list, p);
		close_files(all, p);
		jit_regions_free(&p->regions);
		free(p);
	}
}
