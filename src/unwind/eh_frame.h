/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * .eh_frame (System V ABI, LSB): CIEs, what functions have in common, and FDEs, one a function.
 * Parses all of it once, in time linear in its size.
 */
#ifndef DWELL_EH_FRAME_H
#define DWELL_EH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cfa.h"
#include "eh_table.h"
#include "elf_image.h"

struct eh_cie {
	uint64_t offset; /* in .eh_frame */
	struct cfa_common common;
	struct cfa_state initial;
	uint8_t encoding; /* DW_EH_PE_* of its FDEs' addresses */
	bool augmented;   /* its FDEs have augmentation data */
	bool usable;      /* else its FDEs cover text, but without rules */
};

#define EH_NO_CIE UINT32_MAX /* the program's entry: no caller */

struct eh_fde {
	uint64_t start;
	uint32_t size;
	uint32_t cie;                   /* number, or EH_NO_CIE */
	uint32_t program, program_size; /* in .eh_frame */
};

struct eh_frame {
	uint8_t *bytes;
	struct eh_section section;
	struct eh_cie *cies; /* by offset */
	size_t ncies, cie_room;
	struct eh_fde *fdes; /* by address */
	size_t nfdes, fde_room;
};

/* Takes the FDEs whose code lies in an executable segment of t. 0 or -errno. */
int eh_frame_read(struct eh_frame *frame, const struct elf_image *image, const struct eh_table *t);
void eh_frame_free(struct eh_frame *frame);

#endif
