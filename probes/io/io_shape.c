/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of the io probe: one table of figures serves the tree and its processes. */
#include "io_shape.h"

#include "report.h"
#include "summary_shape.h"

const char *const io_kind_names[IO_KINDS] = { "regular", "directory", "socket", "pipe",
					      "tty",     "device",    "other" };
const char *const io_op_names[IO_OPS] = { "read", "write", "open",      "close",
					  "seek", "fsync", "fdatasync", "sync" };
const char *const io_block_names[IO_BLOCK_OPS] = { "read", "write", "discard", "flush" };
const char *const io_cause_names[IO_CAUSES] = { "read", "write", "fault", "other" };

static const char *op_key(const void *row, size_t i)
{
	(void)row;
	return io_op_names[i];
}

static const char *kind_key(const void *row, size_t i)
{
	(void)row;
	return io_kind_names[i];
}

static const char *block_key(const void *row, size_t i)
{
	(void)row;
	return io_block_names[i];
}

static const char *cause_key(const void *row, size_t i)
{
	(void)row;
	return io_cause_names[i];
}

/* ---- times ---- */

static bool has_max(const void *base)
{
	return ((const struct io_time *)base)->stat.max_ns;
}

static bool has_hist(const void *base)
{
	return ((const struct io_time *)base)->nhist;
}

/* Absent where it is not known. */
#define TIME_IF(present_, member_, help_)                                                          \
	{                                                                                          \
		.key = #member_, .type = SHAPE_U64, .unit = UNIT_NS, .kind = METRIC_GAUGE,         \
		.optional = true, .present = present_,                                             \
		.offset = offsetof(struct io_time, stat.member_), .help = help_                    \
	}

static const struct shape time_shape[] = {
	SHAPE_AS("ns", U64, io_time, stat.ns, UNIT_NS, COUNTER, "time of all together"),
	SHAPE_AS("count", U64, io_time, stat.count, UNIT_COUNT, COUNTER, "how many were timed"),
	TIME_IF(has_max, max_ns, "the longest"),
	TIME_IF(has_hist, p50_ns, "median, within 7 %"),
	TIME_IF(has_hist, p95_ns, "95 % did not take longer"),
	TIME_IF(has_hist, p99_ns, "99 % did not take longer"),
	{ .key = "histogram",
	  .type = SHAPE_LIST,
	  .optional = true,
	  .present = has_hist,
	  .offset = offsetof(struct io_time, hist),
	  .size = sizeof(struct hist_row),
	  .count_offset = offsetof(struct io_time, nhist),
	  .sub = bucket_shape,
	  .help = "of the whole tree: the buckets that are not empty" },
	{},
};

/* ---- system calls ---- */

static bool call_made(const void *row)
{
	return ((const struct io_call_row *)row)->count;
}

static bool call_moves(const void *row)
{
	return ((const struct io_call_row *)row)->moves;
}

static bool call_timed(const void *row)
{
	return ((const struct io_call_row *)row)->timed;
}

static const struct shape call_shape[] = {
	SHAPE_IS(U64, io_call_row, count, UNIT_COUNT, COUNTER, "calls, those that failed too"),
	SHAPE_IS(U64, io_call_row, errors, UNIT_COUNT, COUNTER, "calls that failed"),
	{ .key = "bytes",
	  .type = SHAPE_U64,
	  .unit = UNIT_BYTES,
	  .kind = METRIC_COUNTER,
	  .optional = true,
	  .present = call_moves,
	  .offset = offsetof(struct io_call_row, bytes),
	  .help = "of reads and writes: bytes that they moved" },
	{ .key = "time",
	  .type = SHAPE_OBJECT,
	  .optional = true,
	  .present = call_timed,
	  .offset = offsetof(struct io_call_row, time),
	  .sub = time_shape,
	  .help = "from the call to its return: of fsync and fdatasync always, of the others with "
		  "--io-latency" },
	{},
};

