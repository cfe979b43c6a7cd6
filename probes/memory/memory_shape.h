/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON and screen of the memory probe. */
#ifndef DWELL_MEMORY_SHAPE_H
#define DWELL_MEMORY_SHAPE_H

#include "probe.h"

extern const struct shape memory_shape[], memory_tick_shape[];

extern const struct shape alloc_shape[], alloc_tick_shape[]; /* of struct alloc_report */

void memory_text(const struct report *r, struct text_lines *t);
void alloc_text(const struct report *r, struct text_lines *t);

#endif
