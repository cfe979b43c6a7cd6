/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DWELL_CAUSES_H
#define DWELL_CAUSES_H

#include "cause.h"
#include "ledger.h"

/* Fills both tables for the running architecture. */
void causes_fill(struct cause_table *table);

#endif