static bool kind_used(const void *row)
{
	const struct io_kind_row *k = row;

	return k->opens || k->reads || k->writes || k->seeks || k->syncs;
}

static bool kind_read_timed(const void *row)
{
	return ((const struct io_kind_row *)row)->read_time.stat.ns;
}

static bool kind_write_timed(const void *row)
{
	return ((const struct io_kind_row *)row)->write_time.stat.ns;
}

static const struct shape kind_shape[] = {
	SHAPE_IS(U64, io_kind_row, opens, UNIT_COUNT, COUNTER, "opens that succeeded"),
	SHAPE_IS(U64, io_kind_row, reads, UNIT_COUNT, COUNTER, "read calls"),
	SHAPE_IS(U64, io_kind_row, read_bytes, UNIT_BYTES, COUNTER, "bytes read"),
	SHAPE_IS(U64, io_kind_row, writes, UNIT_COUNT, COUNTER, "write calls"),
	SHAPE_IS(U64, io_kind_row, written_bytes, UNIT_BYTES, COUNTER, "bytes written"),
	SHAPE_IS(U64, io_kind_row, seeks, UNIT_COUNT, COUNTER, "seeks"),
	SHAPE_IS(U64, io_kind_row, syncs, UNIT_COUNT, COUNTER, "syncs of a descriptor"),
	SHAPE_IS(U64, io_kind_row, errors, UNIT_COUNT, COUNTER,
		 "reads, writes, seeks and syncs that failed"),
	{ .key = "read_time",
	  .type = SHAPE_OBJECT,
	  .optional = true,
	  .present = kind_read_timed,
	  .offset = offsetof(struct io_kind_row, read_time),
	  .sub = time_shape,
	  .help = "with --io-latency: how long its reads took" },
	{ .key = "write_time",
	  .type = SHAPE_OBJECT,
	  .optional = true,
	  .present = kind_write_timed,
	  .offset = offsetof(struct io_kind_row, write_time),
	  .sub = time_shape,
	  .help = "with --io-latency: how long its writes took" },
	{},
};

/* ---- page cache ---- */

static bool cache_read(const void *base)
{
	return ((const struct io_cache_row *)base)->read_pages;
}

static bool cache_has_faults(const void *base)
{
	return ((const struct io_cache_row *)base)->has_faults;
}

static const struct shape pages_shape[] = {
	{ .key = "pages",
	  .type = SHAPE_U64,
	  .unit = UNIT_COUNT,
	  .kind = METRIC_COUNTER,
	  .help = "pages" },
	{},
};

static const struct shape cache_shape[] = {
	SHAPE_IS(
		U64, io_cache_row, read_pages, UNIT_COUNT, COUNTER,
		"pages (4 KiB) of files that read calls took from the page cache: each page that "
		"the bytes returned lie in, once a call. Not those of O_DIRECT, io_uring or Linux AIO, or "
		"of files without storage behind them (/proc, tmpfs, sockets, pipes)"),
	SHAPE_IS(U64, io_cache_row, hits, UNIT_COUNT, COUNTER,
		 "of read_pages those that were in the page cache: read_pages - misses"),
	SHAPE_IS(
		U64, io_cache_row, misses, UNIT_COUNT, COUNTER,
		"of read_pages those that read calls had to bring in from storage. Pages that the "
		"kernel reads ahead are misses when they are brought in, and not once more when "
		"they are read; so reading a file that is not in the cache from end to end has as "
		"many misses as it has pages, however it is read. Never more than read_pages: what "
		"was read ahead in vain is only in added.read"),
	{ .key = "hit_ratio",
	  .type = SHAPE_F64,
	  .unit = UNIT_RATIO,
	  .kind = METRIC_GAUGE,
	  .optional = true,
	  .present = cache_read,
	  .offset = offsetof(struct io_cache_row, hit_ratio),
	  .help = "hits / read_pages; absent when no page was read" },
	{ .key = "added",
	  .type = SHAPE_DICT,
	  .offset = offsetof(struct io_cache_row, added),
	  .size = sizeof(uint64_t),
	  .count = IO_CAUSES,
	  .inline_array = true,
	  .row_key = cause_key,
	  .lone = true,
	  .sub = pages_shape,
	  .help = "pages taken into the page cache, by what for: the file that a call read, the "
		  "file that it wrote, a page fault on a mapping, or something else (a program's "
		  "start, a file system's own blocks, readahead, io_uring, Linux AIO)" },
	SHAPE_IS(
		U64, io_cache_row, dirtied, UNIT_COUNT, COUNTER,
		"clean pages made dirty, by writes, mappings and the file system's own blocks. The "
		"kernel writes them back later, from threads of its own: those requests to devices "
		"are nobody's, but the pages are counted here"),
	{ .key = "faults",
	  .type = SHAPE_U64,
	  .unit = UNIT_COUNT,
	  .kind = METRIC_COUNTER,
	  .optional = true,
	  .present = cache_has_faults,
	  .offset = offsetof(struct io_cache_row, faults),
	  .help = "page faults on mappings of files, those that found their page in the cache too; "
		  "one counts once, however often the kernel tries" },
	{},
};

