/* SPDX-License-Identifier: BSD-2-Clause */
/* --kmem: the kernel's allocations by place and by order, for the report. */
#ifndef DWELL_MEMORY_SITES_H
#define DWELL_MEMORY_SITES_H

#include "probe.h"

/* Reads memory_sites and memory_orders. 0 or -errno. */
int sites_fill(struct probe *p, struct report *r);

#endif
