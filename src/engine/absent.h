/* SPDX-License-Identifier: BSD-2-Clause */
/* A row of a probe's `absent`: what it cannot tell here, and why. */
#ifndef DWELL_ABSENT_H
#define DWELL_ABSENT_H

struct absent {
	const char *metric, *reason;
};

#endif
