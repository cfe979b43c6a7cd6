/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One line on the terminal that is rewritten while the target runs.
 *
 * Who owns the terminal: the line is drawn on stderr, and only when stderr is a terminal
 * to which the command does not write. When the command's stdout or stderr is that same
 * terminal, a line of ours would tear its output (and a full-screen program's screen), so
 * there is none; stdin does not count, for what it echoes is the user's typing. So `dwell
 * run -- make >log 2>&1 </dev/null` is silent (our stderr is the log), `dwell run -- sh -c
 * 'make >log 2>&1'` too (we cannot see that far), and `dwell attach` draws, as does a run
 * whose command was given other descriptors.
 */
#ifndef DWELL_PROGRESS_H
#define DWELL_PROGRESS_H

#include <stdbool.h>
#include <stdio.h>

#include "report.h"
#include "term.h"

struct progress {
	FILE *f; /* NULL: nothing is drawn */
	struct text_style style;
	bool drawn;
};

/*
 * The command will write to command_out and command_err; -1: it has neither, or there is
 * no command (attach). wanted: false with -q and -n.
 */
void progress_init(struct progress *p, FILE *f, bool wanted, bool no_color, int command_out,
		   int command_err);
void progress_update(struct progress *p, const struct report *r);
/* Removes the line, before anything else is printed. */
void progress_clear(struct progress *p);

#endif
