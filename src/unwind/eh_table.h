/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unwind tables: .eh_frame of an ELF file as rows that a BPF program can walk. A row holds
 * from its address up to the next row's. The table's addresses are those of the ELF file
 * (p_vaddr), less `base`.
 */
#ifndef DWELL_EH_TABLE_H
#define DWELL_EH_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "unwind.h" /* bpf/unwind.h: struct unwind_row, struct unwind_page, shared with BPF */

struct eh_segment { /* executable PT_LOAD: file offset -> address */
	uint64_t offset, vaddr, size;
};

#define EH_SEGMENTS 8
#define BUILD_ID_MAX 20

struct eh_table {
	uint64_t base, span; /* addresses covered */
	struct unwind_row *rows;
	size_t nrows;
	struct unwind_page *pages; /* index: rows of each UNWIND_PAGE bytes */
	size_t npages;
	struct eh_segment segments[EH_SEGMENTS];
	size_t nsegments;
	uint8_t build_id[BUILD_ID_MAX];
	size_t build_id_len;           /* 0: none */
	uint64_t covered, unsupported; /* bytes of text with rows; of them without a usable rule */
};

/*
 * Reads the file behind fd (mapped, not kept open). 0; -ENOENT: no unwind information (the
 * table is then empty, with segments); -ENOEXEC: no ELF file for this machine; -errno.
 */
int eh_table_read(struct eh_table *t, int fd);
/* The same of an image in memory (the vdso). */
int eh_table_read_image(struct eh_table *t, const void *image, size_t size);
/* Only build-id and segments: cheap, to find a table that is there already. */
int eh_table_identify(struct eh_table *t, int fd);
void eh_table_free(struct eh_table *t);
/* The row in force at an ELF address; NULL: none. */
const struct unwind_row *eh_table_find(const struct eh_table *t, uint64_t vaddr);

#endif
