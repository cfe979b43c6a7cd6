/* SPDX-License-Identifier: BSD-2-Clause */
/* What a probe cannot tell; see absent.h. */
#include "absent.h"

#include "probe.h"
#include "report.h"

#define MOST 32

const struct shape absent_shape[] = {
	SHAPE_IS(STR, absent, metric, UNIT_NONE, INFO, "what is missing, or always 0 here"),
	SHAPE_IS(STR, absent, reason, UNIT_NONE, INFO, "why"),
	{},
};

void absent_add(struct report *r, struct absent_list *list, const char *metric, const char *reason)
{
	if (!list->rows)
		list->rows = report_alloc(r, MOST * sizeof(*list->rows));
	if (list->n < MOST)
		list->rows[list->n++] = (struct absent){ metric, reason };
}

void absent_needs(struct report *r, struct absent_list *list, const struct probe *p,
		  const struct absent_need *needs)
{
	for (; needs->metric; needs++)
		if (!probe_attached(p, needs->program))
			absent_add(r, list, needs->metric, needs->reason);
}