/* ---- block devices ---- */

static bool block_used(const void *row)
{
	const struct io_block_row *b = row;

	return b->requests || b->merges || b->bytes;
}

static bool block_done(const void *row)
{
	const struct io_block_row *b = row;

	return b->queue.stat.ns || b->device.stat.ns;
}

static const struct shape block_shape[] = {
	SHAPE_IS(U64, io_block_row, requests, UNIT_COUNT, COUNTER,
		 "requests issued to a device, as /proc/diskstats counts them"),
	SHAPE_IS(U64, io_block_row, bytes, UNIT_BYTES, COUNTER,
		 "bytes submitted, those merged into another request too"),
	SHAPE_IS(U64, io_block_row, merges, UNIT_COUNT, COUNTER,
		 "times that I/O joined a request that was there"),
	SHAPE_IS(U64, io_block_row, errors, UNIT_COUNT, COUNTER, "requests that failed"),
	{ .key = "queue",
	  .type = SHAPE_OBJECT,
	  .optional = true,
	  .present = block_done,
	  .offset = offsetof(struct io_block_row, queue),
	  .sub = time_shape,
	  .help = "from the making of the request to its issue to the device; waiting for room in a "
		  "full queue of a disk without a scheduler comes before" },
	{ .key = "device",
	  .type = SHAPE_OBJECT,
	  .optional = true,
	  .present = block_done,
	  .offset = offsetof(struct io_block_row, device),
	  .sub = time_shape,
	  .help = "from its issue to its completion" },
	{},
};

static bool bios_used(const void *row)
{
	return ((const struct io_bios_row *)row)->count;
}

static const struct shape bios_shape[] = {
	SHAPE_IS(U64, io_bios_row, count, UNIT_COUNT, COUNTER, "pieces of I/O"),
	SHAPE_IS(U64, io_bios_row, bytes, UNIT_BYTES, COUNTER, "their bytes"),
	SHAPE_IS(U64, io_bios_row, errors, UNIT_COUNT, COUNTER, "those that failed"),
	SHAPE_SUB("time", io_bios_row, time, time_shape, "from submission to completion"),
	{},
};

#define ROWS(key_, struct_, member_, n_, row_key_, present_, sub_, help_)                          \
	{                                                                                          \
		.key = key_, .type = SHAPE_DICT, .offset = offsetof(struct struct_, member_),      \
		.size = sizeof(((struct struct_ *)0)->member_[0]), .count = n_,                    \
		.inline_array = true, .row_key = row_key_, .row_present = present_, .sub = sub_,   \
		.help = help_                                                                      \
	}

