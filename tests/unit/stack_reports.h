/* SPDX-License-Identifier: BSD-2-Clause */
/* Reports with stacks that every output of stacks is tested with. */
#ifndef DWELL_STACK_REPORTS_H
#define DWELL_STACK_REPORTS_H

#include "report.h"

struct stack_case {
	const char *name;
	void (*fill)(struct report *r); /* r from report_new() */
};

extern const struct stack_case stack_cases[]; /* ended by a NULL name */

#endif
