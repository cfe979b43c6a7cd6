/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --alloc: uprobes on the malloc family, in each file that a target maps and that has a
 * malloc: the system's C libraries and the command's own file at the start, others as the
 * kernel side tells of them. operator new and delete are hooked only where they do not come
 * through malloc: in allocators.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "alloc_user.h"
#include "elf_symbols.h"
#include "err.h"
#include "program_path.h"

#define FREE (-1)

static const struct hook {
	const char *name;
	int function;  /* enum alloc_function, or FREE */
	bool operator; /* of C++ */
} hooks[] = {
	{ "malloc", ALLOC_MALLOC, false },
	{ "calloc", ALLOC_CALLOC, false },
	{ "realloc", ALLOC_REALLOC, false },
	{ "reallocarray", ALLOC_REALLOCARRAY, false },
	{ "aligned_alloc", ALLOC_ALIGNED_ALLOC, false },
	{ "posix_memalign", ALLOC_POSIX_MEMALIGN, false },
	{ "memalign", ALLOC_MEMALIGN, false },
	{ "valloc", ALLOC_VALLOC, false },
	{ "pvalloc", ALLOC_PVALLOC, false },
	{ "free", FREE, false },
	{ "cfree", FREE, false },
	{ "free_sized", FREE, false },
	{ "free_aligned_sized", FREE, false },
	{ "_Znwm", ALLOC_NEW, true },
	{ "_Znam", ALLOC_NEW, true },
	{ "_ZnwmRKSt9nothrow_t", ALLOC_NEW, true },
	{ "_ZnamRKSt9nothrow_t", ALLOC_NEW, true },
	{ "_ZnwmSt11align_val_t", ALLOC_NEW, true },
	{ "_ZnamSt11align_val_t", ALLOC_NEW, true },
	{ "_ZnwmSt11align_val_tRKSt9nothrow_t", ALLOC_NEW, true },
	{ "_ZnamSt11align_val_tRKSt9nothrow_t", ALLOC_NEW, true },
	{ "_ZdlPv", FREE, true },
	{ "_ZdaPv", FREE, true },
	{ "_ZdlPvm", FREE, true },
	{ "_ZdaPvm", FREE, true },
	{ "_ZdlPvRKSt9nothrow_t", FREE, true },
	{ "_ZdaPvRKSt9nothrow_t", FREE, true },
	{ "_ZdlPvSt11align_val_t", FREE, true },
	{ "_ZdaPvSt11align_val_t", FREE, true },
	{ "_ZdlPvmSt11align_val_t", FREE, true },
	{ "_ZdaPvmSt11align_val_t", FREE, true },
	{ "_ZdlPvSt11align_val_tRKSt9nothrow_t", FREE, true },
	{ "_ZdaPvSt11align_val_tRKSt9nothrow_t", FREE, true },
};

#define HOOKS (sizeof(hooks) / sizeof(hooks[0]))

/* Functions that only an allocator has: its operator new does not call malloc. */
static const char *const marks[] = { "mallctl", "tc_malloc", "mi_malloc", "scalable_malloc" };

/* Where the system keeps libraries, and which of them programs allocate by. */
static const char *const folders[] = { "/lib/x86_64-linux-gnu", "/lib64", "/usr/lib", "/lib",
				       "/usr/local/lib" };
static const char *const libraries[] = {
	"libc.so.6",      "libjemalloc.so", "libtcmalloc",
	"libmimalloc.so", "libtbbmalloc",   "ld-musl-x86_64.so.1"
};

struct found {
	uint64_t address[HOOKS]; /* 0: the file has none */
	bool allocator;
};

static bool take_symbol(void *ctx, const struct elf_symbol *symbol)
{
	struct found *found = ctx;

	if (symbol->kind != ELF_FUNCTION || !strchr("mcrapvf_ts", symbol->name[0]))
		return true;
	for (size_t i = 0; i < HOOKS; i++)
		if (!found->address[i] && !strcmp(symbol->name, hooks[i].name))
			found->address[i] = symbol->value;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		found->allocator |= !strcmp(symbol->name, marks[i]);
	return true;
}

/* Several names may stand for one function: it is hooked once, by the first. */
static bool is_alias(const struct found *found, size_t hook)
{
	for (size_t i = 0; i < hook; i++)
		if (found->address[i] == found->address[hook])
			return true;
	return false;
}

