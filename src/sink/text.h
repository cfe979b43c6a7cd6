/* SPDX-License-Identifier: BSD-2-Clause */
/* The summary screen: a report as one page for people. */
#ifndef DWELL_TEXT_H
#define DWELL_TEXT_H

#include <stdio.h>

#include "report.h"
#include "term.h"

void text_report(FILE *f, const struct report *r, const struct text_style *style);

#endif
