/* SPDX-License-Identifier: BSD-2-Clause */
/* Shares of a whole that add up to it. */
#ifndef DWELL_STACKS_SCALE_H
#define DWELL_STACKS_SCALE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Scales n weights in place so that they add up to `total`: each gets its share rounded down,
 * and those with the largest remainders one more. Weights that are all 0 count alike.
 */
void scale_to(uint64_t *weights, size_t n, uint64_t total);

#endif
