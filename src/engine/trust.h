/* SPDX-License-Identifier: BSD-2-Clause */
/* The trust block: sources, losses, reconciliation, and what dwell itself cost. */
#ifndef DWELL_TRUST_H
#define DWELL_TRUST_H

#include "session.h"

/* Fills r->trust; after the probes' own parts. */
void trust_fill(struct session *s, struct report *r);

#endif
