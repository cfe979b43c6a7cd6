/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jit-PID.dump: a header, then records of the machine's own byte order, each with its size.
 * Read are functions and their moves; lines and unwind information are passed over.
 */
#include <string.h>
#include <unistd.h>

#include "jit_file.h"

#define MAGIC 0x4A695444U /* "JiTD"; the other way round: of another machine */

struct header {
	uint32_t magic, version, total_size, elf_machine, pad, pid;
	uint64_t timestamp, flags;
};

struct record {
	uint32_t id, total_size;
	uint64_t timestamp;
};

enum { CODE_LOAD = 0, CODE_MOVE = 1 };

struct load {
	uint32_t pid, tid;
	uint64_t vma, code_address, code_size, code_index;
	char name[4096]; /* as much of it as there is */
};

struct move {
	uint32_t pid, tid;
	uint64_t vma, old_address, new_address, code_size, code_index;
};

static bool read_header(struct jit_file *f)
{
	struct header h;

	if (pread(f->fd, &h, sizeof(h), 0) != sizeof(h))
		return false; /* not written yet */
	f->broken = h.magic != MAGIC || !h.version || h.total_size < sizeof(h);
	f->at = h.total_size;
	return !f->broken;
}

static void take_load(struct jit_file *f, size_t size, struct jit_regions *to)
{
	size_t fixed = offsetof(struct load, name), len;
	struct load load;
	ssize_t got;

	got = pread(f->fd, &load, size < sizeof(load) ? size : sizeof(load),
		    f->at + (off_t)sizeof(struct record));
	if (got <= (ssize_t)fixed)
		return;
	len = (size_t)got - fixed;
	jit_regions_add(to, load.code_address, load.code_size, load.name, strnlen(load.name, len));
}

static void take_move(struct jit_file *f, size_t size, struct jit_regions *to)
{
	char copy[sizeof(((struct load *)NULL)->name)];
	struct move move;
	const char *name;
	size_t len;

	if (size < sizeof(move) ||
	    pread(f->fd, &move, sizeof(move), f->at + (off_t)sizeof(struct record)) != sizeof(move))
		return;
	name = jit_regions_last(to, move.old_address);
	if (!name) {
		to->lost++;
		return;
	}
	len = strnlen(name, sizeof(copy));
	memcpy(copy, name, len); /* adding moves the names */
	jit_regions_add(to, move.new_address, move.code_size, copy, len);
}

void jitdump_read(struct jit_file *f, off_t size, struct jit_regions *to)
{
	struct record r;

	if (!f->at && !read_header(f))
		return;
	while (size - f->at >= (off_t)sizeof(r)) {
		if (pread(f->fd, &r, sizeof(r), f->at) != sizeof(r))
			return;
		f->broken = r.total_size < sizeof(r);
		if (f->broken || r.total_size > size - f->at)
			return; /* not a record, or not all of it is written */
		if (r.id == CODE_LOAD)
			take_load(f, r.total_size - sizeof(r), to);
		else if (r.id == CODE_MOVE)
			take_move(f, r.total_size - sizeof(r), to);
		f->at += r.total_size;
	}
}
