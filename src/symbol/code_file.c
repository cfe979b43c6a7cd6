/* SPDX-License-Identifier: BSD-2-Clause */
/* See code_file.h. */
#include "code_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "debug_file.h"
#include "eh_functions.h"
#include "elf_functions.h"
#include "err.h"
#include "names.h" /* NAMES_OPEN_FILES */
#include "plain_file.h"
#include "ranges.h"
#include "vdso.h"

struct code_file {
	struct code_image image; /* its id is the key */
	char *path;
	int root, fd; /* fd -1: not kept open */
	void *memory; /* the vdso's image, size bytes */
	size_t size;
	struct elf_functions *functions;
	struct ranges starts; /* of functions without a symbol */
	struct inlined *dwarf;
	bool unreadable, no_starts, no_dwarf; /* was not to be had: do not try again */
	bool cut;                             /* some of its functions have no name */
	bool dwarf_cut;                       /* of its inlined functions some are missing */
	uint64_t used;
	UT_hash_handle hh;
};

static void drop_functions(struct code_files *all, struct code_file *f)
{
	if (!f->functions)
		return;
	all->bytes -= elf_functions_bytes(f->functions);
	elf_functions_free(f->functions);
	f->functions = NULL;
}

static void drop_starts(struct code_files *all, struct code_file *f)
{
	all->bytes -= ranges_bytes(&f->starts);
	ranges_free(&f->starts);
}

static void drop_dwarf(struct code_files *all, struct code_file *f)
{
	all->dwarf -= f->dwarf != NULL;
	inlined_close(f->dwarf);
	f->dwarf = NULL;
}

static void code_file_free(struct code_files *all, struct code_file *f)
{
	drop_functions(all, f);
	drop_starts(all, f);
	drop_dwarf(all, f);
	if (f->fd >= 0)
		close(f->fd);
	free(f->memory);
	free(f->path);
	free(f);
}

void code_files_close(struct code_files *all)
{
	struct code_file *f, *next;

	HASH_ITER(hh, all->list, f, next) {
		HASH_DEL(all->list, f);
		code_file_free(all, f);
	}
	roots_close(&all->roots);
}

static struct code_file *insert(struct code_files *all, const struct code_image *image,
				const char *path)
{
	struct code_file *f = all->n < CODE_FILES_MAX ? calloc(1, sizeof(*f)) : NULL;

	if (!f)
		return NULL;
	f->fd = -1;
	f->root = ROOT_OURS;
	f->image = *image;
	f->path = strdup(path);
	if (!f->path) {
		free(f);
		return NULL;
	}
	HASH_ADD(hh, all->list, image.id, sizeof(f->image.id), f);
	all->n++;
	return f;
}

struct code_file *code_files_add(struct code_files *all, int fd, const char *path, int root,
				 int *err)
{
	struct code_image image;
	struct code_file *f;

	*err = code_image_read(&image, fd);
	if (*err && *err != -ENOEXEC)
		return NULL;
	HASH_FIND(hh, all->list, &image.id, sizeof(image.id), f);
	if (f)
		return f;
	f = insert(all, &image, path);
	*err = f ? 0 : err_set(-ENOSPC, "cannot keep another file with code");
	if (!f)
		return NULL;
	f->root = root;
	if (image.nsegments && all->open < NAMES_OPEN_FILES) {
		f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		all->open += f->fd >= 0;
	}
	return f;
}

struct code_file *code_files_vdso(struct code_files *all)
{
	struct code_image image = { .id = { .len = 1, .by_stat = true } };
	struct code_file *f = NULL;
	size_t size;
	void *memory = vdso_copy(&size);
	Elf *elf = memory ? code_image_begin_memory(memory, size) : NULL;

	if (elf) {
		code_image_describe(&image, elf);
		elf_end(elf);
		HASH_FIND(hh, all->list, &image.id, sizeof(image.id), f);
		if (!f)
			f = insert(all, &image, "[vdso]");
	}
	if (!f || f->memory) {
		free(memory);
		return f;
	}
	f->memory = memory;
	f->size = size;
	return f;
}

bool code_file_address(const struct code_file *f, uint64_t offset, uint64_t *address)
{
	return code_image_address(&f->image, offset, address);
}

/* The same file by its path; -1: it is another one now, or gone. */
static int reopen(const struct code_files *all, const struct code_file *f)
{
	struct code_image now;
	int fd = f->root == ROOT_LOST ? -1
				      : plain_file_open(roots_fd(&all->roots, f->root), f->path);

	if (fd < 0)
		return -1;
	if (!code_image_read(&now, fd) && elf_identity_equal(&now.id, &f->image.id))
		return fd;
	close(fd);
	return -1;
}

/* Its symbols, with those that were stripped from it. */
static struct elf_functions *gather(const struct code_files *all, const struct code_file *f,
				    Elf *elf)
{
	Elf *files[3] = { elf };
	struct elf_functions *functions;
	void *memory = NULL;
	size_t n = 1;
	int fd = -1;

	if (!debug_file_has_symbols(elf) && !f->memory) {
		fd = debug_file_open(&all->roots, f->root, f->path, &f->image, elf);
		files[n] = fd >= 0 ? code_image_begin(fd) : NULL;
		n += files[n] != NULL;
		if (n == 1)
			files[n] = debug_data_begin(elf, &memory);
		n += n == 1 && files[n];
	}
	functions = elf_functions_read(&f->image, files, n);
	while (--n)
		elf_end(files[n]);
	free(memory);
	if (fd >= 0)
		close(fd);
	return functions;
}

