/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of the cpu probe: summary.cpu, and tree.probes.cpu without what only the end tells. */
#ifndef DWELL_CPU_SHAPE_H
#define DWELL_CPU_SHAPE_H

#include "shape.h"

extern const struct shape cpu_shape[], cpu_tick_shape[];

#endif
