/* SPDX-License-Identifier: BSD-2-Clause */
/* From the kernel side's records to the report's rows. */
#ifndef DWELL_IO_FILL_H
#define DWELL_IO_FILL_H

#include "probe.h"
#include "io_report.h"
#include "map_window.h"

/* By row of io_files: hash of its path; 0: not known yet. */
struct io_paths {
	uint64_t *hash;
	size_t room;
};

/* What is read by everybody who fills a row. */
struct io_maps {
	struct map_window *files_map;
	const struct io_file *files; /* in it, once map_window_reach() has been there */
	size_t nfiles;
	const struct io_device *devices;
	size_t ndevices;
	const struct io_state *state;
	struct io_paths *paths;
	int names_fd;
};

/* Figures of the tree or of a process; usage NULL: not known. */
void io_fill_figures(struct io_figures *to, const struct io_slot *from,
		     const struct usage_slot *usage, bool has_faults);
/* The tree's percentiles. */
void io_fill_times(struct probe *p, struct report *r);
/* io_files.c */
void io_paths_free(struct io_paths *p);
void io_fill_files(struct probe *p, const struct io_maps *m, struct report *r);
void io_fill_devices(const struct io_maps *m, struct report *r);

#endif
