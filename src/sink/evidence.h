/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The evidence of a run in the shape of ChainBench's report.json (contracts/chainbench.md):
 * only what was measured is there, so a runner finds either a figure or no key.
 */
#ifndef DWELL_EVIDENCE_H
#define DWELL_EVIDENCE_H

#include <jansson.h>

#include "outfile.h"
#include "report.h"

/* New reference: { "evidence": { "available": …, … } }. */
json_t *evidence_json(struct report *r);
/* 0 or -errno, which f has told and remembers. */
int evidence_write(struct report *r, struct outfile *f);

#endif
