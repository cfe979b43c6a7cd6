/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of memory that are only added to, and two hash tables over what lies there. */
#include "interned.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define BLOCK (64U << 10)

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(16) char bytes[];
};

struct string {
	UT_hash_handle hh;
	char text[];
};

struct frame {
	struct stack_frame frame;
	UT_hash_handle hh;
};

struct interned {
	struct block *blocks;
	size_t bytes;
	struct string *strings;
	struct frame *frames;
};

struct interned *interned_open(void)
{
	return calloc(1, sizeof(struct interned));
}

void interned_close(struct interned *p)
{
	struct block *next;

	if (!p)
		return;
	HASH_CLEAR(hh, p->strings);
	HASH_CLEAR(hh, p->frames);
	for (struct block *b = p->blocks; b; b = next) {
		next = b->next;
		free(b);
	}
	free(p);
}

void *interned_alloc(struct interned *p, size_t size)
{
	struct block *b = p->blocks;
	size_t room = size > BLOCK ? size : BLOCK;
	void *at;

	size = (size + 15) & ~(size_t)15;
	if (!b || b->size - b->used < size) {
		room = (room + 15) & ~(size_t)15;
		if (p->bytes + room > INTERNED_BYTES)
			return NULL;
		b = calloc(1, sizeof(*b) + room);
		if (!b)
			return NULL;
		b->size = room;
		b->next = p->blocks;
		p->blocks = b;
		p->bytes += room;
	}
	at = b->bytes + b->used;
	b->used += size;
	return at;
}

const char *interned_string(struct interned *p, const char *s, size_t len)
{
	struct string *found;

	if (len > INTERNED_STRING)
		len = INTERNED_STRING;
	HASH_FIND(hh, p->strings, s, len, found);
	if (found)
		return found->text;
	found = interned_alloc(p, sizeof(*found) + len + 1);
	if (!found)
		return NULL;
	memcpy(found->text, s, len);
	found->text[len] = '\0';
	HASH_ADD_KEYPTR(hh, p->strings, found->text, len, found);
	return found->text;
}

const struct stack_frame *interned_frame(struct interned *p, const struct stack_frame *frame)
{
	struct stack_frame key;
	struct frame *found;

	memset(&key, 0, sizeof(key)); /* what lies between the fields is hashed, too */
	key.name = frame->name;
	key.module = frame->module;
	key.path = frame->path;
	key.line = frame->line;
	key.kind = frame->kind;
	key.address = frame->address;
	HASH_FIND(hh, p->frames, &key, sizeof(key), found);
	if (found)
		return &found->frame;
	found = interned_alloc(p, sizeof(*found));
	if (!found)
		return NULL;
	memcpy(&found->frame, &key, sizeof(key));
	HASH_ADD(hh, p->frames, frame, sizeof(key), found);
	return &found->frame;
}