static void read_functions(struct code_files *all, struct code_file *f)
{
	int fd = f->memory || f->fd >= 0 ? f->fd : reopen(all, f);
	Elf *elf = NULL;

	if (f->memory)
		elf = code_image_begin_memory(f->memory, f->size);
	else if (fd >= 0)
		elf = code_image_begin(fd);
	if (elf)
		f->functions = gather(all, f, elf);
	elf_end(elf);
	if (fd >= 0 && fd != f->fd)
		close(fd);
	if (!f->functions) { /* gone, another one, or no memory */
		f->unreadable = true;
		all->cut++;
		return;
	}
	all->bytes += elf_functions_bytes(f->functions);
	all->cut += !f->cut && elf_functions_cut(f->functions);
	f->cut = elf_functions_cut(f->functions);
}

/* Lets tables go, least recently used first, until there is room. */
static void make_room(struct code_files *all, const struct code_file *but)
{
	while (all->bytes > CODE_FILES_BYTES) {
		struct code_file *oldest = NULL, *f, *next;

		HASH_ITER(hh, all->list, f, next)
			if ((f->functions || f->starts.n) && f != but &&
			    (!oldest || f->used < oldest->used))
				oldest = f;
		if (!oldest)
			return;
		drop_functions(all, oldest);
		drop_starts(all, oldest);
	}
}

const char *code_file_function(struct code_files *all, struct code_file *f, uint64_t address)
{
	uint64_t start;

	if (!f->functions && !f->unreadable && f->image.nsegments) {
		read_functions(all, f);
		make_room(all, f);
	}
	f->used = ++all->clock;
	return f->functions ? elf_functions_find(f->functions, address, &start) : NULL;
}

static int make_starts(struct code_file *f, int fd)
{
	struct eh_function *list;
	struct range *ranges;
	size_t n;
	int err = eh_functions_read(fd, &list, &n);

	if (err)
		return err;
	ranges = calloc(n + 1, sizeof(*ranges));
	for (size_t i = 0; ranges && i < n; i++)
		ranges[i] =
			(struct range){ list[i].start, list[i].start + list[i].size, (uint32_t)i };
	err = ranges ? ranges_build(&f->starts, ranges, n) : -ENOMEM;
	free(ranges);
	free(list);
	return err;
}

static void read_starts(struct code_files *all, struct code_file *f)
{
	int fd = f->fd >= 0 ? f->fd : reopen(all, f);

	f->no_starts = fd < 0 || make_starts(f, fd) || !f->starts.n;
	if (fd >= 0 && fd != f->fd)
		close(fd);
	all->bytes += ranges_bytes(&f->starts);
	make_room(all, f);
}

bool code_file_start(struct code_files *all, struct code_file *f, uint64_t address, uint64_t *start)
{
	uint64_t begin;
	uint32_t value;

	if (f->memory || !f->image.nsegments)
		return false;
	if (!f->starts.n && !f->no_starts)
		read_starts(all, f);
	if (!f->starts.n || !ranges_find(&f->starts, address, &begin, &value) ||
	    code_file_function(all, f, begin)) /* it is behind the end of that one */
		return false;
	*start = begin;
	return true;
}

/* The file that has debug information: itself, or its debug file. -1: neither has. */
static int open_dwarf(const struct code_files *all, const struct code_file *f)
{
	int fd = f->fd >= 0 ? fcntl(f->fd, F_DUPFD_CLOEXEC, 3) : reopen(all, f), debug = -1;
	Elf *elf = fd >= 0 ? code_image_begin(fd) : NULL;

	if (elf && code_image_section(elf, ".debug_info")) {
		elf_end(elf);
		return fd;
	}
	if (elf)
		debug = debug_file_open(&all->roots, f->root, f->path, &f->image, elf);
	elf_end(elf);
	if (fd >= 0)
		close(fd);
	return debug;
}

static void read_dwarf(struct code_files *all, struct code_file *f)
{
	int fd = open_dwarf(all, f);

	f->dwarf = fd >= 0 ? inlined_open(fd) : NULL;
	f->no_dwarf = !f->dwarf;
	all->dwarf += f->dwarf != NULL;
	while (all->dwarf > CODE_FILES_DWARF) {
		struct code_file *oldest = NULL, *other, *next;

		HASH_ITER(hh, all->list, other, next)
			if (other->dwarf && other != f && (!oldest || other->used < oldest->used))
				oldest = other;
		if (!oldest)
			return;
		drop_dwarf(all, oldest);
	}
}

size_t code_file_inlined(struct code_files *all, struct code_file *f, uint64_t address,
			 struct inlined_frame frames[INLINED_DEPTH])
{
	size_t n;

	if (f->memory)
		return 0;
	if (!f->dwarf && !f->no_dwarf)
		read_dwarf(all, f);
	f->used = ++all->clock;
	if (!f->dwarf)
		return 0;
	n = inlined_at(f->dwarf, address, frames);
	all->dwarf_cut += !f->dwarf_cut && inlined_cut(f->dwarf);
	f->dwarf_cut |= inlined_cut(f->dwarf);
	return n;
}
