/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names for addresses: places in files, in the kernel, in JIT code. Files are opened while a
 * process that maps them lives (names_file), named later, cached by build-id. What has no
 * symbol is "module+0xoffset". Frames are interned: equal places give the same pointer.
 * Bounded: see names_open(). Not thread safe. Include it as "symbol/names.h": there is
 * another names.h.
 */
#ifndef DWELL_SYMBOL_NAMES_H
#define DWELL_SYMBOL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "jit.h"
#include "stacks_report.h" /* struct stack_frame */

#define NAMES_OPEN_FILES 128

struct names;

/*
 * inlined: also inlined functions and lines, from debug information (slower). NULL: no memory.
 * Kept are 262,144 places, 65,536 files, 48 MiB of names and frames; what comes after has one
 * frame, `[too many places to name]`, and is counted.
 */
struct names *names_open(bool inlined);
void names_close(struct names *n);

/*
 * A file numbered `file` by the kernel side. fd is its own (a copy is kept when it is needed
 * later, at most NAMES_OPEN_FILES at once, then reopened by path and build-id); path is for
 * show and for debug files, as the process saw it. root_fd: the process's root directory, where
 * its debug files are looked for first; -1: ours. 0 or -errno.
 */
int names_file(struct names *n, uint32_t file, int fd, const char *path, int root_fd);
bool names_has_file(const struct names *n, uint32_t file);

/*
 * A process that has code in no file: /tmp/perf-PID.map (PID as in its own namespace, below its
 * root) and each jit-PID.dump that it maps are opened and read. Calling again reads what was
 * added to them, also when the process is gone, and finds files that are made later; a perf map
 * also when it has ended. Names that were given follow. 0 or -errno.
 */
int names_process(struct names *n, const struct jit_owner *who);

/*
 * The frames of a place, leaf first: one, or with inlined functions several. `frame` is as
 * in probes/stacks/stacks.h; a return address is looked up one byte before. proc_id: of RAW
 * frames. Returns how many; never 0.
 */
size_t names_frames(struct names *n, uint64_t frame, uint32_t proc_id,
		    const struct stack_frame *const **frames);

/* An interned frame without an address: marks, Python functions. */
const struct stack_frame *names_mark(struct names *n, enum stack_frame_kind kind, const char *name,
				     const char *module, const char *path, uint32_t line);

struct names_counts {
	uint64_t frames, unnamed;   /* distinct places; of them without a function's name */
	uint64_t files, files_lost; /* not read, or not with all of its functions */
	uint64_t jit_unnamed;       /* places in no file without a function's name */
	uint64_t untold;            /* places in files that were never told of */
	uint64_t lost;              /* frames and marks that found no room */
	uint64_t jit_lost;     /* processes with JIT code, and regions of it, that found none */
	uint64_t inlined_lost; /* files of whose inlined functions some are missing */
	uint64_t kernel_lost;  /* functions of the kernel that found no room */
	uint64_t roots_lost;   /* files and processes whose root directory found none */
};
void names_count(const struct names *n, struct names_counts *counts);

#endif
