/* SPDX-License-Identifier: BSD-2-Clause */
/* One line is held at a time, whatever the size of the file. */
#include "stats_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

#define FIRST_BYTES 65536

struct line {
	char *text;
	size_t len, size;
	bool ended; /* by a newline, which is not in text */
};

static int line_grow(struct line *l, const char *name)
{
	size_t size = l->size ? 2 * l->size : FIRST_BYTES;
	char *text;

	if (size > STATS_LINE_BYTES)
		return err_set(-EFBIG, "'%s' has a line of more than %u MB", name,
			       STATS_LINE_BYTES >> 20);
	text = realloc(l->text, size);
	if (!text)
		return err_set(-ENOMEM, "cannot read '%s'", name);
	l->text = text;
	l->size = size;
	return 0;
}

/* 1: a line; 0: the end; -errno. */
static int line_read(struct line *l, FILE *f, const char *name)
{
	int c = 0, err = 0;

	l->len = 0;
	l->ended = false;
	while (!err && (c = getc_unlocked(f)) != EOF && c != '\n') {
		if (l->len == l->size)
			err = line_grow(l, name);
		if (!err)
			l->text[l->len++] = (char)c;
	}
	if (err)
		return err;
	if (ferror(f))
		return err_set(-errno, "cannot read '%s'", name);
	l->ended = c == '\n';
	return l->ended || l->len;
}

static bool is_blank(const struct line *l)
{
	for (size_t i = 0; i < l->len; i++)
		if (!strchr(" \t\r", l->text[i]) || !l->text[i])
			return false;
	return true;
}

static bool at_end(FILE *f)
{
	int c = getc(f);

	if (c != EOF)
		ungetc(c, f);
	return c == EOF;
}

static int take_line(struct stats *s, const struct line *l, FILE *f, const char *name,
		     unsigned long nr)
{
	json_error_t why;
	json_t *record;

	if (is_blank(l))
		return 0;
	record = json_loadb(l->text, l->len, 0, &why);
	if (!record && s->records && at_end(f)) {
		log_msg(LOG_WARN, "'%s' is cut off: line %lu is left out", name, nr);
		return 0;
	}
	if (!record)
		return err_set(-EINVAL, "'%s' is not a report: line %lu is not JSON (%s)", name, nr,
			       why.text);
	if (json_is_object(record))
		stats_add(s, record);
	else
		s->unknown++;
	json_decref(record);
	return 0;
}

int stats_read(struct stats *s, FILE *f, const char *name)
{
	struct line l = {};
	unsigned long nr = 0;
	int err = 0, got;

	while (!err && (got = line_read(&l, f, name)) != 0)
		err = got < 0 ? got : take_line(s, &l, f, name, ++nr);
	free(l.text);
	if (err)
		return err;
	if (!nr)
		return err_set(-EINVAL, "'%s' is empty", name);
	if (!s->sample_count && !s->summary)
		return err_set(-EINVAL, "'%s' %s", name,
			       s->records ? "has no samples and no summary"
					  : "is not a report of dwell or denet");
	if (s->unknown)
		log_msg(LOG_WARN, "'%s': %llu lines are no records that dwell knows", name,
			(unsigned long long)s->unknown);
	return 0;
}