static struct uprobes program_uprobes(struct probe *p, const char *name, bool at_return)
{
	return (struct uprobes){ .prog = bpf_object__find_program_by_name(p->obj, name),
				 .at_return = at_return };
}

static void add_place(struct uprobes *u, uint64_t offset, int function)
{
	u->offsets[u->n] = offset;
	u->cookies[u->n++] = function == FREE ? 0 : (uint64_t)function;
}

/* The return first: a call that has begun before is then left alone by it. */
static int hook_file(struct probe *p, struct alloc *a, struct alloc_file *file, const char *path,
		     const struct elf_symbols *elf)
{
	struct uprobes enter, leave, release;
	struct found found = { .allocator = false };
	int err;

	elf_symbols_each(elf, take_symbol, &found);
	if (!found.address[ALLOC_MALLOC])
		return 0;
	enter = program_uprobes(p, "memory_alloc_enter", false);
	leave = program_uprobes(p, "memory_alloc_return", true);
	release = program_uprobes(p, "memory_alloc_free", false);
	for (size_t i = 0; i < HOOKS; i++) {
		uint64_t offset;

		if (!found.address[i] || (hooks[i].operator&& !found.allocator) ||
		    is_alias(&found, i) || !elf_symbols_offset(elf, found.address[i], &offset))
			continue;
		add_place(hooks[i].function == FREE ? &release : &enter, offset, hooks[i].function);
		if (hooks[i].function != FREE)
			add_place(&leave, offset, hooks[i].function);
		file->functions++;
	}
	err = uprobes_attach(&a->links, &leave, path);
	if (!err)
		err = uprobes_attach(&a->links, &enter, path);
	if (!err)
		err = uprobes_attach(&a->links, &release, path);
	return err;
}

static struct memory_file file_key(const struct stat *st)
{
	return (struct memory_file){
		.inode = st->st_ino,
		.dev = (uint32_t)major(st->st_dev) << 20 | (uint32_t)minor(st->st_dev),
	};
}

/* So that the kernel side need not tell of it; of a plain one, so that it is not read again. */
static void make_known(struct probe *p, const struct stat *st, uint32_t state)
{
	struct memory_file key = file_key(st);

	bpf_map_update_elem(probe_map_fd(p, "memory_files"), &key, &state, BPF_ANY);
}

static bool is_known(struct probe *p, const struct alloc *a, const struct stat *st)
{
	struct memory_file key = file_key(st);
	uint32_t state;

	for (size_t i = 0; i < a->nfiles; i++)
		if (a->files[i].inode == st->st_ino && a->files[i].dev == st->st_dev)
			return true;
	return !bpf_map_lookup_elem(probe_map_fd(p, "memory_files"), &key, &state) &&
	       state == FILE_PLAIN;
}

/* A file that is open, so that it stays the same whatever becomes of its path. */
static int add_open(struct probe *p, struct alloc *a, int fd, const struct stat *st,
		    const char *shown)
{
	struct alloc_file *file = &a->files[a->nfiles];
	struct elf_symbols *elf;
	char path[32];
	int err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	elf = elf_symbols_open(path, 0);
	if (!elf)
		return 0;
	*file = (struct alloc_file){ .inode = st->st_ino, .dev = st->st_dev };
	err = hook_file(p, a, file, path, elf);
	elf_symbols_close(elf);
	if (!file->functions) {
		make_known(p, st, FILE_PLAIN);
		return 0;
	}
	file->path = strdup(shown);
	if (!file->path)
		abort();
	a->nfiles++;
	return err ? err_set(err, "--alloc: cannot probe the functions of '%s'", shown) : 0;
}

/* Looks at a file the first time; `path` is how we reach it, `shown` how it is called. */
static int add_file(struct probe *p, struct alloc *a, const char *path, const char *shown)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err = 0;
	struct stat st;

	if (fd < 0)
		return 0;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && !is_known(p, a, &st)) {
		make_known(p, &st, FILE_TOLD);
		err = a->nfiles < ALLOC_FILES ? add_open(p, a, fd, &st, shown)
					      : err_set(-ENOSPC,
							"--alloc: more than %d files with an "
							"allocator",
							ALLOC_FILES);
	}
	close(fd);
	return err;
}

static bool is_wanted(const char *name)
{
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		if (!strncmp(name, libraries[i], strlen(libraries[i])))
			return true;
	return false;
}

