/* SPDX-License-Identifier: BSD-2-Clause */
/* Types by number and by name; see raw_btf.h. */
#include "raw_btf.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

size_t raw_btf_record_size(const struct btf_type *t)
{
	size_t n = btf_vlen(t), size = sizeof(*t);

	switch (btf_kind(t)) {
	case BTF_KIND_INT:
		return size + sizeof(uint32_t);
	case BTF_KIND_ARRAY:
		return size + sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return size + n * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return size + n * sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
		return size + n * sizeof(struct btf_enum64);
	case BTF_KIND_FUNC_PROTO:
		return size + n * sizeof(struct btf_param);
	case BTF_KIND_VAR:
		return size + sizeof(struct btf_var);
	case BTF_KIND_DATASEC:
		return size + n * sizeof(struct btf_var_secinfo);
	case BTF_KIND_DECL_TAG:
		return size + sizeof(struct btf_decl_tag);
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return size;
	default:
		return 0; /* a kind that this program does not know: how long, nobody can say */
	}
}

static uint32_t hash(const char *name, size_t len)
{
	uint32_t h = 2166136261U;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 16777619U;
	return h;
}

const struct btf_type *raw_btf_type(const struct raw_btf *b, uint32_t id)
{
	return id && id <= b->count ? (const struct btf_type *)(b->types + b->at[id]) : NULL;
}

const char *raw_btf_string(const struct raw_btf *b, uint32_t offset)
{
	return offset < b->strings_size ? b->strings + offset : "";
}

/* Counts the types; with b->at it also notes where they are. */
static int walk(struct raw_btf *b, size_t size)
{
	size_t at = 0;

	b->count = 0;
	while (at < size) {
		const struct btf_type *t = (const struct btf_type *)(b->types + at);
		size_t step = size - at < sizeof(*t) ? 0 : raw_btf_record_size(t);

		if (!step || step > size - at)
			return -EPROTO;
		b->count++;
		if (b->at)
			b->at[b->count] = (uint32_t)at;
		at += step;
	}
	return 0;
}

static int index_names(struct raw_btf *b)
{
	uint32_t slots = 64;

	while (slots < b->count * 2)
		slots *= 2;
	b->slots = calloc(slots, sizeof(*b->slots));
	if (!b->slots)
		return -ENOMEM;
	b->mask = slots - 1;
	for (uint32_t id = 1; id <= b->count; id++) {
		const struct btf_type *t = raw_btf_type(b, id);
		const char *name = raw_btf_string(b, t->name_off);
		uint32_t slot;

		if (!*name)
			continue;
		slot = hash(name, strlen(name)) & b->mask;
		while (b->slots[slot])
			slot = (slot + 1) & b->mask;
		b->slots[slot] = id;
	}
	return 0;
}

int raw_btf_over(struct raw_btf *b, const void *data, size_t size)
{
	const struct btf_header *h = data;
	const char *body = data;
	int err;

	*b = (struct raw_btf){ 0 };
	if (size < sizeof(*h) || h->magic != BTF_MAGIC || h->hdr_len > size)
		return -EPROTO;
	body += h->hdr_len;
	size -= h->hdr_len;
	if (h->type_off > size || h->type_len > size - h->type_off || h->str_off > size ||
	    h->str_len > size - h->str_off || !h->str_len || body[h->str_off + h->str_len - 1])
		return -EPROTO;
	b->types = body + h->type_off;
	b->strings = body + h->str_off;
	b->strings_size = h->str_len;
	/* a type takes sizeof(struct btf_type) at least */
	b->at = malloc((h->type_len / sizeof(struct btf_type) + 1) * sizeof(*b->at));
	err = b->at ? walk(b, h->type_len) : -ENOMEM;
	if (!err)
		err = index_names(b);
	if (err)
		raw_btf_close(b);
	return err;
}

/* sysfs gives a page a read, so mapping is better where it may be. */
static int read_all(struct raw_btf *b, int fd)
{
	size_t got = 0;
	ssize_t n = 1;

	b->file = mmap(NULL, b->file_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	b->mapped = b->file != MAP_FAILED;
	if (b->mapped)
		return 0;
	b->file = malloc(b->file_size);
	if (!b->file)
		return -ENOMEM;
	while (got < b->file_size && n > 0) {
		n = read(fd, (char *)b->file + got, b->file_size - got);
		if (n > 0)
			got += (size_t)n;
	}
	return got == b->file_size ? 0 : -EIO;
}

int raw_btf_open(struct raw_btf *b, const char *path)
{
	struct raw_btf file = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	struct stat st;

	*b = file;
	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) ? -errno : 0;
	file.file_size = err ? 0 : (size_t)st.st_size;
	if (!err)
		err = file.file_size ? read_all(&file, fd) : -EPROTO;
	close(fd);
	if (!err)
		err = raw_btf_over(b, file.file, file.file_size);
	b->file = file.file;
	b->file_size = file.file_size;
	b->mapped = file.mapped;
	if (err)
		raw_btf_close(b);
	return err;
}

void raw_btf_close(struct raw_btf *b)
{
	free(b->at);
	free(b->slots);
	if (b->mapped)
		munmap(b->file, b->file_size);
	else
		free(b->file);
	*b = (struct raw_btf){ 0 };
}

void raw_btf_each(const struct raw_btf *b, const char *name, size_t len,
		  void (*take)(void *ctx, uint32_t id), void *ctx)
{
	uint32_t id;

	if (!b->slots)
		return;
	for (uint32_t slot = hash(name, len) & b->mask; (id = b->slots[slot]);
	     slot = (slot + 1) & b->mask) {
		const char *is = raw_btf_string(b, raw_btf_type(b, id)->name_off);

		if (!strncmp(is, name, len) && !is[len])
			take(ctx, id);
	}
}

struct search {
	const struct raw_btf *btf;
	uint32_t kind, found;
};

static void take_first(void *ctx, uint32_t id)
{
	struct search *s = ctx;

	if (!s->found && btf_kind(raw_btf_type(s->btf, id)) == s->kind)
		s->found = id;
}

uint32_t raw_btf_find(const struct raw_btf *b, const char *name, uint32_t kind)
{
	struct search s = { b, kind, 0 };

	raw_btf_each(b, name, strlen(name), take_first, &s);
	return s.found;
}
