/* SPDX-License-Identifier: BSD-2-Clause */
/* Fills the cpu probe's part of a report. */
#include "cpu_read.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup_path.h"
#include "cpu_names.h"
#include "err.h"
#include "session.h"

#define ROWS_MAX 256 /* of cpu_devices and cpu_groups */

/* ---- interrupts ---- */

static void fill_irqs(struct report *r, struct cpu_irqs *irqs, size_t n, const __u64 *counts,
		      const __u64 *ns, const char *(*name)(size_t))
{
	irqs->rows = report_alloc(r, n * sizeof(*irqs->rows));
	for (size_t i = 0; i < n; i++) {
		if (!counts[i])
			continue;
		irqs->count += counts[i];
		irqs->ns += ns[i];
		irqs->rows[irqs->nrows++] =
			(struct cpu_irq_row){ .name = name(i), .count = counts[i], .ns = ns[i] };
	}
}

static void fill_figures(struct report *r, const struct cpu_data *d, struct cpu_figures *f,
			 const struct cpu_slot *s, const struct usage_slot *u)
{
	if (u) {
		f->voluntary = u->voluntary;
		f->involuntary = u->involuntary;
		f->migrations = u->migrations;
	}
	f->has_nodes = d->nodes;
	if (!s)
		return;
	f->node_migrations = s->node_migrations;
	fill_irqs(r, &f->hard, CPU_VECTORS, s->hard_count, s->hard_ns, cpu_vector_name);
	fill_irqs(r, &f->soft, CPU_SOFTIRQS, s->soft_count, s->soft_ns, cpu_softirq_name);
	f->hard.longest_ns = s->hard_longest;
	f->soft.longest_ns = s->soft_longest;
	f->soft.sampled = d->sample_interval;
}

static void fill_processes(struct probe *p, struct report *r)
{
	struct cpu_report *c = &r->cpu;

	c->processes = report_alloc(r, r->ledger.nprocesses * sizeof(*c->processes) + 1);
	for (size_t i = 0; i < r->ledger.nprocesses; i++) {
		const struct process_row *from = &r->ledger.processes[i];
		const struct usage_slot *usage = usage_process(p->session, from->proc_id);
		const struct cpu_slot *slot = slots_process(p, from->proc_id);
		struct cpu_process *to = &c->processes[c->nprocesses];

		if (!usage && !slot)
			continue;
		to->pid = from->pid;
		to->proc_id = from->proc_id;
		memcpy(to->comm, from->comm, COMM_LEN);
		fill_figures(r, p->data, &to->figures, slot, usage);
		c->nprocesses++;
	}
}

static int by_time(const void *a, const void *b)
{
	const struct cpu_irq_row *x = a, *y = b;

	return (x->ns < y->ns) - (x->ns > y->ns);
}

/* What stands in no row of a full table: the processes' sums have it. */
static void add_other(struct cpu_report *c, const struct cpu_slot *tree)
{
	struct cpu_irq_row other = { .name = "other",
				     .count = tree->hard_count[VECTOR_DEVICE],
				     .ns = tree->hard_ns[VECTOR_DEVICE] };

	for (size_t i = 0; i < c->ndevices; i++) {
		if (other.count < c->devices[i].count || other.ns < c->devices[i].ns)
			return;
		other.count -= c->devices[i].count;
		other.ns -= c->devices[i].ns;
	}
	c->devices[c->ndevices++] = other;
}

static void fill_devices(struct probe *p, struct report *r, const struct cpu_slot *tree)
{
	const struct cpu_data *d = p->data;
	struct cpu_device_key key, *from = NULL;
	struct cpu_report *c = &r->cpu;
	struct cpu_device v;

	c->devices = report_alloc(r, (ROWS_MAX + 1) * sizeof(*c->devices));
	while (c->ndevices < ROWS_MAX && !bpf_map_get_next_key(d->devices_fd, from, &key)) {
		from = &key;
		if (bpf_map_lookup_elem(d->devices_fd, &key, &v) || !v.count)
			continue;
		c->devices[c->ndevices++] = (struct cpu_irq_row){
			.name = report_printf(r, "%.*s", CPU_DEVICE_NAME, v.name),
			.irq = key.irq,
			.count = v.count,
			.ns = v.ns,
		};
	}
	qsort(c->devices, c->ndevices, sizeof(*c->devices), by_time);
	if (tree && p->session->counters[COUNTER_OTHER_DEVICE])
		add_other(c, tree);
}

/* ---- quotas ---- */

static int by_throttling(const void *a, const void *b)
{
	const struct cpu_quota_row *x = a, *y = b;

	return (x->throttled_ns < y->throttled_ns) - (x->throttled_ns > y->throttled_ns);
}

static const char *group_path(struct report *r, uint64_t id, const struct cpu_group *g)
{
	char path[4096];

	if (!cgroup_path_of_id(id, path, sizeof(path)))
		return report_printf(r, "%s", path);
	return report_printf(r, "%.*s", CPU_DEVICE_NAME, g->name); /* gone by now */
}

static void take_nothing(void *ctx, const void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
}

