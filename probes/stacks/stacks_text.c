/* SPDX-License-Identifier: BSD-2-Clause */
/* The stacks probe's line on the summary screen. */
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "stack_path.h"
#include "stacks_user.h"
#include "text_lines.h"

const char *const stacks_end_marks[STACK_ENDS] = {
	[STACK_DEEP] = "[truncated: deeper than 127 frames]",
	[STACK_NO_MAPPING] = "[truncated: address in no known mapping]",
	[STACK_NO_TABLE] = "[truncated: unwind table not ready]",
	[STACK_NO_FILE] = "[truncated: the code's file could not be read]",
	[STACK_NO_ROOM] = "[truncated: no room for the file's unwind table]",
	[STACK_NO_ROW] = "[truncated: no unwind information]",
	[STACK_NO_RULE] = "[truncated: unwind rule not supported]",
	[STACK_UNREAD] = "[truncated: stack memory not readable]",
	[STACK_NO_PROGRESS] = "[truncated: caller not found]",
	[STACK_NO_PROCESS] = "[truncated: mappings of the process not known]",
	[STACK_NOT_TAKEN] = "[truncated: user's stack not taken]",
	[STACK_NO_USER] = "[truncated: between two programs, or ending]",
};

#define NOT_SAMPLED_PART 20 /* of all time: more is worth a word */

/* Why most of those that are not whole end, from one in a hundred on. */
static const char *most_cut(const struct stacks_report *s, char buf[128])
{
	static const char begin[] = "[truncated: ";
	int most = STACK_WHOLE + 1;

	for (int i = most; i < STACK_ENDS; i++)
		if (s->ends[i] > s->ends[most])
			most = i;
	*buf = '\0';
	if (!s->ends[most] || s->truncated <= s->samples / 100)
		return buf;
	snprintf(buf, 128, ", most others cut: %s", stacks_end_marks[most] + sizeof(begin) - 1);
	buf[strcspn(buf, "]")] = '\0';
	return buf;
}

void stacks_text(const struct report *r, struct text_lines *t)
{
	const struct stacks_report *s = &r->stacks;
	char samples[COUNTED_LEN], waits[FORMAT_LEN + 32] = "one for each wait", buf[FORMAT_LEN];
	char cut[128], cpu[64] = "none of code on a CPU";

	format_counted(samples, s->samples, "sample", "samples");
	if (s->quantum_ns)
		snprintf(waits, sizeof(waits), "one for each %s of waiting",
			 format_duration(buf, s->quantum_ns, t->utf8));
	if (s->clock && s->frequency)
		snprintf(cpu, sizeof(cpu), "%u a second on each CPU (%s)", s->frequency, s->clock);
	text_line(t, "%s: %s, %s; %.1f %% of the stacks whole%s", samples, waits, cpu,
		  s->samples ? 100.0 * (double)(s->samples - s->truncated) / (double)s->samples
			     : 100.0,
		  most_cut(s, cut));
	if (s->not_sampled_ns)
		text_line(t, "%s of threads too short, or of states too rare, for a sample%s",
			  format_duration(buf, s->not_sampled_ns, t->utf8),
			  s->not_sampled_ns > stack_rows_ns(s) / NOT_SAMPLED_PART
				  ? ": -F 999 and --stack-quantum 100us see more"
				  : "");
}
