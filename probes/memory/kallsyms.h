/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of places in the kernel, from /proc/kallsyms. */
#ifndef DWELL_KALLSYMS_H
#define DWELL_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define KALLSYMS_NAME 64

struct kernel_place {
	uint64_t address;
	uint64_t symbol; /* where the function starts; 0: none is known */
	char name[KALLSYMS_NAME];
};

/*
 * Names all places in one pass through the file; sorts them by address. 0, or -errno; -EPERM
 * when the kernel hides its addresses (kernel.kptr_restrict).
 */
int kallsyms_name(struct kernel_place *places, size_t n);
/* The same from an open file of that format. */
int kallsyms_read(FILE *f, struct kernel_place *places, size_t n);

#endif