static int add_libraries(struct probe *p, struct alloc *a, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[4096];
	int err = 0;

	while (dir && !err && (entry = readdir(dir))) {
		if (!is_wanted(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		err = add_file(p, a, path, path);
	}
	if (dir)
		closedir(dir);
	return err;
}

int alloc_attach_start(struct probe *p, struct alloc *a)
{
	const struct options *o = p->session->options;
	char path[4096];
	int err = 0;

	if (o->command == COMMAND_RUN && o->argv && o->argv[0] &&
	    program_path(o->argv[0], path, sizeof(path)))
		err = add_file(p, a, path, path);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && !err; i++)
		err = add_libraries(p, a, folders[i]);
	return err;
}

/* ---- files that come later ---- */

static void add_late(struct probe *p, struct alloc *a, const char *path, const char *shown,
		     uint64_t since_ns)
{
	size_t before = a->nfiles;
	uint64_t now;

	if (add_file(p, a, path, shown))
		session_note(p->session, "%s", err_text());
	now = session_clock();
	if (a->nfiles > before && now > since_ns)
		a->files[before].late_ns = now - since_ns;
}

/* A mapping of a file's code: a line of /proc/PID/maps. */
struct code_mapping {
	unsigned long long start, end, inode;
	uint32_t dev; /* as the kernel has it */
	char path[4096];
};

static bool read_mapping(const char *line, struct code_mapping *m)
{
	unsigned major, minor;
	char mode[8];

	if (sscanf(line, "%llx-%llx %7s %*s %x:%x %llu %4095[^\n]", &m->start, &m->end, mode,
		   &major, &minor, &m->inode, m->path) != 7)
		return false;
	m->dev = major << 20 | minor;
	return mode[2] == 'x' && m->path[0] == '/';
}

static void add_mapping(struct probe *p, struct alloc *a, const struct code_mapping *m,
			const struct memory_change *e)
{
	unsigned pid = e->head.who.pid;
	char inside[4200];

	/* by the mapping itself, as the file may have lost its name */
	snprintf(inside, sizeof(inside), "/proc/%u/map_files/%llx-%llx", pid, m->start, m->end);
	if (access(inside, R_OK))
		snprintf(inside, sizeof(inside), "/proc/%u/root%s", pid, m->path);
	add_late(p, a, inside, m->path, e->from);
}

/*
 * The mapping around e->start; 0: the program's own file, and its dynamic linker. Says whether
 * the file that was told of was there: the process may have another program since, or have
 * unmapped it. A file that lies under another is mapped with the numbers of the other file
 * system: it cannot be told, and is taken to be there.
 */
static bool add_mapped(struct probe *p, struct alloc *a, const struct memory_change *e)
{
	bool seen = false, other = false, any = false;
	char name[64], line[4500];
	struct code_mapping m;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%u/maps", e->head.who.pid);
	f = fopen(name, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (!read_mapping(line, &m) ||
		    (e->start && (e->start < m.start || e->start >= m.end)))
			continue;
		any = true;
		seen |= m.dev == e->dev && m.inode == e->inode;
		other |= m.dev == e->dev && m.inode != e->inode;
		add_mapping(p, a, &m, e);
	}
	if (f)
		fclose(f);
	return seen || (any && !other);
}

/* By its name; a file that has none any more is told of again when it is mapped again. */
static void add_named(struct probe *p, struct alloc *a, const struct memory_change *e)
{
	struct memory_file key = { .inode = e->inode, .dev = e->dev };
	struct stat st;
	char path[512];

	alloc_path(p, e->inode, e->dev, path, sizeof(path));
	if (path[0] == '/' && !stat(path, &st) && st.st_ino == e->inode)
		add_late(p, a, path, path, e->from);
	else
		bpf_map_delete_elem(probe_map_fd(p, "memory_files"), &key);
}

void alloc_attach_code(struct probe *p, struct alloc *a, const struct memory_change *e)
{
	bool lives;
	char name[32];

	snprintf(name, sizeof(name), "/proc/%u/exe", e->head.who.pid);
	lives = e->head.who.pid && !access(name, F_OK);
	/* it may have ended, but others may come; without an inode all its files were meant */
	if ((!lives || !add_mapped(p, a, e)) && e->inode)
		add_named(p, a, e);
}

void alloc_attach_free(struct alloc *a)
{
	uprobes_detach(&a->links);
	for (size_t i = 0; i < a->nfiles; i++)
		free(a->files[i].path);
}
