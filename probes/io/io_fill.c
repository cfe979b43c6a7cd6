/* SPDX-License-Identifier: BSD-2-Clause */
/* The io probe's rows; see io_fill.h. */
#include "io_fill.h"

#include <string.h>

#include "session.h"
#include "sum.h"

/* ---- figures ---- */

static struct io_time time_of(uint64_t ns, uint64_t count, uint64_t max_ns)
{
	return (struct io_time){ .stat = { .ns = ns, .count = count, .max_ns = max_ns } };
}

static void fill_calls(struct io_figures *to, const struct io_slot *from)
{
	for (int op = 0; op < IO_OPS; op++) {
		struct io_call_row *row = &to->calls[op];

		row->count = from->calls[op];
		row->errors = from->errors[op];
		row->timed = from->timed[op];
		row->time = time_of(from->ns[op], from->timed[op], from->max_ns[op]);
		row->moves = op == IO_READ || op == IO_WRITE;
	}
}

static void add_moved(struct io_call_row *row, const struct io_moved *moved)
{
	row->count += moved->calls;
	row->bytes += moved->bytes;
	row->time.stat.ns += moved->ns;
}

static void fill_kinds(struct io_figures *to, const struct io_slot *from)
{
	for (int kind = 0; kind < IO_KINDS; kind++) {
		const struct io_moved *read = &from->moved[IO_READ][kind];
		const struct io_moved *written = &from->moved[IO_WRITE][kind];

		to->kinds[kind] = (struct io_kind_row){
			.opens = from->opens[kind],
			.reads = read->calls,
			.read_bytes = read->bytes,
			.read_time = time_of(read->ns, 0, 0),
			.writes = written->calls,
			.written_bytes = written->bytes,
			.write_time = time_of(written->ns, 0, 0),
			.seeks = from->seeks[kind],
			.syncs = from->syncs[kind],
			.errors = from->kind_errors[kind],
		};
		add_moved(&to->calls[IO_READ], read);
		add_moved(&to->calls[IO_WRITE], written);
	}
}

/* Pages that were read ahead of what was read in the end are no misses. */
static void fill_cache(struct io_cache_row *to, const struct io_slot *from, bool has_faults)
{
	memcpy(to->added, from->added, sizeof(to->added));
	to->has_faults = has_faults;
	to->read_pages = from->cached_pages;
	to->misses =
		from->added[IO_BY_READ] < to->read_pages ? from->added[IO_BY_READ] : to->read_pages;
	to->hits = to->read_pages - to->misses;
	to->hit_ratio = to->read_pages ? (double)to->hits / (double)to->read_pages : 0;
	to->dirtied = from->dirtied;
	to->faults = from->faults;
}

static void fill_block(struct io_block_row *to, const struct io_block *from, uint64_t max_queue_ns,
		       uint64_t max_device_ns)
{
	*to = (struct io_block_row){
		.requests = from->requests,
		.bytes = from->bytes,
		.merges = from->merges,
		.errors = from->errors,
		.queue = time_of(from->queue_ns, from->requests, max_queue_ns),
		.device = time_of(from->device_ns, from->requests, max_device_ns),
	};
}

static void fill_bios(struct io_bios_row *to, const struct io_bios *from, uint64_t max_ns)
{
	*to = (struct io_bios_row){
		.count = from->count,
		.bytes = from->bytes,
		.errors = from->errors,
		.time = time_of(from->ns, from->count, max_ns),
	};
}

void io_fill_figures(struct io_figures *to, const struct io_slot *from,
		     const struct usage_slot *usage, bool has_faults)
{
	fill_calls(to, from);
	fill_kinds(to, from);
	fill_cache(&to->cache, from, has_faults);
	for (int op = 0; op < IO_BLOCK_OPS; op++) {
		fill_block(&to->block[op], &from->block[op], from->max_queue_ns[op],
			   from->max_device_ns[op]);
		to->requests += from->block[op].requests;
		to->request_bytes += from->block[op].bytes;
	}
	for (int op = 0; op <= IO_BLOCK_WRITE; op++)
		fill_bios(&to->bios[op], &from->bios[op], from->max_bio_ns[op]);
	if (from->aio_submitted > from->aio_told)
		to->aio_unseen = from->aio_submitted - from->aio_told;
	/* requests of a process that is gone end in the row `other` */
	to->in_flight = from->started > from->ended ? from->started - from->ended : 0;
	if (!usage)
		return;
	to->has_usage = true;
	to->storage_read_bytes = usage->read_bytes;
	to->storage_written_bytes = usage->written_bytes;
	to->cancelled_bytes = usage->cancelled_bytes;
}

/* ---- percentiles of the tree ---- */

