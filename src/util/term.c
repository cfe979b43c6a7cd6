/* SPDX-License-Identifier: BSD-2-Clause */
/* What a stream can show; the encoding is that of the locale which main has set. */
#include "term.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int clamp_width(long width)
{
	if (width < TERM_MIN_WIDTH)
		return TERM_MIN_WIDTH;
	return width > TERM_MAX_WIDTH ? TERM_MAX_WIDTH : (int)width;
}

static int stream_width(FILE *f)
{
	const char *columns = getenv("COLUMNS");
	struct winsize ws = {};
	long width;

	if (!ioctl(fileno(f), TIOCGWINSZ, &ws) && ws.ws_col)
		return clamp_width(ws.ws_col);
	width = columns ? strtol(columns, NULL, 10) : 0;
	return width > 0 ? clamp_width(width) : TERM_DEFAULT_WIDTH;
}

static bool stream_has_color(FILE *f)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no_color && *no_color)
		return false;
	return isatty(fileno(f)) && term && *term && strcmp(term, "dumb") != 0;
}

struct text_style text_style_of(FILE *f, bool no_color)
{
	return (struct text_style){
		.width = stream_width(f),
		.color = !no_color && stream_has_color(f),
		.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
	};
}
