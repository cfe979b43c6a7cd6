/* SPDX-License-Identifier: BSD-2-Clause */
/* The search of execvp(3), without the exec. */
#include "program_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_PATH "/bin:/usr/bin" /* glibc's confstr(_CS_PATH) */

/* A directory may be entered, which access() calls executable too. */
static bool is_program(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

bool program_path(const char *name, char *path, size_t size)
{
	const char *at = getenv("PATH");
	size_t len;
	int n;

	if (strchr(name, '/')) {
		n = snprintf(path, size, "%s", name);
		if (n >= 0 && (size_t)n < size)
			return true;
		at = NULL;
	} else if (!at) {
		at = NO_PATH;
	}
	for (; at && *name; at = at[len] ? at + len + 1 : NULL) {
		len = strcspn(at, ":");
		/* an empty entry is the current directory */
		n = snprintf(path, size, "%.*s%s%s", (int)len, at, len ? "/" : "", name);
		if (n > 0 && (size_t)n < size && is_program(path))
			return true;
	}
	if (size)
		*path = '\0';
	return false;
}
