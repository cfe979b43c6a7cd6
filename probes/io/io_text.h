/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DWELL_IO_TEXT_H
#define DWELL_IO_TEXT_H

#include "report.h"
#include "text_lines.h"

/* What io has to say on the summary screen. */
void io_text(const struct report *r, struct text_lines *t);

#endif
