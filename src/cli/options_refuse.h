/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parser and the setters share: refusing a word, reading a number. */
#ifndef DWELL_OPTIONS_REFUSE_H
#define DWELL_OPTIONS_REFUSE_H

#include <errno.h>
#include <stdbool.h>

#include "err.h"

/* The text alone says it all: no strerror behind it. */
#define refuse(...) (err_set(0, __VA_ARGS__), -EINVAL)

/* Decimal digits alone, at most `max`. */
bool parse_number(const char *text, unsigned long max, unsigned long *out);

#endif
