/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * I/O of a process by its threads. /proc/PID/io will not do: it has in it what all the
 * children did that the process waited for, so a tree's sum would count them twice.
 */
#ifndef DWELL_THREAD_IO_H
#define DWELL_THREAD_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "read.h"

/* Threads whose exit was told and counted, but that /proc may still show. */
struct gone_set {
	uint32_t *tids;
	size_t n, size;
};

void gone_add(struct gone_set *g, uint32_t tid);
void gone_release(struct gone_set *g);
/*
 * Sum over the threads that /proc shows and that are not gone; forgets the gone that it
 * does not show any more. threads: how many there are. 0 or -errno.
 */
int thread_io_read(pid_t pid, uint64_t threads, struct gone_set *g, struct proc_io *sum);

#endif
