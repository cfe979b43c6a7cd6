/* SPDX-License-Identifier: BSD-2-Clause */
/* The vdso: an ELF image that the kernel maps into each process, the same in all of 64 bits. */
#ifndef DWELL_VDSO_H
#define DWELL_VDSO_H

#include <stddef.h>

/* A copy of our own; free() it. NULL: there is none. */
void *vdso_copy(size_t *size);

#endif
