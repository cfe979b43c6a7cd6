/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading /proc/PID/smaps_rollup; see pss.h. */
#include "pss.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "read.h"

/* "Pss:   12 kB" as a line of its own; -EINVAL: there is none. */
static int take_kb(const char *text, const char *key, uint64_t *bytes)
{
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		char *end;

		line += *line == '\n';
		if (strncmp(line, key, len))
			continue;
		errno = 0;
		*bytes = strtoull(line + len, &end, 10) * 1024;
		return errno || strncmp(end, " kB", 3) ? -EINVAL : 0;
	}
	return -EINVAL;
}

int pss_parse(const char *text, struct pss *pss)
{
	int err = take_kb(text, "Rss:", &pss->rss);

	if (!err)
		err = take_kb(text, "Pss:", &pss->pss);
	if (!err && take_kb(text, "SwapPss:", &pss->swap_pss))
		pss->swap_pss = 0; /* a kernel without swap has no such line */
	return err;
}

int pss_read(pid_t pid, struct pss *pss)
{
	char path[64], text[2048];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	n = proc_read_file(path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	return n ? pss_parse(text, pss) : -ESRCH;
}
