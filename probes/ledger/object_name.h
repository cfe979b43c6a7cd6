/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DWELL_OBJECT_NAME_H
#define DWELL_OBJECT_NAME_H

#include "ledger.h"
#include "probe.h"
#include "report.h"

const char *object_kind_name(int kind); /* enum object_kind: "futex", "file", … */
/* "/var/lib/x", "tcp 127.0.0.1:5 -> 127.0.0.1:6379", "pipe:[123]"; lives as long as r. */
const char *object_name_make(struct report *r, struct probe *p, const struct object_key *key);
/* The path that the components of `name` (leaf first) make; for tests. */
size_t object_path(const struct object_name *name, char *out, size_t size);

#endif
