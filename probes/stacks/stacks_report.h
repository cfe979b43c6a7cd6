/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stacks of a report, named. Rows of a thread in a state add up to the ledger's time of that
 * thread and state, to the nanosecond. All memory lives as long as the report (report_alloc),
 * strings as long as the session.
 */
#ifndef DWELL_STACKS_REPORT_H
#define DWELL_STACKS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger.h"

enum stack_frame_kind {
	STACK_FRAME_USER,
	STACK_FRAME_INLINED, /* a function inlined into the next frame's (towards the root) */
	STACK_FRAME_JIT,
	STACK_FRAME_PYTHON,
	STACK_FRAME_KERNEL,
	STACK_FRAME_WAKER, /* of the thread that woke this one; stands beyond the leaf */
	STACK_FRAME_MARK,  /* "[truncated: why]", "[not sampled]": no code */
};

struct stack_frame {
	const char *name;     /* never NULL: function, else "module+0xoffset" */
	const char *module;   /* "libc.so.6", "[kernel]", "[vdso]", a script; NULL: none known */
	const char *path;     /* source file, NULL: not known */
	const char *build_id; /* of the module, in hex; NULL: not known */
	uint32_t line;        /* 0: not known */
	uint8_t kind;         /* enum stack_frame_kind */
	uint64_t address;     /* ELF address in module; kernel or raw address */
};

struct stack_row {
	uint32_t proc_id, pid;
	uint32_t thread_id, tid; /* 0: threads of the process that have ended, together */
	const char *comm;        /* the process's name */
	const char *thread;      /* the thread's name */
	uint32_t state;          /* of the ledger */
	uint64_t ns;
	uint64_t count; /* samples behind it; 0: [not sampled] */
	size_t nframes;
	const struct stack_frame *const *frames; /* leaf first: waker, kernel, user; interned */
};

/* denet's view of one stack in one state, of all threads that had it. */
struct stack_trace_frame {
	uint64_t address;
	const char *symbol, *source_location; /* NULL: not known */
	const char *module, *kind;
};

struct stack_trace_frames {
	struct stack_trace_frame *rows; /* leaf first */
	size_t n;
};

struct stack_trace_thread {
	uint32_t ids[2]; /* pid, tid; tid 0: threads that have ended */
};

struct stack_trace {
	struct {
		uint32_t pid, tid, prev_state;
		uint64_t offcpu_time_ns, start_time_ns, end_time_ns;
		int user_stack_id, kernel_stack_id;
	} event;
	struct stack_trace_frames user, kernel, waker;
	const char *process_name, *thread_name, *user_stack_error, *kernel_stack_error;
	const char *state;
	uint64_t time_ns, count;
	struct stack_trace_thread *threads;
	size_t nthreads;
	uint64_t threads_cut; /* threads that had it too */
};

/* What code was doing: functions, root first (engine/code_paths.h). */
struct code_path {
	const char *comm; /* the process's name */
	uint32_t state;
	uint64_t ns, count; /* samples behind it */
	const char *const *words;
	size_t n;
};

struct stacks_report {
	bool present;
	uint64_t quantum_ns; /* of off-CPU samples; 0: every block */
	uint32_t frequency;  /* of on-CPU samples, a second and CPU */
	const char *clock;   /* what makes them: "cycles", "cpu-clock"; NULL: nothing does */
	struct stack_row *rows;
	size_t nrows;
	uint64_t samples, truncated; /* samples; those whose stack is not whole */
	uint64_t ends[16];           /* samples by enum stack_end */
	uint64_t not_sampled_ns;     /* time without a stack, in rows of count 0 */
	uint64_t other_ns;           /* time in rows cut: table full; counted in trust */
	/* made of the rows by stack_traces_make() (sink/stack_traces.h) */
	uint64_t rows_ns;           /* time of all rows */
	struct stack_trace *traces; /* by time, descending; bounded */
	size_t ntraces;
	uint64_t traces_cut, traces_cut_ns; /* those that were left out */
	/* made of the rows by code_paths_make() */
	struct code_path *paths; /* those with the most time, descending */
	size_t npaths, npaths_all;
	struct code_path
		hot[LEDGER_STATES]; /* down to where half of a state's time is; n 0: none */
};

#endif