#define BLOCK_ROWS(struct_)                                                                          \
	ROWS("block", struct_, block, IO_BLOCK_OPS, block_key, block_used, block_shape,              \
	     "requests to block devices, charged to the process that made them, whoever issues or "  \
	     "completes them; what a thread of the kernel writes back later is not here. A write "   \
	     "without data that only empties the device's cache is a flush"),                        \
		ROWS("bios", struct_, bios, 2, block_key, bios_used, bios_shape,                     \
		     "I/O to devices that have no requests (zram, dm, md, brd); what these pass on " \
		     "to other devices is in block")

static bool has_usage(const void *base)
{
	return ((const struct io_figures *)base)->has_usage;
}

#define STORAGE(member_, help_)                                                                    \
	{                                                                                          \
		.key = #member_, .type = SHAPE_U64, .unit = UNIT_BYTES, .kind = METRIC_COUNTER,    \
		.optional = true, .present = has_usage,                                            \
		.offset = offsetof(struct io_figures, member_), .help = help_                      \
	}

static const struct shape figures_shape[] = {
	ROWS("calls", io_figures, calls, IO_OPS, op_key, call_made, call_shape,
	     "system calls, native ones (32-bit calls are in summary.syscalls only), and what "
	     "io_uring and Linux AIO (io_submit) read, write and sync, untimed. read, write: also readv, pread64, preadv2 and the like; "
	     "sendfile, copy_file_range, splice and tee are a read and a write each. open: openat, "
	     "openat2, creat; close: close_range; sync: syncfs, sync_file_range, msync, sync. "
	     "recv, send and the like are in summary.network"),
	ROWS("kinds", io_figures, kinds, IO_KINDS, kind_key, kind_used, kind_shape,
	     "opens, reads, writes, seeks and syncs by kind of file; `other` are anonymous files (eventfd, "
	     "timerfd, ...) and descriptors that were closed by another thread meanwhile"),
	SHAPE_SUB("cache", io_figures, cache, cache_shape, "the page cache"),
	BLOCK_ROWS(io_figures),
	SHAPE_IS(U64, io_figures, requests, UNIT_COUNT, COUNTER, "all requests of block"),
	SHAPE_IS(U64, io_figures, request_bytes, UNIT_BYTES, COUNTER, "all bytes of block"),
	SHAPE_IS(U64, io_figures, in_flight, UNIT_COUNT, GAUGE,
		 "queue depth: requests made and not completed, now"),
	STORAGE(storage_read_bytes,
		"the kernel's own count (/proc/PID/io, read_bytes): fetched from storage"),
	STORAGE(storage_written_bytes,
		"the kernel's own count (/proc/PID/io, write_bytes): dirtied, or written directly"),
	STORAGE(cancelled_bytes,
		"the kernel's own count: of those dirtied, truncated before they were written"),
	{},
};

/* ---- files, devices, processes ---- */

static bool file_timed(const void *row)
{
	return ((const struct io_file_row *)row)->timed;
}

static const struct shape file_shape[] = {
	SHAPE_IS(STR, io_file_row, name, UNIT_NONE, INFO,
		 "path when it was first used; the last row may be `other`: all that have none"),
	SHAPE_IS(STR, io_file_row, kind, UNIT_NONE, INFO, "kind of file, as in kinds"),
	SHAPE_IS(U32, io_file_row, pid, UNIT_NONE, INFO,
		 "process that used it first; 0: not known any more"),
	SHAPE_IS(CHARS, io_file_row, comm, UNIT_NONE, INFO, "that process's name"),
	SHAPE_IS(U64, io_file_row, inodes, UNIT_COUNT, GAUGE,
		 "files that have had this path, one after the other"),
	SHAPE_IS(U64, io_file_row, opens, UNIT_COUNT, COUNTER, "opens"),
	SHAPE_IS(U64, io_file_row, reads, UNIT_COUNT, COUNTER, "read calls"),
	SHAPE_IS(U64, io_file_row, read_bytes, UNIT_BYTES, COUNTER, "bytes read"),
	SHAPE_IS(U64, io_file_row, writes, UNIT_COUNT, COUNTER, "write calls"),
	SHAPE_IS(U64, io_file_row, written_bytes, UNIT_BYTES, COUNTER, "bytes written"),
	SHAPE_IS(U64, io_file_row, seeks, UNIT_COUNT, COUNTER, "seeks"),
	SHAPE_IS(U64, io_file_row, syncs, UNIT_COUNT, COUNTER, "syncs"),
	SHAPE_IS(U64, io_file_row, errors, UNIT_COUNT, COUNTER,
		 "reads, writes, seeks and syncs that failed"),
	{ .key = "ns",
	  .type = SHAPE_U64,
	  .unit = UNIT_NS,
	  .kind = METRIC_COUNTER,
	  .optional = true,
	  .present = file_timed,
	  .offset = offsetof(struct io_file_row, ns),
	  .help = "time of its fsyncs; with --io-latency also of its reads and writes" },
	{},
};

