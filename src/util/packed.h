/* SPDX-License-Identifier: BSD-2-Clause */
/* Many words of which most are 0, kept for long and read seldom: those that are not, and where. */
#ifndef DWELL_PACKED_H
#define DWELL_PACKED_H

#include <stddef.h>
#include <stdint.h>

struct packed;

/* n is at most 65,536. Freed with free(); NULL: no memory. */
struct packed *packed_new(const uint64_t *words, size_t n);
/* The n words from `from` on; of NULL all are 0. */
void packed_read(const struct packed *p, size_t from, size_t n, uint64_t *to);

#endif
