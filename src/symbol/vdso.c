/* SPDX-License-Identifier: BSD-2-Clause */
/* Where it is says the auxiliary vector, how large it is /proc/self/maps. */
#include "vdso.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

void *vdso_copy(size_t *size)
{
	unsigned long base = getauxval(AT_SYSINFO_EHDR), start, end;
	FILE *f = base ? fopen("/proc/self/maps", "re") : NULL;
	char line[512];
	void *copy = NULL;

	while (f && !copy && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx", &start, &end) != 2 || start != base || end <= base)
			continue;
		*size = end - start;
		copy = malloc(*size);
		if (copy)
			memcpy(copy, (const void *)(uintptr_t)base, *size);
	}
	if (f)
		fclose(f);
	return copy;
}