static const struct shape device_shape[] = {
	SHAPE_IS(STR, io_device_row, name, UNIT_NONE, INFO, "disk, as in /sys/block"),
	SHAPE_IS(U32, io_device_row, major, UNIT_NONE, INFO, "device number"),
	SHAPE_IS(U32, io_device_row, minor, UNIT_NONE, INFO, "device number"),
	BLOCK_ROWS(io_device_row),
	SHAPE_IS(U64, io_device_row, in_flight, UNIT_COUNT, GAUGE, "queue depth now"),
	SHAPE_IS(U64, io_device_row, max_depth, UNIT_COUNT, GAUGE, "greatest queue depth"),
	SHAPE_IS(F64, io_device_row, mean_depth, UNIT_COUNT, GAUGE,
		 "mean over the run's time, idle time too"),
	{},
};

static const struct shape process_shape[] = {
	SHAPE_IS(U32, io_process_row, pid, UNIT_NONE, INFO, "process ID; 0: not visible to dwell"),
	SHAPE_IS(U32, io_process_row, proc_id, UNIT_NONE, INFO,
		 "number of the process in this report"),
	SHAPE_IS(CHARS, io_process_row, comm, UNIT_NONE, INFO, "its command's name"),
	SHAPE_FLAT(io_process_row, figures, figures_shape),
	{},
};

static bool process_any(const void *row)
{
	return ((const struct io_process_row *)row)->any;
}

/* clang-format off */
#define IO_TABLE								\
	SHAPE_FLAT(report, io.tree, figures_shape),				\
	SHAPE_AS("max_depth", U64, report, io.max_depth, UNIT_COUNT, GAUGE,	\
		 "greatest queue depth, all devices"),				\
	SHAPE_AS("mean_depth", F64, report, io.mean_depth, UNIT_COUNT, GAUGE,	\
		 "mean queue depth over the run's time, idle time too"),	\
	SHAPE_ROWS("files", report, io.files, io.nfiles, file_shape,		\
		   "by bytes moved; sockets and pipes are in kinds only"),	\
	SHAPE_AS("files_seen", U64, report, io.files_seen, UNIT_COUNT, GAUGE,	\
		 "files told apart (--limit io_files=N paths; beyond them: row other)"), \
	SHAPE_ROWS("devices", report, io.devices, io.ndevices, device_shape,	\
		   "by whole disk"),						\
	SHAPE_ABSENT(io.absent)
/* clang-format on */

const struct shape io_tick_shape[] = { IO_TABLE, {} };

const struct shape io_shape[] = {
	IO_TABLE,
	{ .key = "processes",
	  .type = SHAPE_LIST,
	  .size = sizeof(struct io_process_row),
	  .offset = offsetof(struct report, io.processes),
	  .count_offset = offsetof(struct report, io.nprocesses),
	  .row_present = process_any,
	  .sub = process_shape,
	  .help = "by process, as the ledger's" },
	{},
};
