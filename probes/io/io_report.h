/* SPDX-License-Identifier: BSD-2-Clause */
/* What the io probe has to report: of the tree, by process, by file, by device. */
#ifndef DWELL_IO_REPORT_H
#define DWELL_IO_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "absent.h"
#include "io.h"
#include "record.h"
#include "wait_stat.h"

struct io_time {
	struct wait_stat stat; /* percentiles, min and max: where they are known, else 0 */
	struct hist_row *hist; /* of the tree only */
	size_t nhist;
};

/* System calls of one sort. */
struct io_call_row {
	uint64_t count, errors;
	bool moves; /* bytes is theirs */
	uint64_t bytes;
	bool timed;
	struct io_time time;
};

struct io_kind_row {
	uint64_t opens, reads, read_bytes, writes, written_bytes, seeks, syncs, errors;
	struct io_time read_time, write_time;
};

struct io_cache_row {
	bool has_faults;
	uint64_t read_pages, hits, misses;
	double hit_ratio;
	uint64_t added[IO_CAUSES];
	uint64_t dirtied, faults;
};

struct io_block_row {
	uint64_t requests, bytes, merges, errors;
	struct io_time queue, device;
};

struct io_bios_row {
	uint64_t count, bytes, errors;
	struct io_time time;
};

/* The same figures of the tree and of a process. */
struct io_figures {
	struct io_call_row calls[IO_OPS];
	struct io_kind_row kinds[IO_KINDS];
	struct io_cache_row cache;
	struct io_block_row block[IO_BLOCK_OPS];
	struct io_bios_row bios[2];
	uint64_t requests, request_bytes, in_flight;
	uint64_t aio_unseen; /* operations of Linux AIO that were submitted and not told of */
	bool has_usage;      /* what task_struct counts */
	uint64_t storage_read_bytes, storage_written_bytes, cancelled_bytes;
};

struct io_process_row {
	uint32_t pid, proc_id;
	char comm[COMM_LEN];
	bool any; /* it did something */
	struct io_figures figures;
};

struct io_file_row {
	const char *name, *kind;
	uint32_t pid; /* who used it first; 0: not known any more */
	char comm[COMM_LEN];
	uint64_t inodes; /* files that have had the path, one after the other */
	uint64_t opens, reads, read_bytes, writes, written_bytes, seeks, syncs, errors;
	uint64_t sync_ns; /* of its syncs alone */
	bool timed;
	uint64_t ns;
};

struct io_device_row {
	const char *name;
	uint32_t major, minor;
	struct io_block_row block[IO_BLOCK_OPS];
	struct io_bios_row bios[2];
	uint64_t in_flight, max_depth;
	double mean_depth;
};

struct io_report {
	bool present;
	struct io_figures tree;
	uint64_t max_depth; /* queue depth: requests of the tree in flight */
	double mean_depth;
	struct io_file_row *files; /* by bytes, descending; `other` stands last */
	size_t nfiles;
	struct io_file_row
		synced;      /* of all files the one whose syncs took longest; name NULL: none */
	uint64_t files_seen; /* with a row of their own in the kernel's table */
	struct io_device_row *devices;
	size_t ndevices;
	struct io_process_row *processes; /* as the ledger's */
	size_t nprocesses;
	struct absent_list absent;
};

extern const char *const io_kind_names[IO_KINDS];
extern const char *const io_op_names[IO_OPS];
extern const char *const io_block_names[IO_BLOCK_OPS];
extern const char *const io_cause_names[IO_CAUSES];

#endif
