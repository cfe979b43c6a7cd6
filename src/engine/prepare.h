/* SPDX-License-Identifier: BSD-2-Clause */
/* What every BPF object is given before it is loaded: its constants, and map sizes asked for. */
#ifndef DWELL_PREPARE_H
#define DWELL_PREPARE_H

#include "options.h"
#include "probe.h"

/* -EINVAL, with err set, when --limit names a table that no object has. */
int prepare_check(const struct options *o);
/* Sets the section before the load; 0 or -errno with err set. */
int prepare_constant(struct bpf_object *obj, const char *section, const void *value, size_t size);
/* ctx: the struct session. */
int prepare_object(struct bpf_object *obj, void *ctx);

#endif
