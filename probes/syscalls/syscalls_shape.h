/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of the syscalls probe; the base of both tables is struct report. */
#ifndef DWELL_SYSCALLS_SHAPE_H
#define DWELL_SYSCALLS_SHAPE_H

#include "shape.h"

extern const struct shape syscalls_shape[];      /* summary.syscalls */
extern const struct shape syscalls_tick_shape[]; /* tree.probes.syscalls: without processes */

#endif
