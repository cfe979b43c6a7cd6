/* SPDX-License-Identifier: BSD-2-Clause */
/* perf-PID.map: "START SIZE NAME", both numbers hexadecimal, the name to the end of the line. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jit_file.h"

#define CHUNK 65536

static void take_line(char *line, struct jit_regions *to)
{
	char *end, *name;
	uint64_t start = strtoull(line, &end, 16), size;

	if (end == line || *end != ' ')
		return;
	line = end + 1;
	size = strtoull(line, &end, 16);
	if (end == line || *end != ' ')
		return;
	name = end + strspn(end, " ");
	jit_regions_add(to, start, size, name, strcspn(name, "\r"));
}

/* Returns how much of it are whole lines. */
static size_t take_lines(char *text, size_t len, struct jit_regions *to)
{
	char *line = text, *end;

	while ((end = memchr(line, '\n', len - (size_t)(line - text)))) {
		*end = '\0';
		take_line(line, to);
		line = end + 1;
	}
	return (size_t)(line - text);
}

void perf_map_read(struct jit_file *f, off_t size, struct jit_regions *to)
{
	char *text = malloc(CHUNK + 1);

	while (text && f->at < size) {
		ssize_t got = pread(f->fd, text, CHUNK, f->at);
		size_t used;

		if (got <= 0)
			break;
		text[got] = '\0';
		used = take_lines(text, (size_t)got, to);
		if (!used && got < CHUNK)
			break; /* the line is being written */
		if (!used)
			to->lost++; /* longer than any name: passed over, piece by piece */
		f->at += used ? (off_t)used : got;
	}
	free(text);
}
