/* SPDX-License-Identifier: BSD-2-Clause */
/* Reports made by hand for the tests of the screen: text_reports.c. */
#ifndef DWELL_TEXT_REPORTS_H
#define DWELL_TEXT_REPORTS_H

#include "report.h"

struct text_case {
	const char *name; /* of the golden files: text-NAME-WIDTH[-color].txt */
	void (*fill)(struct report *r);
};

extern const struct text_case text_cases[]; /* ended by a NULL name */

#endif
