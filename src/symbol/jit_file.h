/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files in which a JIT compiler says what code it made: perf-PID.map, a line of text for each
 * function, and jit-PID.dump, binary (jitdump; perf's documentation specifies it). Both are
 * added to while the process runs: each read goes on where the last one ended.
 */
#ifndef DWELL_JIT_FILE_H
#define DWELL_JIT_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "jit_regions.h"

struct jit_file {
	int fd;              /* -1: closed */
	uint64_t dev, inode; /* 0: never opened */
	off_t at;            /* read so far */
	bool dump;           /* jitdump, else a perf map */
	bool broken;         /* no more of it can be read */
};

/* Reads what was added; a file that was cut is read from its beginning. */
void jit_file_read(struct jit_file *f, struct jit_regions *to);
/* What jit_file_read() calls for each kind; from f->at on, which it moves. size: of the file. */
void perf_map_read(struct jit_file *f, off_t size, struct jit_regions *to);
void jitdump_read(struct jit_file *f, off_t size, struct jit_regions *to);

#endif
