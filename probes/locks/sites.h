/* SPDX-License-Identifier: BSD-2-Clause */
/* Which function of a kernel stack took the lock. */
#ifndef DWELL_LOCKS_SITES_H
#define DWELL_LOCKS_SITES_H

#include <stddef.h>

/*
 * Index of the function that took the lock: the first behind the kernel's lock code, which
 * comes behind the frames of the tracing itself. n when the stack does not reach so far.
 */
size_t site_caller(const char *const *functions, size_t n);

#endif
