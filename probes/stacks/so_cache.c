/* SPDX-License-Identifier: BSD-2-Clause */
/* glibc's sysdeps/generic/dl-cache.h: a header, entries, strings; offsets are from the start. */
#include "so_cache.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "glibc-ld.so.cache1.1"
#define FLAG_X86_64 0x0303 /* FLAG_X8664_LIB64 | FLAG_ELF_LIBC6 */

struct cache_head {
	char magic[20];
	uint32_t nlibs, strings;
	uint8_t flags, pad[3];
	uint32_t extension, unused[3];
};

struct cache_entry {
	int32_t flags;
	uint32_t key, value, osversion;
	uint64_t hwcap; /* 0: for every machine of the kind */
};

struct cache {
	const char *at;
	size_t size;
};

/* A string of the cache, NULL: it does not end in there. */
static const char *text_at(const struct cache *c, uint32_t offset)
{
	return offset < c->size && memchr(c->at + offset, 0, c->size - offset) ? c->at + offset
									       : NULL;
}

static bool find(const struct cache *c, const char *name, char *path, size_t size)
{
	struct cache_head head;
	struct cache_entry e;

	if (c->size < sizeof(head))
		return false;
	memcpy(&head, c->at, sizeof(head));
	if (memcmp(head.magic, MAGIC, sizeof(head.magic)) ||
	    (c->size - sizeof(head)) / sizeof(e) < head.nlibs)
		return false;
	for (uint32_t i = 0; i < head.nlibs; i++) {
		const char *key, *value;

		memcpy(&e, c->at + sizeof(head) + i * sizeof(e), sizeof(e));
		key = text_at(c, e.key);
		value = text_at(c, e.value);
		if (e.flags != FLAG_X86_64 || e.hwcap || !key || !value || strcmp(key, name))
			continue;
		return (size_t)snprintf(path, size, "%s", value) < size;
	}
	return false;
}

bool so_cache_find(const char *name, char *path, size_t size)
{
	int fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);
	struct cache c = { 0 };
	struct stat st;
	bool found = false;
	void *m;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st) && st.st_size > 0) {
		c.size = (size_t)st.st_size;
		m = mmap(NULL, c.size, PROT_READ, MAP_PRIVATE, fd, 0);
		c.at = m;
		found = m != MAP_FAILED && find(&c, name, path, size);
		if (m != MAP_FAILED)
			munmap(m, c.size);
	}
	close(fd);
	return found;
}
