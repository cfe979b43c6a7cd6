/* SPDX-License-Identifier: BSD-2-Clause */
/* A few types of the kernel's BTF; see btf_slice.h. Types are numbered as they are met. */
#include "btf_slice.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "raw_btf.h"

struct block {
	char *data;
	size_t size, room;
};

struct slice {
	const struct raw_btf *kernel;
	uint32_t *number; /* by the kernel's: ours; 0: not taken */
	uint32_t *taken;  /* by ours, from 1 on: the kernel's */
	uint32_t count;
	struct block types, strings;
	bool failed; /* no memory */
};

size_t btf_slice_name_len(const char *name)
{
	const char *flavour = strstr(name, "___");

	return flavour && flavour != name ? (size_t)(flavour - name) : strlen(name);
}

static uint32_t add(struct slice *s, struct block *b, const void *data, size_t size)
{
	size_t at = b->size, room = b->room ? b->room : 65536;
	char *more;

	while (room < at + size)
		room *= 2;
	if (room > b->room) {
		more = realloc(b->data, room);
		if (!more) {
			s->failed = true;
			return 0;
		}
		b->data = more;
		b->room = room;
	}
	memcpy(b->data + at, data, size);
	b->size += size;
	return (uint32_t)at;
}

static uint32_t add_name(struct slice *s, uint32_t offset)
{
	const char *name = raw_btf_string(s->kernel, offset);

	return *name ? add(s, &s->strings, name, strlen(name) + 1) : 0;
}

/* Our number of a type of the kernel's; a new one is written when its turn comes. */
static uint32_t take(struct slice *s, uint32_t id)
{
	if (!raw_btf_type(s->kernel, id))
		return 0;
	if (!s->number[id]) {
		s->number[id] = ++s->count;
		s->taken[s->count] = id;
	}
	return s->number[id];
}

static void take_root(void *ctx, uint32_t id)
{
	struct slice *s = ctx;
	const struct btf_type *t = raw_btf_type(s->kernel, id);

	if (btf_is_composite(t) || btf_is_any_enum(t) || btf_is_typedef(t) || btf_is_int(t))
		take(s, id);
}

static void take_roots(struct slice *s, const struct raw_btf *object)
{
	for (uint32_t id = 1; id <= object->count; id++) {
		const struct btf_type *t = raw_btf_type(object, id);
		const char *name = raw_btf_string(object, t->name_off);

		if (*name && (btf_is_composite(t) || btf_is_any_enum(t) || btf_is_typedef(t)))
			raw_btf_each(s->kernel, name, btf_slice_name_len(name), take_root, s);
	}
}

static void write_members(struct slice *s, const struct btf_type *t)
{
	const struct btf_member *from = btf_members(t);

	for (int i = 0; i < btf_vlen(t); i++) {
		struct btf_member m = from[i];

		m.name_off = add_name(s, m.name_off);
		m.type = take(s, m.type);
		add(s, &s->types, &m, sizeof(m));
	}
}

/* Both kinds of enumerators begin with their name. */
static void write_enumerators(struct slice *s, const struct btf_type *t)
{
	size_t step = btf_is_enum64(t) ? sizeof(struct btf_enum64) : sizeof(struct btf_enum);
	const char *from = (const char *)(t + 1);

	for (int i = 0; i < btf_vlen(t); i++, from += step) {
		uint32_t name_off;

		memcpy(&name_off, from, sizeof(name_off));
		name_off = add_name(s, name_off);
		add(s, &s->types, &name_off, sizeof(name_off));
		add(s, &s->types, from + sizeof(name_off), step - sizeof(name_off));
	}
}

static void write_array(struct slice *s, const struct btf_type *t)
{
	struct btf_array a = *btf_array(t);

	a.type = take(s, a.type);
	a.index_type = take(s, a.index_type);
	add(s, &s->types, &a, sizeof(a));
}

static void write_type(struct slice *s, const struct btf_type *from)
{
	struct btf_type t = *from;
	size_t size = raw_btf_record_size(from);

	if (btf_is_func_proto(from) ||
	    btf_is_func(from)) /* as a typedef may name one: void it is */
		t = (struct btf_type){ .info = BTF_KIND_PTR << 24 };
	else
		t.name_off = add_name(s, t.name_off);
	if (btf_is_ptr(&t))
		t.type = 0;
	else if (btf_is_mod(from) || btf_is_typedef(from))
		t.type = take(s, t.type);
	add(s, &s->types, &t, sizeof(t));
	if (btf_is_composite(from))
		write_members(s, from);
	else if (btf_is_any_enum(from))
		write_enumerators(s, from);
	else if (btf_is_array(from))
		write_array(s, from);
	else if (!btf_is_ptr(&t))
		add(s, &s->types, from + 1, size - sizeof(*from));
}

static void *assemble(const struct slice *s, size_t *size)
{
	struct btf_header h = {
		.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(h),
		.type_len = (uint32_t)s->types.size,
		.str_off = (uint32_t)s->types.size,
		.str_len = (uint32_t)s->strings.size,
	};
	char *all = NULL;

	if (s->types.data && s->strings.data && !s->failed)
		all = malloc(sizeof(h) + s->types.size + s->strings.size);
	if (!all) {
		errno = s->count ? ENOMEM : ENOENT; /* ENOENT: the kernel has none of the types */
		return NULL;
	}
	memcpy(all, &h, sizeof(h));
	memcpy(all + sizeof(h), s->types.data, s->types.size);
	memcpy(all + sizeof(h) + s->types.size, s->strings.data, s->strings.size);
	*size = sizeof(h) + s->types.size + s->strings.size;
	return all;
}

void *btf_slice(const struct raw_btf *object, const struct raw_btf *kernel, size_t *size)
{
	struct slice s = { .kernel = kernel };
	void *all = NULL;

	s.number = calloc(kernel->count + 1, sizeof(*s.number));
	s.taken = calloc(kernel->count + 1, sizeof(*s.taken));
	s.failed = !s.number || !s.taken;
	if (!s.failed) {
		add(&s, &s.strings, "", 1);
		take_roots(&s, object);
		for (uint32_t i = 1; i <= s.count && !s.failed; i++)
			write_type(&s, raw_btf_type(kernel, s.taken[i]));
	}
	all = assemble(&s, size);
	free(s.number);
	free(s.taken);
	free(s.types.data);
	free(s.strings.data);
	return all;
}
