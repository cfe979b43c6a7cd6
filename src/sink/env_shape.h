/* SPDX-License-Identifier: BSD-2-Clause */
/* denet's first records: `env`, the machine, and `metadata`, the command. */
#ifndef DWELL_ENV_SHAPE_H
#define DWELL_ENV_SHAPE_H

#include <jansson.h>
#include <sys/types.h>

/* New references; NULL: no memory. */
json_t *env_json(pid_t pid);
/* argv NULL: from /proc/PID/cmdline. */
json_t *metadata_json(pid_t pid, char *const argv[]);

json_t *env_schema(void);
json_t *metadata_schema(void);

#endif
