/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DWELL_IO_SHAPE_H
#define DWELL_IO_SHAPE_H

#include "shape.h"

extern const struct shape io_shape[];      /* struct report: summary.io */
extern const struct shape io_tick_shape[]; /* struct report: tree.probes.io, without processes */

#endif
