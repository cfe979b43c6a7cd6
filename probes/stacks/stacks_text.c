/* SPDX-License-Identifier: BSD-2-Clause */
/* The stacks probe's line on the summary screen. */
#include <stdio.h>

#include "format.h"
#include "stacks_user.h"
#include "text_lines.h"

void stacks_text(const struct report *r, struct text_lines *t)
{
	const struct stacks_report *s = &r->stacks;
	char samples[COUNTED_LEN], waits[FORMAT_LEN + 32] = "one for each wait", buf[FORMAT_LEN];
	char cpu[64] = "none of code on a CPU";

	format_counted(samples, s->samples, "sample", "samples");
	if (s->quantum_ns)
		snprintf(waits, sizeof(waits), "one for each %s of waiting",
			 format_duration(buf, s->quantum_ns, t->utf8));
	if (s->clock && s->frequency)
		snprintf(cpu, sizeof(cpu), "%u a second on each CPU (%s)", s->frequency, s->clock);
	text_line(t, "%s: %s, %s; %.1f %% of the stacks whole", samples, waits, cpu,
		  s->samples ? 100.0 * (double)(s->samples - s->truncated) / (double)s->samples
			     : 100.0);
	if (s->not_sampled_ns)
		text_line(t, "%s of threads too short, or of states too rare, for a sample",
			  format_duration(buf, s->not_sampled_ns, t->utf8));
}
