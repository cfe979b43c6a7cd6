/* SPDX-License-Identifier: BSD-2-Clause */
/* The io probe's lines on the summary screen. */
#include "io_text.h"

#include <stdarg.h>
#include <stdbool.h>
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

/* What went from or to files; sockets and pipes are told of elsewhere. */
static void add_moved(struct sentence *s, const struct io_figures *f, bool writes, bool utf8)
{
	static const int files[] = { IO_REGULAR, IO_DIRECTORY, IO_TTY, IO_DEVICE };
	const struct io_call_row *all = &f->calls[writes ? IO_WRITE : IO_READ];
	char counted[COUNTED_LEN], text[FORMAT_LEN];
	uint64_t calls = 0, bytes = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const struct io_kind_row *k = &f->kinds[files[i]];

		calls += writes ? k->writes : k->reads;
		bytes += writes ? k->written_bytes : k->read_bytes;
	}
	if (!calls && !all->errors)
		return;
	add(s, "%s%s of files (%s", comma(s),
	    writes ? format_counted(counted, calls, "write", "writes")
		   : format_counted(counted, calls, "read", "reads"),
	    format_bytes(text, bytes));
	if (all->errors)
		add(s, ", %s failed", format_count(text, all->errors));
	if (all->timed)
		add(s, ", p99 %s", format_duration(text, all->time.stat.p99_ns, utf8));
	add(s, ")");
}

static void text_calls(const struct io_figures *f, struct text_lines *t)
{
	const struct io_call_row *open = &f->calls[IO_OPEN];
	char counted[COUNTED_LEN], text[FORMAT_LEN];
	struct sentence s = { .len = 0 };

	add_moved(&s, f, false, t->utf8);
	add_moved(&s, f, true, t->utf8);
	if (open->count)
		add(&s, "%s%s", comma(&s), format_counted(counted, open->count, "open", "opens"));
	if (open->count && open->errors)
		add(&s, " (%s failed)", format_count(text, open->errors));
	if (f->cache.misses)
		add(&s, "; %s of the pages read were in the page cache",
		    format_share(text, f->cache.hits, f->cache.read_pages));
	if (s.len)
		text_line(t, "%s", s.text);
}

/* "; most of it on FILE" where it is half of the time, else its share from a fifth on. */
static void add_synced(struct sentence *s, const struct io_file_row *file, uint64_t ns, bool utf8)
{
	char name[200], share[FORMAT_LEN];

	if (!file->name || file->sync_ns * 5 < ns)
		return;
	format_clean(name, sizeof(name), file->name, utf8);
	if (file->sync_ns * 2 >= ns)
		add(s, "; most of it on %s", name);
	else
		add(s, "; %s of it on %s", format_share(share, file->sync_ns, ns), name);
}

static void text_syncs(const struct io_report *io, struct text_lines *t)
{
	const struct io_call_row *full = &io->tree.calls[IO_FSYNC];
	const struct io_call_row *data = &io->tree.calls[IO_FDATASYNC];
	const struct wait_stat *a = &full->time.stat, *b = &data->time.stat;
	uint64_t timed = a->count + b->count, all = full->count + data->count;
	uint64_t max = a->max_ns > b->max_ns ? a->max_ns : b->max_ns;
	bool are_full = full->count >= data->count;
	char count[COUNTED_LEN], text[FORMAT_LEN];
	struct sentence s = { .len = 0 };

	if (!all)
		return;
	add(&s, "%s",
	    format_counted(count, timed ? timed : all, are_full ? "fsync" : "fdatasync",
			   are_full ? "fsyncs" : "fdatasyncs"));
	if (timed) {
		add(&s, ", %s each", format_duration(text, (a->ns + b->ns) / timed, t->utf8));
		add(&s, ", the longest %s", format_duration(text, max, t->utf8));
		add_synced(&s, &io->synced, a->ns + b->ns, t->utf8);
	}
	if (timed && all > timed) /* by io_uring, by Linux AIO */
		add(&s, "; %s more that were not timed", format_count(text, all - timed));
	text_line(t, "%s", s.text);
}

/* Of one sort: "40 writes (8.00 MiB), 34 us in the queue and 1.20 ms on the device". */
static void add_block(struct sentence *s, const struct io_block_row *b, const char *one,
		      const char *many, bool utf8)
{
	char counted[COUNTED_LEN], text[FORMAT_LEN];

	if (!b->requests)
		return;
	add(s, "%s%s", s->len ? "; " : "", format_counted(counted, b->requests, one, many));
	if (b->bytes)
		add(s, " (%s)", format_bytes(text, b->bytes));
	if (b->queue.stat.count)
		add(s, ", %s in the queue",
		    format_duration(text, b->queue.stat.ns / b->queue.stat.count, utf8));
	if (b->device.stat.count)
		add(s, "%s%s on the device", b->queue.stat.count ? " and " : ", ",
		    format_duration(text, b->device.stat.ns / b->device.stat.count, utf8));
	if (b->errors)
		add(s, ", %s failed", format_count(text, b->errors));
}

static void text_block(const struct io_report *io, struct text_lines *t)
{
	static const struct {
		int op;
		const char *one, *many;
	} sorts[] = {
		{ IO_BLOCK_READ, "read", "reads" },
		{ IO_BLOCK_WRITE, "write", "writes" },
		{ IO_BLOCK_DISCARD, "discard", "discards" },
		{ IO_BLOCK_FLUSH, "flush", "flushes" },
	};
	struct sentence s = { .len = 0 };

	for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++)
		add_block(&s, &io->tree.block[sorts[i].op], sorts[i].one, sorts[i].many, t->utf8);
	if (!s.len)
		return;
	if (io->max_depth > 1)
		add(&s, "; at most %llu at once", (unsigned long long)io->max_depth);
	text_line(t, "to disks: %s", s.text);
}

void io_text(const struct report *r, struct text_lines *t)
{
	text_calls(&r->io.tree, t);
	text_syncs(&r->io, t);
	text_block(&r->io, t);
}
