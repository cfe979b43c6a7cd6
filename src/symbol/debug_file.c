/* SPDX-License-Identifier: BSD-2-Clause */
/* See debug_file.h. */
#include "debug_file.h"

#include <errno.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "plain_file.h"

#define CHECKED_MAX (1LL << 30) /* larger files have a build-id */

struct search {
	int root; /* an open directory, or -1 */
	const struct code_image *image;
	uint32_t checksum;
	int found;
};

static bool checksum_is(int fd, uint32_t expected)
{
	unsigned char bytes[65536];
	unsigned long sum = crc32(0, NULL, 0);
	struct stat st;
	off_t at = 0;
	ssize_t got;

	if (fstat(fd, &st) || st.st_size > CHECKED_MAX)
		return false;
	while (at < st.st_size && (got = pread(fd, bytes, sizeof(bytes), at)) > 0) {
		sum = crc32(sum, bytes, (unsigned)got);
		at += got;
	}
	return at == st.st_size && sum == expected;
}

static bool belongs(const struct search *s, int fd)
{
	struct code_image candidate;

	if (code_image_read(&candidate, fd))
		return false;
	if (!s->image->id.by_stat)
		return elf_identity_equal(&candidate.id, &s->image->id);
	return checksum_is(fd, s->checksum);
}

static bool try(struct search *s, const char *path)
{
	int fd = plain_file_open(s->root, path);

	if (fd < 0)
		return false;
	if (belongs(s, fd)) {
		s->found = fd;
		return true;
	}
	close(fd);
	return false;
}

static bool try_build_id(struct search *s)
{
	static const char folder[] = "/usr/lib/debug/.build-id/";
	const struct elf_identity *id = &s->image->id;
	char path[sizeof(folder) + 2 * ELF_IDENTITY + sizeof("/.debug")];
	int at;

	if (id->by_stat || id->len < 2)
		return false;
	at = snprintf(path, sizeof(path), "%s%02x/", folder, id->bytes[0]);
	for (size_t i = 1; i < id->len; i++)
		at += snprintf(path + at, sizeof(path) - (size_t)at, "%02x", id->bytes[i]);
	snprintf(path + at, sizeof(path) - (size_t)at, ".debug");
	return try(s, path);
}

/* The name in .gnu_debuglink; NULL: none, or one that would lead elsewhere. */
static const char *link_name(Elf *elf, uint32_t *checksum)
{
	Elf_Data *data = code_image_section(elf, ".gnu_debuglink");
	const char *name = data ? data->d_buf : NULL;
	size_t len, at;

	if (!name)
		return NULL;
	len = strnlen(name, data->d_size);
	at = (len + 4) & ~(size_t)3; /* behind the name's end, aligned */
	if (!len || len > NAME_MAX || at + sizeof(*checksum) > data->d_size ||
	    memchr(name, '/', len))
		return NULL;
	memcpy(checksum, name + at, sizeof(*checksum));
	return name;
}

static bool try_link(struct search *s, const char *path, const char *name)
{
	static const struct {
		const char *before, *after;
	} places[] = { { "", "/" }, { "", "/.debug/" }, { "/usr/lib/debug", "/" } };
	const char *slash = strrchr(path, '/');
	char candidate[PATH_MAX];

	if (!name || !slash || *path != '/')
		return false;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int len = snprintf(candidate, sizeof(candidate), "%s%.*s%s%s", places[i].before,
				   (int)(slash - path), path, places[i].after, name);

		if (len < (int)sizeof(candidate) && try(s, candidate))
			return true;
	}
	return false;
}

int debug_file_open(const struct roots *roots, int root, const char *path,
		    const struct code_image *image, Elf *elf)
{
	struct search s = { .root = roots_fd(roots, root), .image = image, .found = -1 };
	const char *name = link_name(elf, &s.checksum);

	for (;;) {
		if (try_build_id(&s) || try_link(&s, path, name))
			return s.found;
		if (s.root < 0)
			return -1;
		s.root = -1;
	}
}

bool debug_file_has_symbols(Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_SYMTAB &&
		    header.sh_size > header.sh_entsize)
			return true;
	return false;
}
