/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report's JSON, as tables (util/shape.h). The base of a probe's own table
 * (probe_class.shape) is struct report; that of the others is named beside each.
 */
#ifndef DWELL_SUMMARY_SHAPE_H
#define DWELL_SUMMARY_SHAPE_H

#include "report.h"
#include "shape.h"
#include "shape_write.h"

#define SCHEMA_VERSION 1

extern const struct shape wait_shape[];
extern const struct shape bucket_shape[];      /* struct hist_row: floor_ns, ceil_ns, count */
extern const struct shape ledger_shape[];      /* struct report: summary.ledger */
extern const struct shape ledger_tick_shape[]; /* struct report: tree.probes.ledger, fewer rows */
extern const struct shape analysis_shape[];    /* struct analysis, with denet's names and ours */
extern const struct shape trust_shape[];       /* struct trust */

/* probe_class.reported of the ledger. */
bool ledger_reported(const struct report *r);

/* The `summary` record and its schema; the probes' parts come from probe_classes. */
json_t *summary_json(const struct report *r);
/* The same record, written. */
void summary_write(const struct report *r, struct shape_writer *w);
json_t *summary_schema(void);
/* {PROBE: …} of each probe that r reports, as in tree.probes, and the schema of that. */
json_t *probes_json(const struct report *r);
json_t *probes_schema(void);

#endif
