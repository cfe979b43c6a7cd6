/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of places in the kernel, its modules and BPF programs, from /proc/kallsyms: of a few
 * places in one pass, or of any from a table (2 to 4 MB). That file knows no sizes: a function
 * reaches to the next one, at most KALLSYMS_REACH.
 */
#ifndef DWELL_KALLSYMS_H
#define DWELL_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define KALLSYMS_NAME 64
#define KALLSYMS_REACH (1U << 20)

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

struct kallsyms;

/* NULL: the file cannot be read, hides its addresses, or no memory. */
struct kallsyms *kallsyms_open(void);
struct kallsyms *kallsyms_load(FILE *f);
void kallsyms_close(struct kallsyms *k);
/* NULL: none. module: NULL is the kernel itself. The names live as long as the table. */
const char *kallsyms_find(const struct kallsyms *k, uint64_t address, const char **module);
/* Functions for which there was no room. */
uint64_t kallsyms_lost(const struct kallsyms *k);

#endif
