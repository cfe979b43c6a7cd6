/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The io probe's records, shared by its kernel side and the reader in user space: figures
 * by process (struct io_slot), by file (struct io_file) and by block device.
 */
#ifndef DWELL_IO_H
#define DWELL_IO_H

#include <linux/types.h>

#include "slot.h"

enum io_kind { /* of file */
	       IO_REGULAR,
	       IO_DIRECTORY,
	       IO_SOCKET,
	       IO_PIPE,
	       IO_TTY,
	       IO_DEVICE,
	       IO_OTHER, /* anonymous inodes, and descriptors that were gone when we looked */
	       IO_KINDS
};

enum io_op {
	IO_READ,
	IO_WRITE,
	IO_OPEN,
	IO_CLOSE,
	IO_SEEK,
	IO_FSYNC,
	IO_FDATASYNC,
	IO_SYNC,
	IO_OPS
};

/* What a system call made the page cache take in pages for. */
enum io_cause { IO_BY_READ, IO_BY_WRITE, IO_BY_FAULT, IO_BY_OTHER, IO_CAUSES };

enum io_block_op { IO_BLOCK_READ, IO_BLOCK_WRITE, IO_BLOCK_DISCARD, IO_BLOCK_FLUSH, IO_BLOCK_OPS };

struct io_moved {
	__u64 calls, bytes;
	__u64 ns; /* of the calls that were timed */
};

/* Requests to devices, counted as they are issued; bytes and merges as they are submitted. */
struct io_block {
	__u64 requests, bytes, merges, errors;
	__u64 queue_ns, device_ns; /* of those that were completed */
};

/* To devices that take bios as they come and have no requests: zram, dm, md. */
struct io_bios {
	__u64 count, bytes, errors, ns;
};

/* Figures of a process. The members from max_ns on are maxima. */
struct io_slot {
	struct io_moved moved[2][IO_KINDS]; /* IO_READ, IO_WRITE */
	__u64 opens[IO_KINDS];              /* those that succeeded */
	__u64 seeks[IO_KINDS], syncs[IO_KINDS];
	__u64 kind_errors[IO_KINDS]; /* of reads, writes, seeks and syncs */
	__u64 calls[IO_OPS];         /* from IO_OPEN on; reads and writes are in moved */
	__u64 errors[IO_OPS];
	__u64 ns[IO_OPS]; /* of the calls that were timed, from IO_OPEN on */
	__u64 timed[IO_OPS];
	__u64 cached_pages; /* that reads took from the page cache */
	__u64 added[IO_CAUSES];
	__u64 dirtied;
	__u64 faults;                  /* on file mappings */
	__u64 aio_submitted, aio_told; /* operations of Linux AIO */
	struct io_block block[IO_BLOCK_OPS];
	struct io_bios bios[2];
	__u64 started, ended; /* requests: their difference is in flight */
	__u64 max_ns[IO_OPS];
	__u64 max_queue_ns[IO_BLOCK_OPS], max_device_ns[IO_BLOCK_OPS], max_bio_ns[2];
};

/* Histograms of the tree. */
#define IO_HIST_READ 0 /* and the next IO_KINDS, by kind */
#define IO_HIST_WRITE IO_KINDS
#define IO_HIST_CALL (2 * IO_KINDS)                     /* from IO_OPEN on, by op */
#define IO_HIST_QUEUE (IO_HIST_CALL + IO_OPS - IO_OPEN) /* by io_block_op */
#define IO_HIST_BLOCK (IO_HIST_QUEUE + IO_BLOCK_OPS)    /* on the device, by io_block_op */
#define IO_HIST_BIOS (IO_HIST_BLOCK + IO_BLOCK_OPS)     /* IO_BLOCK_READ, IO_BLOCK_WRITE */
#define IO_HISTS (IO_HIST_BIOS + 2)

struct io_file_key {
	__u64 ino;
	__u32 dev;
	__u32 generation; /* and kind: tells a file from a deleted one that had its number */
};

/*
 * A path without walking it: a file that is made anew again and again, a journal say, is one row.
 * Names that are the same in all of this are taken for the same; user space joins what is one path.
 * Limit: in a directory that has been renamed the names used before keep their former path.
 */
struct io_path_key {
	__u64 dir; /* its directory: inode ^ generation << 32 */
	/*
	 * struct qstr.hash_len: a hash of 32 bits, salted with the directory's address in the cache,
	 * and the length. So a directory that has left the cache meanwhile makes it another path.
	 */
	__u64 name;
	__u64 tail; /* its last eight bytes */
	__u32 dev;
	__u32 kind; /* enum io_kind */
};

/* A row of io_files: a path of the tree's. Row 0 is `other`. */
struct io_file {
	struct io_file_key key; /* of the last file that had it */
	__u64 inodes;           /* files that have had it, one after the other */
	__u32 kind;             /* enum io_kind */
	__u32 proc_id;          /* who used it first */
	__u64 dir;              /* as in its path's key */
	__u64 opens, syncs, seeks;
	struct io_moved moved[2];
	__u64 errors; /* of reads, writes, seeks and syncs */
	__u64 sync_ns;
};

#define IO_DISK_NAME 32

/* A row of io_devices. Row 0 is `other`. */
struct io_device {
	char name[IO_DISK_NAME];
	__u32 dev; /* of the whole disk, as struct gendisk has it: major << 20 | first minor */
	__u32 used;
	struct io_block block[IO_BLOCK_OPS];
	struct io_bios bios[2];
	__u64 in_flight, max_in_flight;
	__u64 max_queue_ns[IO_BLOCK_OPS], max_device_ns[IO_BLOCK_OPS], max_bio_ns[2];
};

/* The only entry of io_state. */
struct io_state {
	__u64 in_flight, max_in_flight; /* requests of the tree, submitted and not completed */
	__u64 bios;                     /* of the tree, submitted to devices without requests */
	__u64 rekeyed; /* requests that were found, or are kept, by other than their first bio */
};

/* `.rodata.io` */
struct io_cfg {
	__u32 files;   /* rows of io_files, row 0 included */
	__u32 devices; /* of io_devices */
};

_Static_assert(sizeof(struct io_slot) % 8 == 0, "struct io_slot has a tail");
_Static_assert(sizeof(struct io_file_key) == 16, "struct io_file_key has holes");
_Static_assert(sizeof(struct io_path_key) == 32, "struct io_path_key has holes");
_Static_assert(sizeof(struct io_file) == 128, "struct io_file has holes");
_Static_assert(sizeof(struct io_device) == 40 + 64 * IO_BLOCK_OPS + 64 + 32,
	       "struct io_device has holes");

#endif
