/* SPDX-License-Identifier: BSD-2-Clause */
/* See startup.h. Each file that is added is searched for others, until none is new. */
#include "startup.h"

#include <ctype.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "code_image.h"
#include "program_path.h"
#include "so_cache.h"

static const char standard_dirs[] = "/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib64:"
				    "/usr/lib64:/lib:/usr/lib";

/* ---- the list ---- */

static bool is_there(const struct startup *s, const struct stat *st)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->files[i].dev == st->st_dev && s->files[i].inode == st->st_ino)
			return true;
	return false;
}

/* Whether the file is in the list now, or was. */
static bool add(struct startup *s, const char *path)
{
	struct startup_file *f = &s->files[s->n];
	struct stat st;
	int fd;

	if (s->n == STARTUP_FILES)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return false;
	}
	if (is_there(s, &st)) {
		close(fd);
		return true;
	}
	*f = (struct startup_file){ .path = strdup(path), .fd = fd, .map = MAP_FAILED };
	f->dev = st.st_dev;
	f->inode = st.st_ino;
	f->map = mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (!f->path)
		abort();
	s->n++;
	return true;
}

void startup_free(struct startup *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->files[i].path);
		close(s->files[i].fd);
		if (s->files[i].map != MAP_FAILED)
			munmap(s->files[i].map, 1);
	}
	s->n = 0;
}

/* ---- where a name is looked for ---- */

/* A directory of a list that colons part; "$ORIGIN" is the directory of `from`. */
static bool add_in(struct startup *s, const char *dir, size_t len, const char *name,
		   const char *from)
{
	static const char *const origins[] = { "$ORIGIN", "${ORIGIN}" };
	const char *slash = from ? strrchr(from, '/') : NULL;
	char path[PATH_MAX];
	int n;

	for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]) && slash; i++) {
		size_t mark = strlen(origins[i]);

		if (len < mark || strncmp(dir, origins[i], mark))
			continue;
		n = snprintf(path, sizeof(path), "%.*s%.*s/%s", (int)(slash - from), from,
			     (int)(len - mark), dir + mark, name);
		return n > 0 && (size_t)n < sizeof(path) && add(s, path);
	}
	n = snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, name);
	return len && n > 0 && (size_t)n < sizeof(path) && add(s, path);
}

static bool add_along(struct startup *s, const char *dirs, const char *name, const char *from)
{
	while (dirs && *dirs) {
		size_t len = strcspn(dirs, ":");

		if (add_in(s, dirs, len, name, from))
			return true;
		dirs += len + (dirs[len] == ':');
	}
	return false;
}

static void add_program(struct startup *s, const char *name)
{
	char path[PATH_MAX];

	if (program_path(name, path, sizeof(path)))
		add(s, path);
}

/* ---- what a file asks for ---- */

struct needs {
	const char *paths[2]; /* DT_RPATH, DT_RUNPATH */
	const char *names[64];
	size_t n;
};

static void read_dynamic(Elf *elf, Elf_Scn *scn, const GElf_Shdr *sh, struct needs *needs)
{
	Elf_Data *data = code_image_data(elf_getscn(elf, sh->sh_link)); /* names */
	GElf_Dyn dyn;

	data = data ? code_image_data(scn) : NULL;

	for (int i = 0; data && gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		const char *text;

		if (dyn.d_tag != DT_NEEDED && dyn.d_tag != DT_RPATH && dyn.d_tag != DT_RUNPATH)
			continue;
		text = elf_strptr(elf, sh->sh_link, dyn.d_un.d_val);
		if (!text)
			continue;
		if (dyn.d_tag == DT_NEEDED && needs->n < sizeof(needs->names) / sizeof(char *))
			needs->names[needs->n++] = text;
		else if (dyn.d_tag != DT_NEEDED)
			needs->paths[dyn.d_tag == DT_RUNPATH] = text;
	}
}

static void add_library(struct startup *s, const struct needs *needs, const char *name,
			const char *from)
{
	char path[PATH_MAX];

	if (strchr(name, '/')) {
		add(s, name);
		return;
	}
	if (add_along(s, needs->paths[0], name, from) ||
	    add_along(s, getenv("LD_LIBRARY_PATH"), name, from) ||
	    add_along(s, needs->paths[1], name, from))
		return;
	if (so_cache_find(name, path, sizeof(path)) && add(s, path))
		return;
	add_along(s, standard_dirs, name, from);
}

static void search_elf(struct startup *s, const struct startup_file *f)
{
	Elf *elf = code_image_begin(f->fd);
	struct needs needs = { 0 };
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	while (elf && (scn = elf_nextscn(elf, scn))) {
		Elf_Data *data;

		if (!gelf_getshdr(scn, &sh))
			continue;
		if (sh.sh_type == SHT_DYNAMIC)
			read_dynamic(elf, scn, &sh, &needs);
		if (sh.sh_type != SHT_PROGBITS || !(sh.sh_flags & SHF_ALLOC) || sh.sh_size > 256)
			continue;
		data = elf_getdata(scn, NULL);
		/* .interp: a path, with its NUL */
		if (data && data->d_size > 1 && ((const char *)data->d_buf)[0] == '/' &&
		    !((const char *)data->d_buf)[data->d_size - 1])
			add(s, data->d_buf);
	}
	for (size_t i = 0; i < needs.n; i++)
		add_library(s, &needs, needs.names[i], f->path);
	elf_end(elf);
}

/* #!INTERPRETER [ARGUMENT]; of `env` the argument is a program too. */
static void search_script(struct startup *s, char *line)
{
	char *save = NULL, *first, *second;

	line[strcspn(line, "\n")] = '\0';
	first = strtok_r(line, " \t", &save);
	second = first ? strtok_r(NULL, " \t", &save) : NULL;
	if (!first)
		return;
	add_program(s, first);
	if (second && !strcmp(strrchr(first, '/') ? strrchr(first, '/') : first, "/env"))
		add_program(s, second);
}

void startup_find(struct startup *s, const char *command)
{
	add_program(s, command);
	for (size_t i = 0; i < s->n; i++) { /* the list grows */
		char head[256] = "";
		ssize_t n = pread(s->files[i].fd, head, sizeof(head) - 1, 0);

		if (n > 2 && !strncmp(head, "#!", 2))
			search_script(s, head + 2);
		else if (n > 4 && !memcmp(head, ELFMAG, SELFMAG))
			search_elf(s, &s->files[i]);
	}
}
