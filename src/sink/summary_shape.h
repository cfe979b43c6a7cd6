/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report's JSON, as tables (util/shape.h). The base of a probe's own table
 * (probe_class.shape) is struct report; that of the others is named beside each.
 */
#ifndef DWELL_SUMMARY_SHAPE_H
#define DWELL_SUMMARY_SHAPE_H

#include "report.h"
#include "shape.h"

#define SCHEMA_VERSION 1

extern const struct shape wait_shape[];		/* struct wait_stat: ns, count, max_ns, p50_ns … */
extern const struct shape ledger_shape[];	/* struct report: summary.ledger */
extern const struct shape analysis_shape[];	/* struct analysis, with denet's names and ours */
extern const struct shape trust_shape[];	/* struct trust */

#endif
