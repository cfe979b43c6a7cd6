/* SPDX-License-Identifier: BSD-2-Clause */
/* The stacks probe's line on the summary screen. */
#include <stdio.h>

#include "format.h"
#include "stacks_user.h"
#include "text_lines.h"

void stacks_text(const struct report *r, struct text_lines *t)
{
	const struct stacks_report *s = &r->stacks;
	char samples[COUNTED_LEN], quantum[FORMAT_LEN], missed[FORMAT_LEN];

	format_counted(samples, s->samples, "sample", "samples");
	if (s->quantum_ns)
		format_duration(quantum, s->quantum_ns, t->utf8);
	else
		snprintf(quantum, sizeof(quantum), "wait");
	text_line(
		t,
		"%s: one a %s of waiting, %u a second on each CPU (%s); %.1f %% of the stacks whole",
		samples, quantum, s->frequency, s->clock ? s->clock : "none",
		s->samples ? 100.0 * (double)(s->samples - s->truncated) / (double)s->samples
			   : 100.0);
	if (s->not_sampled_ns)
		text_line(t, "%s of threads too short, or of states too rare, for a sample",
			  format_duration(missed, s->not_sampled_ns, t->utf8));
}
