/* SPDX-License-Identifier: BSD-2-Clause */
/* Python frames, user side: what python*.c share. */
#ifndef DWELL_STACKS_PYTHON_PRIVATE_H
#define DWELL_STACKS_PYTHON_PRIVATE_H

#include "python.h"

struct python_body;

struct python {
	int files, known;
	uint32_t nfiles;
	struct python_body *bodies;       /* told code objects, equal ones once */
	const struct python_body **codes; /* by number */
	uint32_t ncodes;
	size_t bytes;
	struct python_counts counts;
	char reasons[PYTHON_REASONS][256];
};

void python_codes_free(struct python *p);

/* A code object that is read from the memory of its process. */
struct python_read {
	struct python_code_event event;
	uint8_t lines[PYTHON_LINES];
};
/* False: it is not there any more. */
bool python_read(struct python_read *to, const struct python_code_place *from);

#endif
