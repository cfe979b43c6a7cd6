/* SPDX-License-Identifier: BSD-2-Clause */
/* Where functions begin and end in a file without symbols: its unwind information has them. */
#ifndef DWELL_EH_FUNCTIONS_H
#define DWELL_EH_FUNCTIONS_H

#include <stddef.h>
#include <stdint.h>

struct eh_function {
	uint64_t start; /* ELF address */
	uint32_t size;
};

/* Sorted, for free(). 0 or as eh_table_read(). */
int eh_functions_read(int fd, struct eh_function **list, size_t *n);

#endif
