/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unwind tables where the kernel side reads them: the mmapped arrays stacks_files, stacks_pages
 * and stacks_blocks (stacks_maps.h). Tables are put in one behind the other and stay; files of one
 * build-id share one.
 */
#ifndef DWELL_STACKS_TABLE_STORE_H
#define DWELL_STACKS_TABLE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "eh_table.h"
#include "map_window.h"
#include "probe.h"
#include "stacks_maps.h"

struct table_known {
	uint8_t build_id[BUILD_ID_MAX];
	uint32_t file;
	UT_hash_handle hh;
};

struct table_store {
	struct stacks_file *files;
	struct unwind_page *pages;
	struct unwind_row *rows_at;                       /* of all blocks */
	struct map_window files_map, pages_map, rows_map; /* mapped as far as they are used */
	size_t nfiles, npages, nrows;
	size_t page;   /* first that is not used */
	uint64_t rows; /* ditto */
	uint64_t lost; /* files that have no table, for want of room or as theirs is damaged */
	struct table_known *known;
};

int table_store_open(struct table_store *s, struct probe *p);
void table_store_close(struct table_store *s);
bool table_store_is_ready(const struct table_store *s, uint32_t file);
/* Gives the file the table of one with the same build-id, if there is one. */
bool table_store_shared(struct table_store *s, uint32_t file, int fd);
/*
 * Puts a table in, as eh_table_read() made it with the result `read`, and marks the file ready: if
 * it has none, with the reason. -ESTALE: the file was gone; it may be put in again.
 */
void table_store_put(struct table_store *s, uint32_t file, const struct eh_table *t, int read);
/* The row in force at a place in a file; NULL: none. For stacks that are walked in user space. */
const struct unwind_row *table_store_find(const struct table_store *s, const struct stacks_file *f,
					  uint64_t offset);

#endif
