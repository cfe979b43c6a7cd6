/* SPDX-License-Identifier: BSD-2-Clause */
/* The report and the sample that the golden records are made of: every member is set. */
#ifndef DWELL_JSONL_REPORTS_H
#define DWELL_JSONL_REPORTS_H

#include "report.h"
#include "sampler.h"

struct report made_report(void);
struct sample made_sample(void);

#endif
