/* SPDX-License-Identifier: BSD-2-Clause */
/* A file that a process maps, opened as that process has it. */
#ifndef DWELL_STACKS_MAPPED_FILE_H
#define DWELL_STACKS_MAPPED_FILE_H

#include <limits.h>

#include "stacks.h"

struct mapped_file {
	int fd;
	int root_fd; /* the process's root directory; -1: not to be had */
	char path[PATH_MAX];
};

/*
 * By /proc/PID/map_files, which also finds deleted files and those of other mount namespaces;
 * where that is not permitted by the path in the process's root. 0 or -errno: the process has
 * ended, mostly; -ESTALE: what is there now is another file.
 */
int mapped_file_open(struct mapped_file *m, const struct stacks_file_event *event);
void mapped_file_close(struct mapped_file *m);

#endif
