/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes that make code at run time: what their JIT compilers wrote about it. The files stay
 * open, so that what is written up to a process's end can be read after it.
 */
#ifndef DWELL_JIT_H
#define DWELL_JIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "roots.h"

#define JIT_PROCESSES 1024
#define JIT_OPEN_FILES 64
#define JIT_REFUSED 1024      /* words, in which processes are told apart */
#define JIT_BYTES (64U << 20) /* of regions and names of all processes */

struct jit_process;

struct jits {
	struct jit_process *list;
	size_t n, open, bytes;
	uint64_t lost; /* processes that found no room, or not for all of their code; each once */
	uint64_t roots_lost;           /* processes whose root directory was not kept */
	uint64_t refused[JIT_REFUSED]; /* a bit a process */
};

/* A process that made code. */
struct jit_owner {
	uint32_t proc_id;
	pid_t pid; /* as dwell sees it */
	uint64_t
		start_ns; /* CLOCK_MONOTONIC; a perf map last written before is not its; 0: any is */
	bool ended;       /* its PID may be another one's: what it left is found by what is known */
};

/* Looks for the files of a process, and reads them. 0 or -errno: it is gone. */
int jits_read(struct jits *all, struct roots *roots, const struct jit_owner *who);
/* The function at an address of a process, NULL: none is known. Lives until the next read. */
const char *jits_function(const struct jits *all, uint32_t proc_id, uint64_t address);
/* Changes when a read has brought something: the answers may be others. */
uint32_t jits_generation(const struct jits *all, uint32_t proc_id);
/* Processes, files and regions that found no room. */
uint64_t jits_lost(const struct jits *all);
void jits_close(struct jits *all);

#endif