/* The living are looked at again only where there is a quota, or for the last time. */
static int fill_quotas(struct probe *p, struct report *r)
{
	const struct cpu_data *d = p->data;
	struct cpu_report *c = &r->cpu;
	uint64_t id, *from = NULL;
	struct cpu_group g;

	if (r->final || !bpf_map_get_next_key(d->groups_fd, NULL, &id)) {
		int err = session_iterate(p, "cpu_live", take_nothing, NULL);

		if (err)
			return err;
	}
	c->quotas = report_alloc(r, ROWS_MAX * sizeof(*c->quotas));
	while (c->nquotas < ROWS_MAX && !bpf_map_get_next_key(d->groups_fd, from, &id)) {
		from = &id;
		if (bpf_map_lookup_elem(d->groups_fd, &id, &g))
			continue;
		c->quotas[c->nquotas++] = (struct cpu_quota_row){
			.path = group_path(r, id, &g),
			.quota_ns = g.quota_ns,
			.period_ns = g.period_ns,
			.periods = g.periods - g.first_periods,
			.throttled_periods = g.throttled - g.first_throttled,
			.throttled_ns = g.throttled_ns - g.first_throttled_ns,
		};
	}
	qsort(c->quotas, c->nquotas, sizeof(*c->quotas), by_throttling);
	return 0;
}

/* ---- the machine ---- */

static void fill_times(struct report *r)
{
	struct cpu_report *c = &r->cpu;

	c->times = report_alloc(r, r->ledger.ncpus * sizeof(*c->times) + 1);
	for (size_t i = 0; i < r->ledger.ncpus; i++)
		if (r->ledger.cpu_ns[i])
			c->times[c->ntimes++] =
				(struct cpu_time_row){ (uint32_t)i, r->ledger.cpu_ns[i] };
}

static void add_idle(struct cpu_machine *m, const struct cpu_idle *idle)
{
	size_t i = 0;

	while (i < m->nidle && strcmp(m->idle[i].name, idle->name) != 0)
		i++;
	if (i == CPU_IDLE_STATES)
		return;
	if (i == m->nidle) {
		memcpy(m->idle[i].name, idle->name, sizeof(idle->name));
		m->nidle++;
	}
	m->idle[i].ns += idle->ns;
	m->idle[i].entries += idle->entries;
}

static void fill_powers(struct report *r, const struct cpu_data *d)
{
	struct cpu_machine *m = &r->cpu.machine;
	struct cpu_powers now;

	cpu_powers_read(&now, CPU_DIR);
	m->cpus = report_alloc(r, now.n * sizeof(*m->cpus) + 1);
	m->idle = report_alloc(r, CPU_IDLE_STATES * sizeof(*m->idle));
	m->ncpus = now.n;
	for (size_t i = 0; i < now.n; i++) {
		cpu_power_delta(&d->powers, &now.rows[i], &m->cpus[i]);
		for (size_t j = 0; j < m->cpus[i].nidle; j++)
			add_idle(m, &m->cpus[i].idle[j]);
	}
	cpu_powers_free(&now);
}

static void fill_machine(struct report *r, const struct cpu_data *d)
{
	struct psi_total now[PSI_RESOURCES];
	struct cpu_host host;

	cpu_host_read(&host, "/proc");
	cpu_host_delta(&d->host, &host, &r->cpu.machine.host);
	if (r->final)
		fill_powers(r, d);
	if (!*d->group)
		return;
	psi_read(now, d->group, ".pressure");
	for (int i = 0; i < PSI_RESOURCES; i++)
		psi_delta(&d->pressure[i], &now[i], &r->cpu.pressure[i]);
	r->cpu.group = report_printf(r, "%s", d->group);
}

/* ---- what there is not ---- */

static void absent(struct report *r, const char *metric, const char *reason)
{
	absent_add(r, &r->cpu.absent, metric, reason);
}

/* Vectors whose tracepoints did not attach. */
static void absent_vectors(struct probe *p, struct report *r)
{
	for (size_t i = 0; i < p->nattempts; i++) {
		const struct source_attempt *a = &p->attempts[i];

		for (size_t v = 0; v < VECTOR_DEVICE && a->error; v++) {
			const char *name = report_printf(r, "cpu_%s_exit", cpu_vector_name(v));

			if (!strcmp(a->name, p->source->name) && !strcmp(a->what, name))
				absent(r, report_printf(r, "hard.vectors.%s", cpu_vector_name(v)),
				       report_printf(r, "no tracepoint: %s", strerror(-a->error)));
		}
	}
}

static void fill_absent(struct probe *p, struct report *r)
{
	const struct cpu_data *d = p->data;
	const struct cpu_machine *m = &r->cpu.machine;
	bool freq = false, mean = false;

	for (size_t i = 0; i < m->ncpus; i++) {
		freq |= m->cpus[i].freq_khz > 0;
		mean |= cpu_freq_mean(&m->cpus[i]) > 0;
	}
	if (!d->nodes)
		absent(r, "node_migrations", "the machine has one NUMA node");
	absent(r, "cpus by process", "another figure at every switch: kept for the tree alone");
	if (!*d->group)
		absent(r, "cgroup.pressure", d->no_group);
	if (!m->host.psi[PSI_CPU].present)
		absent(r, "machine.pressure", "the kernel keeps none: CONFIG_PSI, psi=1");
	if (r->final && !m->nidle)
		absent(r, "machine.idle", "no cpuidle driver");
	if (r->final && !freq)
		absent(r, "machine.cpus.frequency_khz", "no cpufreq driver");
	else if (r->final && !mean)
		absent(r, "machine.cpus.frequency_mean_khz",
		       "the cpufreq driver keeps no time by frequency");
	absent_vectors(p, r);
}

int cpu_snapshot(struct probe *p, struct report *r)
{
	const struct cpu_slot *tree = slots_tree(p);

	fill_figures(r, p->data, &r->cpu.tree, tree, usage_tree(p->session));
	fill_devices(p, r, tree);
	fill_times(r);
	fill_machine(r, p->data);
	fill_absent(p, r);
	if (r->final)
		fill_processes(p, r);
	r->cpu.present = true;
	return fill_quotas(p, r);
}