/* `n` histograms from `which` on, together. */
static void fill_time(struct probe *p, struct report *r, unsigned which, unsigned n,
		      struct io_time *t)
{
	uint64_t sum[HIST_BUCKETS] = { 0 }, buckets[HIST_BUCKETS];
	uint64_t max = t->stat.max_ns ?: UINT64_MAX; /* by kind of file it is not known */

	t->stat.count = 0;
	for (unsigned k = which; k < which + n; k++) {
		slots_hist(p, k, buckets);
		for (int i = 0; i < HIST_BUCKETS; i++) {
			sum[i] += buckets[i];
			t->stat.count += buckets[i];
		}
	}
	if (!t->stat.count)
		return;
	t->stat.p50_ns = hist_quantile(sum, 0.50, 0, max);
	t->stat.p95_ns = hist_quantile(sum, 0.95, 0, max);
	t->stat.p99_ns = hist_quantile(sum, 0.99, 0, max);
	t->hist = report_hist(r, sum, &t->nhist);
}

void io_fill_times(struct probe *p, struct report *r)
{
	struct io_figures *to = &r->io.tree;

	fill_time(p, r, IO_HIST_READ, IO_KINDS, &to->calls[IO_READ].time);
	fill_time(p, r, IO_HIST_WRITE, IO_KINDS, &to->calls[IO_WRITE].time);
	for (unsigned op = IO_OPEN; op < IO_OPS; op++)
		fill_time(p, r, IO_HIST_CALL + op - IO_OPEN, 1, &to->calls[op].time);
	for (unsigned kind = 0; kind < IO_KINDS; kind++) {
		fill_time(p, r, IO_HIST_READ + kind, 1, &to->kinds[kind].read_time);
		fill_time(p, r, IO_HIST_WRITE + kind, 1, &to->kinds[kind].write_time);
	}
	for (unsigned op = 0; op < IO_BLOCK_OPS; op++) {
		fill_time(p, r, IO_HIST_QUEUE + op, 1, &to->block[op].queue);
		fill_time(p, r, IO_HIST_BLOCK + op, 1, &to->block[op].device);
	}
	for (unsigned op = 0; op <= IO_BLOCK_WRITE; op++)
		fill_time(p, r, IO_HIST_BIOS + op, 1, &to->bios[op].time);
}

/* ---- devices ---- */

/* By Little's law: the mean number in flight is what all of them waited, by the time. */
static double mean_depth(uint64_t ns, uint64_t wall_ns)
{
	return wall_ns ? (double)ns / (double)wall_ns : 0;
}

static uint64_t block_ns(const struct io_block_row block[IO_BLOCK_OPS])
{
	uint64_t ns = 0;

	for (int op = 0; op < IO_BLOCK_OPS; op++)
		ns += block[op].queue.stat.ns + block[op].device.stat.ns;
	return ns;
}

static void fill_device(struct report *r, struct io_device_row *row, const struct io_device *d)
{
	row->name = report_printf(r, "%.*s", IO_DISK_NAME, d->name);
	row->major = d->dev >> 20;
	row->minor = d->dev & 0xfffff;
	for (int op = 0; op < IO_BLOCK_OPS; op++)
		fill_block(&row->block[op], &d->block[op], d->max_queue_ns[op],
			   d->max_device_ns[op]);
	for (int op = 0; op <= IO_BLOCK_WRITE; op++)
		fill_bios(&row->bios[op], &d->bios[op], d->max_bio_ns[op]);
	row->in_flight = d->in_flight;
	row->max_depth = d->max_in_flight;
	row->mean_depth = mean_depth(block_ns(row->block), r->wall_ns);
}

static bool device_used(const struct io_device *d)
{
	uint64_t n = d->bios[IO_BLOCK_READ].count + d->bios[IO_BLOCK_WRITE].count + d->in_flight;

	for (int op = 0; op < IO_BLOCK_OPS; op++)
		n += d->block[op].requests + d->block[op].merges;
	return n;
}

void io_fill_devices(const struct io_maps *m, struct report *r)
{
	struct io_report *io = &r->io;

	io->devices = report_alloc(r, m->ndevices * sizeof(*io->devices));
	for (size_t i = 1; i < m->ndevices; i++)
		if (device_used(&m->devices[i]))
			fill_device(r, &io->devices[io->ndevices++], &m->devices[i]);
	if (device_used(&m->devices[0])) {
		fill_device(r, &io->devices[io->ndevices], &m->devices[0]);
		io->devices[io->ndevices++].name = "other";
	}
	io->tree.in_flight = m->state->in_flight;
	io->max_depth = m->state->max_in_flight;
	io->mean_depth = mean_depth(block_ns(io->tree.block), r->wall_ns);
}
