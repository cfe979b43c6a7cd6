/* SPDX-License-Identifier: BSD-2-Clause */
/* See scratch.h. */
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>

char scratch_dir[64];

const char *in_dir(const char *name)
{
	static char path[2][128];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", scratch_dir, name);
	return path[turn];
}

int scratch_make(void **state)
{
	snprintf(scratch_dir, sizeof(scratch_dir), "/tmp/dwell-unit-XXXXXX");
	return mkdtemp(scratch_dir) ? 0 : -1;
}

int scratch_remove(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", scratch_dir);
	return system(command);
}

size_t read_path(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(text, 1, size - 1, f) : 0;

	text[n] = '\0';
	if (f)
		fclose(f);
	return n;
}
