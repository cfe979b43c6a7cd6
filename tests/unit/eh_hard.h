/* SPDX-License-Identifier: BSD-2-Clause */
/* Code written for its .cfi directives, and the row that each place of it must have. */
#ifndef DWELL_TEST_EH_HARD_H
#define DWELL_TEST_EH_HARD_H

#include <stdint.h>

#include "unwind.h"

struct eh_hard {
	const void *place;
	struct unwind_row row;
	const char *what; /* NULL: the table's end */
};

extern const struct eh_hard eh_hard_places[];

/* What lies between this program's addresses and those in its file. */
uint64_t eh_hard_bias(void);

#endif
