/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of the network probe, and its lines on the screen; the base is struct report. */
#ifndef DWELL_NETWORK_SHAPE_H
#define DWELL_NETWORK_SHAPE_H

#include "report.h"
#include "shape.h"
#include "text_lines.h"

extern const struct shape network_shape[], network_tick_shape[];
void network_text(const struct report *r, struct text_lines *t);

#endif
