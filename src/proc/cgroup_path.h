/* SPDX-License-Identifier: BSD-2-Clause */
/* Control groups by the number that the kernel knows them by. */
#ifndef DWELL_CGROUP_PATH_H
#define DWELL_CGROUP_PATH_H

#include <stddef.h>
#include <stdint.h>

/*
 * Directory of the group whose inode is `id`, in the hierarchy that has the controller cpu.
 * -errno: it is gone, or not to be seen from here.
 */
int cgroup_path_of_id(uint64_t id, char *path, size_t size);

#endif
