/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * CPython as both sides see it: where its structures have what a walk reads, and a code object
 * as it is told. A layout belongs to a file (python3.11, libpython3.13.so.1.0) and is set by
 * user space when it has recognised the file.
 */
#ifndef DWELL_STACKS_PYTHON_LAYOUT_H
#define DWELL_STACKS_PYTHON_LAYOUT_H

#include "stacks.h"

/*
 * Of a FRAME_PYTHON word: number of the code object, its instruction, and whether the frame is
 * the one that entered the interpreter's loop, so that a C function stands between it and the
 * next. Number 0: the loop was entered, but no frame of it can be told.
 */
#define PYTHON_WORD ((1ULL << 60) - 1) /* the bits of it */
#define PYTHON_ENTRY (1ULL << 59)
#define PYTHON_NUMBER_SHIFT 24
#define PYTHON_INSTR_MASK ((1ULL << PYTHON_NUMBER_SHIFT) - 1) /* all ones: before the first */

/* Offsets in bytes. */
struct python_layout {
	__u16 head; /* _PyRuntime: the first interpreter */
	__u16 interp_next, interp_threads;
	__u16 thread_next, thread_native_id, thread_frame;
	__u16 cframe_frame; /* 1 + offset in what thread_frame points to; 0: that is the frame */
	__u16 frame_code, frame_previous, frame_instr, frame_owner;
	__u16 frame_entry;  /* says by itself that it is one; 0: a frame of owner 3 says it */
	__u16 code_strings; /* file name, name, qualified name, line table */
	__u16 code_first_line, code_instrs;
	__u16 bytes_size, bytes_data;
	__u16 text_size, text_state, text_ascii, text_data; /* _data: of one that is not ASCII */
	__u16 pad[3];
};

/* Frames are read at once. */
#define PYTHON_FRAME_SIZE 72

/* Value of the map stacks_python_files, by file number. */
struct python_file {
	/* Added to where its first byte would be mapped, by the mapping of its code. */
	__u64 runtime, code_type; /* _PyRuntime, PyCode_Type */
	struct python_layout layout;
};

#define PYTHON_FILES 64

/* Value of stacks_python_procs, by proc_id: what is known of the process as of then. */
struct python_proc {
	__u64 runtime; /* 0: it is no Python */
	__u64 code_type;
	__u32 file;
	__u32 maps_seq, files; /* of its mappings; python files known */
	__u32 pad;
};

struct python_strings { /* as they lie in a code object */
	__u64 path, plain, name, lines;
};

#define PYTHON_NAME 256
#define PYTHON_PATH 512
#define PYTHON_LINES 16384

struct python_text {
	__u32 size;   /* characters; of a longer one the last are there */
	__u16 kind;   /* bytes a character: 1 (Latin 1), 2, 4 */
	__u16 length; /* bytes that are there */
};

/* EVENT_STACKS_CODE: a code object seen for the first time in its process. */
struct python_code_event {
	struct event_head head;
	__u32 number;
	__s32 first_line;
	struct python_text name, path;
	__u32 lines_size; /* of its line table; PYTHON_LINES at most are there */
	__u32 pad;
	__u8 name_bytes[PYTHON_NAME];
	__u8 path_bytes[PYTHON_PATH]; /* and then the line table */
};

/*
 * EVENT_STACKS_CODE_AT: the same, one of whose strings is on a page that is not in memory: the kernel
 * side cannot wait for it, user space reads them while the process lives.
 */
struct python_code_place {
	struct event_head head;
	__u32 number;
	__s32 first_line;
	__u64 code;
	struct python_strings strings;
	struct python_layout at;
};

_Static_assert(sizeof(struct python_code_place) == 152, "struct python_code_place has holes");
_Static_assert(sizeof(struct python_layout) == 48, "struct python_layout has holes");
_Static_assert(sizeof(struct python_file) == 64, "struct python_file has holes");
_Static_assert(sizeof(struct python_proc) == 32, "struct python_proc has holes");
_Static_assert(sizeof(struct python_code_event) == 88 + PYTHON_NAME + PYTHON_PATH,
	       "struct python_code_event has holes");

#endif
