/* SPDX-License-Identifier: BSD-2-Clause */
/* The cpu probe's lines of the summary screen: what took CPUs from the target, if it matters. */
#include "cpu_read.h"
#include "format.h"
#include "text_lines.h"

#define NOTABLE 100 /* a hundredth of the CPU time */

static void say_throttling(const struct cpu_report *c, struct text_lines *t)
{
	const struct cpu_quota_row *q = c->quotas;
	char stopped[FORMAT_LEN], quota[FORMAT_LEN], period[FORMAT_LEN];

	if (!c->nquotas || !q->throttled_periods)
		return;
	text_line(t,
		  "throttled in %lu of %lu periods, for %s in all: %s may use %s of CPU time in %s",
		  q->throttled_periods, q->periods,
		  format_duration(stopped, q->throttled_ns, t->utf8), q->path,
		  format_duration(quota, q->quota_ns, t->utf8),
		  format_duration(period, q->period_ns, t->utf8));
}

static const struct cpu_irq_row *longest(const struct cpu_irqs *irqs)
{
	const struct cpu_irq_row *most = NULL;

	for (size_t i = 0; i < irqs->nrows; i++)
		if (!most || irqs->rows[i].ns > most->ns)
			most = &irqs->rows[i];
	return most;
}

static void say_interrupts(const struct report *r, struct text_lines *t)
{
	const struct cpu_irqs *hard = &r->cpu.tree.hard, *soft = &r->cpu.tree.soft;
	const struct cpu_irq_row *most = longest(soft->ns > hard->ns ? soft : hard);
	uint64_t on_cpu = r->ledger.tree.states[STATE_ON_CPU].ns, ns = hard->ns + soft->ns;
	char count[FORMAT_LEN], time[FORMAT_LEN], share[FORMAT_LEN], part[FORMAT_LEN];

	if (!most || ns * NOTABLE < on_cpu)
		return;
	text_line(t, "interrupted %s times%s, for %s (%s of the time on a CPU), most by %s %s: %s",
		  format_count(count, hard->count + soft->count),
		  soft->sampled > 1 ? " (softirqs sampled)" : "",
		  format_duration(time, ns, t->utf8), format_share(share, ns, on_cpu),
		  soft->ns > hard->ns ? "softirq" : "interrupt", most->name,
		  format_duration(part, most->ns, t->utf8));
}

static void say_machine(const struct cpu_machine *m, struct text_lines *t)
{
	const struct cpu_stat *s = &m->host.stat;
	const struct psi_total *cpu = &m->host.psi[PSI_CPU];
	uint64_t used = s->user_ns + s->nice_ns + s->system_ns + s->irq_ns + s->softirq_ns;
	char share[FORMAT_LEN], stolen[FORMAT_LEN];

	if (m->host.has_stat && s->steal_ns && s->steal_ns * NOTABLE >= used)
		text_line(t, "the host took %s of the machine's CPUs (steal)",
			  format_duration(stolen, s->steal_ns, t->utf8));
	if (cpu->present && cpu->some_ns * 4 >= m->host.at_ns)
		text_line(t, "%s of the time some program of the machine waited for a CPU",
			  format_share(share, cpu->some_ns, m->host.at_ns));
}

void cpu_text(const struct report *r, struct text_lines *t)
{
	say_throttling(&r->cpu, t);
	say_interrupts(r, t);
	say_machine(&r->cpu.machine, t);
}
