/* SPDX-License-Identifier: BSD-2-Clause */
/* The files made of stacks: --folded, --pprof, --speedscope, --flame. */
#ifndef DWELL_STACK_FILES_H
#define DWELL_STACK_FILES_H

#include "options.h"
#include "outfile.h"
#include "report.h"

#define STACK_FILES 4

struct stack_files {
	const struct options *options;
	struct outfile *files[STACK_FILES]; /* NULL: not wanted */
	int errors[STACK_FILES];
};

/* Opens what is wanted, before anything runs. 0 or -errno. */
int stack_files_open(struct stack_files *s, const struct options *o);
/* Without stacks in the report nothing is written, and that is said. */
void stack_files_write(struct stack_files *s, const struct report *r);
/* keep: those that are complete get their names. 0, or -errno of one that is not. */
int stack_files_close(struct stack_files *s, bool keep);

#endif
