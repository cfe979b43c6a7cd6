/* SPDX-License-Identifier: BSD-2-Clause */
/* The io probe's lines on the summary screen. */
#include "io_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "format.h"

/* A sentence that grows; what does not fit is dropped. */
struct sentence {
	char text[400];
	size_t len;
};

static void add(struct sentence *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct sentence *s, const char *fmt, ...)
{
	size_t room = sizeof(s->text) - s->len;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(s->text + s->len, room, fmt, args);
	va_end(args);
	if (n > 0)
		s->len += (size_t)n < room ? (size_t)n : room - 1;
}

static const char *comma(const struct sentence *s)
{
	return s->len ? ", " : "";
}

static void add_moved(struct sentence *s, const struct io_call_row *row, const char *what)
{
	char count[FORMAT_LEN], bytes[FORMAT_LEN];

	if (row->count)
		add(s, "%s%s %s (%s)", comma(s), format_count(count, row->count), what,
		    format_bytes(bytes, row->bytes));
}

static void text_calls(const struct io_figures *f, struct text_lines *t)
{
	const struct io_call_row *open = &f->calls[IO_OPEN];
	char count[FORMAT_LEN], failed[FORMAT_LEN];
	struct sentence s = { .len = 0 };

	add_moved(&s, &f->calls[IO_READ], "reads");
	add_moved(&s, &f->calls[IO_WRITE], "writes");
	if (open->count)
		add(&s, "%s%s opens", comma(&s), format_count(count, open->count));
	if (open->count && open->errors)
		add(&s, " (%s failed)", format_count(failed, open->errors));
	if (f->cache.read_pages)
		add(&s, "; page cache: %s of the pages read were in it",
		    format_share(count, f->cache.hits, f->cache.read_pages));
	if (s.len)
		text_line(t, "%s", s.text);
}

/* The file on which most was spent on syncs is not known by time alone: the one most synced. */
static const struct io_file_row *most_synced(const struct io_report *io)
{
	const struct io_file_row *most = NULL;

	for (size_t i = 0; i < io->nfiles; i++)
		if (io->files[i].syncs && (!most || io->files[i].syncs > most->syncs))
			most = &io->files[i];
	return most;
}

static void text_syncs(const struct io_report *io, struct text_lines *t)
{
	const struct wait_stat *a = &io->tree.calls[IO_FSYNC].time.stat;
	const struct wait_stat *b = &io->tree.calls[IO_FDATASYNC].time.stat;
	uint64_t n = a->count + b->count, max = a->max_ns > b->max_ns ? a->max_ns : b->max_ns;
	const struct io_file_row *file = most_synced(io);
	char count[FORMAT_LEN], mean[FORMAT_LEN], longest[FORMAT_LEN], name[200];

	if (!n)
		return;
	text_line(t, "%s fsyncs, %s each, the longest %s%s%s", format_count(count, n),
		  format_duration(mean, (a->ns + b->ns) / n, t->utf8),
		  format_duration(longest, max, t->utf8), file ? "; most of " : "",
		  file ? format_clean(name, sizeof(name), file->name, t->utf8) : "");
}

static uint64_t mean_of(const struct io_report *io, bool queue)
{
	uint64_t ns = 0, count = 0;

	for (int op = 0; op < IO_BLOCK_OPS; op++) {
		const struct io_block_row *b = &io->tree.block[op];
		const struct wait_stat *w = queue ? &b->queue.stat : &b->device.stat;

		ns += w->ns;
		count += w->count;
	}
	return count ? ns / count : 0;
}

static void text_block(const struct io_report *io, struct text_lines *t)
{
	char count[FORMAT_LEN], bytes[FORMAT_LEN], queue[FORMAT_LEN], device[FORMAT_LEN];
	uint64_t errors = 0;

	for (int op = 0; op < IO_BLOCK_OPS; op++)
		errors += io->tree.block[op].errors;
	if (!io->tree.requests)
		return;
	text_line(
		t,
		"%s requests to disks (%s): %s in the queue and %s on the device each, at most %llu at once%s",
		format_count(count, io->tree.requests), format_bytes(bytes, io->tree.request_bytes),
		format_duration(queue, mean_of(io, true), t->utf8),
		format_duration(device, mean_of(io, false), t->utf8),
		(unsigned long long)io->max_depth, errors ? "; some failed" : "");
}

void io_text(const struct report *r, struct text_lines *t)
{
	text_calls(&r->io.tree, t);
	text_syncs(&r->io, t);
	text_block(&r->io, t);
}
