// SPDX-License-Identifier: BSD-2-Clause
/*
 * tables: how large the unwind tables of files are, made as dwell makes them. Prints a line a
 * file: rows, and bytes of rows and index.
 *
 *	tables FILE...
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "eh_table.h"

static int print_table(const char *path)
{
	struct eh_table t = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0) {
		perror(path);
		return 1;
	}
	err = eh_table_read(&t, fd);
	close(fd);
	if (err) {
		fprintf(stderr, "%s: no table (%d)\n", path, err);
		return 1;
	}
	printf("%zu %zu\n", t.nrows, t.nrows * sizeof(*t.rows) + t.npages * sizeof(*t.pages));
	eh_table_free(&t);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= print_table(argv[i]);
	return failed;
}
