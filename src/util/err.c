/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last error and its hint, each in a buffer of fixed size (a longer text is cut), and
 * the log. dwell has one thread; neither is locked.
 */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_LEN 1024

enum log_level log_level = LOG_WARN;

static char text[TEXT_LEN];
static char hint[TEXT_LEN];

int err_set(int err, const char *fmt, ...)
{
	char what[TEXT_LEN - 128]; /* leaves room for the reason */
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	if (err)
		snprintf(text, sizeof(text), "%s: %s", what, strerror(err < 0 ? -err : err));
	else
		snprintf(text, sizeof(text), "%s", what);
	hint[0] = '\0'; /* belonged to the error before */
	return err;
}

void err_hint(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(hint, sizeof(hint), fmt, args);
	va_end(args);
}

const char *err_text(void)
{
	return text;
}

const char *err_hint_text(void)
{
	return hint;
}

void err_clear(void)
{
	text[0] = '\0';
	hint[0] = '\0';
}

void *or_abort(void *memory)
{
	if (memory)
		return memory;
	log_msg(LOG_ERROR, "out of memory");
	abort();
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	char line[2 * TEXT_LEN];
	int saved = errno;
	va_list args;

	if (level > log_level)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	/* One write a line: it does not tear when the command writes to the same stderr. */
	fprintf(stderr, "dwell: %s\n", line);
	errno = saved;
}
