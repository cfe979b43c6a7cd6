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

#define EH_SEGMENTS 8 /* more are not looked at */
#define BUILD_ID_MAX 20

/* A file beyond these is refused with -EFBIG. While a table is made it takes at most 4 times */
/* the size of .eh_frame beside its rows; then 8 bytes a row and 8 for UNWIND_PAGE of span. */
#define EH_FRAME_MAX (64U << 20) /* bytes of .eh_frame */
#define EH_ROWS_MAX (8U << 20)
#define EH_SPAN_MAX (1ULL << 30) /* bytes from the lowest code to the highest */

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
 * Reads the file behind fd (with pread: its position stays, and it may shrink meanwhile). 0;
 * -ENOENT: no unwind information (the table is then empty, with segments); -ENOEXEC: no ELF
 * file for this machine; -EFBIG: see above; -errno. Nothing is to be freed after an error.
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
