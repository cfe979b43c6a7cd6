/* SPDX-License-Identifier: BSD-2-Clause */
/* A library that lies beside the program, opened as it runs. */
#ifndef STACKS_BESIDE_H
#define STACKS_BESIDE_H

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef void (*beside_function)(void (*)(void)); /* calls what it is given */

/* A function of the library `file`, which is to be closed by *library. Without it the program ends. */
static inline beside_function beside_open(const char *file, int mode, const char *name,
					  void **library)
{
	char self[PATH_MAX] = "", path[PATH_MAX + 32];
	beside_function found = NULL;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		exit(1);
	snprintf(path, sizeof(path), "%s/%s", dirname(self), file);
	*library = dlopen(path, mode);
	if (*library)
		*(void **)&found = dlsym(*library, name);
	if (!found) {
		fprintf(stderr, "%s: %s\n", file, dlerror());
		exit(1);
	}
	return found;
}

#endif
