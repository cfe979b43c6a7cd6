/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One error convention: functions return 0 or a negative errno; the innermost frame
 * says what failed with err_set(), callers pass the number up, and main prints the line.
 */
#ifndef DWELL_ERR_H
#define DWELL_ERR_H

#include <stdbool.h>

/* Remembers "TEXT: strerror(-err)" (err 0: TEXT alone) as the last error. Returns err. */
int err_set(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A second line for the user: what to do about it. */
void err_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The last error's text, "" when none. */
const char *err_text(void);
const char *err_hint_text(void);
void err_clear(void);

/* The memory; NULL: says that there is none, and aborts. */
void *or_abort(void *memory);

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
extern enum log_level log_level; /* default LOG_WARN; -q LOG_ERROR, --debug LOG_DEBUG */
/* "dwell: TEXT" on stderr; stdout is data. */
void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
