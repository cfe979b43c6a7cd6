/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A code object from the memory of a living process, as python.bpf.h reads it; but this waits for
 * pages that are not in memory. What is read is believed if the code object is still the same then.
 */
#include <string.h>
#include <sys/uio.h>

#include "python_private.h"

static bool read_at(pid_t pid, void *to, size_t size, uint64_t from)
{
	struct iovec here = { to, size }, there = { (void *)(uintptr_t)from, size };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* A str: its last `room` bytes if it is longer. */
static bool read_text(pid_t pid, const struct python_layout *at, uint64_t text,
		      struct python_text *t, uint8_t *bytes, size_t room)
{
	uint64_t size, data, all, skip;
	uint32_t state;

	if (!read_at(pid, &size, sizeof(size), text + at->text_size) ||
	    !read_at(pid, &state, sizeof(state), text + at->text_state))
		return false;
	t->kind = state >> 2 & 7;
	if (!(state & 1 << 5) || (t->kind != 1 && t->kind != 2 && t->kind != 4) || size >> 31)
		return false;
	data = text + (state & 1 << 6 ? at->text_ascii : at->text_data);
	all = size * t->kind;
	skip = all > room ? all - room : 0;
	t->size = (uint32_t)size;
	t->length = (uint16_t)(all - skip);
	return !t->length || read_at(pid, bytes, t->length, data + skip);
}

static bool read_lines(pid_t pid, const struct python_layout *at, uint64_t lines,
		       struct python_read *to)
{
	uint64_t size;

	if (!read_at(pid, &size, sizeof(size), lines + at->bytes_size) || size >> 31)
		return false;
	to->event.lines_size = (uint32_t)size;
	if (size > sizeof(to->lines))
		size = sizeof(to->lines);
	return !size || read_at(pid, to->lines, size, lines + at->bytes_data);
}

bool python_read(struct python_read *to, const struct python_code_place *from)
{
	pid_t pid = (pid_t)from->head.who.pid;
	struct python_code_event *e = &to->event;
	struct python_strings now;
	int32_t first_line;

	e->number = from->number;
	e->first_line = from->first_line;
	return read_text(pid, &from->at, from->strings.name, &e->name, e->name_bytes,
			 sizeof(e->name_bytes)) &&
	       read_text(pid, &from->at, from->strings.path, &e->path, e->path_bytes,
			 sizeof(e->path_bytes)) &&
	       read_lines(pid, &from->at, from->strings.lines, to) &&
	       read_at(pid, &now, sizeof(now), from->code + from->at.code_strings) &&
	       read_at(pid, &first_line, sizeof(first_line),
		       from->code + from->at.code_first_line) &&
	       !memcmp(&now, &from->strings, sizeof(now)) && first_line == from->first_line;
}
