/* SPDX-License-Identifier: BSD-2-Clause */
/* What elfutils' libdw says about unwinding at an address, as the row that dwell should have. */
#ifndef DWELL_TEST_EH_TRUTH_H
#define DWELL_TEST_EH_TRUTH_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>

#include "unwind.h"

struct eh_truth {
	Elf *elf;
	Dwarf_CFI *cfi;
};

/* False: libdw cannot read it. */
bool eh_truth_open(struct eh_truth *truth, int fd);
bool eh_truth_open_memory(struct eh_truth *truth, void *memory, size_t size);
void eh_truth_close(struct eh_truth *truth);

/* The row at an address: UNWIND_NONE when no FDE covers it. */
struct unwind_row eh_truth_row(const struct eh_truth *truth, uint64_t address);

#endif
