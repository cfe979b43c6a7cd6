/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening what other processes named: a path may be a pipe or a device, or lead elsewhere. */
#ifndef DWELL_PLAIN_FILE_H
#define DWELL_PLAIN_FILE_H

/*
 * A regular file, open for reading, or -errno. root_fd: the directory that the path starts from,
 * and that no link leads out of; -1: our own root. What waits or wakes when opened is not.
 */
int plain_file_open(int root_fd, const char *path);

#endif
