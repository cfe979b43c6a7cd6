/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Python frames, user side: tells the kernel side which files are CPython and how it is laid
 * out, keeps the code objects that it tells of, names their frames and puts them in the place
 * of the interpreter's in a native stack. Memory is bounded: what does not fit is counted.
 */
#ifndef DWELL_STACKS_PYTHON_H
#define DWELL_STACKS_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbol/names.h"
#include "python_layout.h"

struct python;

/* Descriptors of the maps stacks_python_files and stacks_python_known. NULL: no memory. */
struct python *python_open(int files, int known);
void python_close(struct python *p);

/*
 * A file with code, numbered `file` by the kernel side, behind fd; path is for show. Does
 * nothing if it is no CPython; one whose structures are not known is remembered with its reason.
 */
void python_file(struct python *p, uint32_t file, int fd, const char *path);

/* A record of the ring; true: it was of Python. */
bool python_event(struct python *p, const struct event_head *head, size_t size);

struct python_place {
	const char *name, *path; /* of the function and its file */
	uint32_t line;           /* 0: not known */
};

/* Where a FRAME_PYTHON word is; false: its code object was not told. */
bool python_place(const struct python *p, uint64_t frame, struct python_place *place);

struct python_stack {
	const struct stack_frame *const *native; /* named, leaf first, without the kernel's */
	size_t nnative;
	const uint64_t *frames; /* FRAME_PYTHON, leaf first */
	size_t nframes;
	bool native_whole, whole; /* each reached its end */
};

/*
 * The native stack with the Python frames in place of the interpreter's. Gives at most `room`
 * frames to `out` (nnative + nframes are enough); returns how many.
 */
size_t python_merge(struct python *p, struct names *names, const struct python_stack *stack,
		    const struct stack_frame **out, size_t room);

#define PYTHON_REASONS 8

struct python_counts {
	uint64_t refused;                    /* files of CPython whose frames are not shown */
	uint64_t unread;                     /* code objects gone before they were read */
	uint64_t lost;                       /* code objects told and not kept: no room */
	const char *reasons[PYTHON_REASONS]; /* why files were refused; NULL-ended if fewer */
};
void python_count(const struct python *p, struct python_counts *counts);

#endif
