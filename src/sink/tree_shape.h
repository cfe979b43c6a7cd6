/* SPDX-License-Identifier: BSD-2-Clause */
/* denet's records `sample` and `tree`, filled from a sample of /proc and a report. */
#ifndef DWELL_TREE_SHAPE_H
#define DWELL_TREE_SHAPE_H

#include <jansson.h>

#include "report.h"
#include "sampler.h"

/* New references. bpf_error: why there is no BPF, when r->bpf is false; NULL: no reason known. */
json_t *tree_json(const struct sample *s, const struct report *r, const char *bpf_error);
json_t *sample_json(const struct sample *s);

json_t *tree_schema(void);
json_t *sample_schema(void);

#endif
