/* SPDX-License-Identifier: BSD-2-Clause */
/* The stacks probe's line on the summary screen. */
#include <stdio.h>

#include "format.h"
#include "stack_path.h"
#include "stacks_user.h"
#include "text_lines.h"

#define NOT_SAMPLED_PART 20 /* of all time: more is worth a word */

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
		text_line(t, "%s of threads too short, or of states too rare, for a sample%s",
			  format_duration(buf, s->not_sampled_ns, t->utf8),
			  s->not_sampled_ns > stack_rows_ns(s) / NOT_SAMPLED_PART
				  ? ": -F 999 and --stack-quantum 100us see more"
				  : "");
}
