/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/stat, /proc/loadavg, /proc/pressure; see cpu_host.h. Power states: cpu_power.c. */
#include "cpu_host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "read.h"

#define STAT_BYTES (1 << 20) /* a line a CPU and a number an interrupt: 4,096 CPUs and more */

static uint64_t tick_ns(void)
{
	static uint64_t ns;

	if (!ns)
		ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	return ns;
}

/* The line that begins with `key` and a space; NULL: none. */
static const char *line_of(const char *text, const char *key)
{
	size_t len = strlen(key);

	while (text) {
		if (!strncmp(text, key, len) && text[len] == ' ')
			return text + len;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return NULL;
}

/* Before 2.6.11 there was no steal time; all else is older. */
static int parse_times(const char *line, struct cpu_stat *s)
{
	uint64_t *to[] = { &s->user_ns,   &s->nice_ns, &s->system_ns,  &s->idle_ns,
			   &s->iowait_ns, &s->irq_ns,  &s->softirq_ns, &s->steal_ns };
	size_t n = sizeof(to) / sizeof(to[0]);
	char *end;

	for (size_t i = 0; i < n; i++, line = end) {
		uint64_t ticks = strtoull(line, &end, 10);

		if (end == line)
			return -EINVAL;
		*to[i] = ticks * tick_ns();
	}
	return 0;
}

static uint64_t number_of(const char *text, const char *key, int *err)
{
	const char *line = line_of(text, key);
	char *end;
	uint64_t v = line ? strtoull(line, &end, 10) : 0;

	if (!line || end == line)
		*err = -EINVAL;
	return v;
}

int cpu_stat_parse(const char *text, struct cpu_stat *s)
{
	const char *times = line_of(text, "cpu");
	int err;

	memset(s, 0, sizeof(*s));
	err = times ? parse_times(times, s) : -EINVAL;
	if (err)
		return err;
	s->interrupts = number_of(text, "intr", &err);
	s->softirqs = number_of(text, "softirq", &err);
	s->switches = number_of(text, "ctxt", &err);
	s->forks = number_of(text, "processes", &err);
	s->running = (uint32_t)number_of(text, "procs_running", &err);
	s->blocked = (uint32_t)number_of(text, "procs_blocked", &err);
	return err;
}

int cpu_load_parse(const char *text, struct cpu_load *l)
{
	int n = sscanf(text, "%lf %lf %lf", &l->minutes_1, &l->minutes_5, &l->minutes_15);

	return n == 3 ? 0 : -EINVAL;
}

/* Microseconds behind "total=" of the line that begins with `key`. */
static bool psi_line(const char *text, const char *key, uint64_t *ns)
{
	const char *line = line_of(text, key), *total = line ? strstr(line, "total=") : NULL;
	const char *newline = line ? strchr(line, '\n') : NULL;
	uint64_t us;

	if (!total || (newline && total > newline) || sscanf(total, "total=%" SCNu64, &us) != 1)
		return false;
	*ns = us * 1000;
	return true;
}

/* cpu has no "full" line before 5.13. */
int psi_total_parse(const char *text, struct psi_total *psi)
{
	memset(psi, 0, sizeof(*psi));
	psi->present = psi_line(text, "some", &psi->some_ns);
	psi->has_full = psi_line(text, "full", &psi->full_ns);
	return psi->present ? 0 : -EINVAL;
}

void psi_read(struct psi_total psi[PSI_RESOURCES], const char *dir, const char *suffix)
{
	static const char *const names[PSI_RESOURCES] = { "cpu", "memory", "io" };
	char path[4096], text[512];

	for (int i = 0; i < PSI_RESOURCES; i++) {
		memset(&psi[i], 0, sizeof(psi[i]));
		snprintf(path, sizeof(path), "%s/%s%s", dir, names[i], suffix);
		if (proc_read_file(path, text, sizeof(text)) > 0)
			psi_total_parse(text, &psi[i]);
	}
}

void cpu_host_read(struct cpu_host *h, const char *proc)
{
	char path[256], load[128], *stat = malloc(STAT_BYTES);
	struct timespec now;

	memset(h, 0, sizeof(*h));
	if (!stat)
		abort();
	clock_gettime(CLOCK_MONOTONIC, &now);
	h->at_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	snprintf(path, sizeof(path), "%s/stat", proc);
	if (proc_read_file(path, stat, STAT_BYTES) > 0)
		h->has_stat = !cpu_stat_parse(stat, &h->stat);
	free(stat);
	snprintf(path, sizeof(path), "%s/loadavg", proc);
	if (proc_read_line(path, load, sizeof(load)) > 0)
		h->has_load = !cpu_load_parse(load, &h->load);
	snprintf(path, sizeof(path), "%s/pressure", proc);
	psi_read(h->psi, path, "");
}

/* ---- differences ---- */

static uint64_t since(uint64_t begin, uint64_t now)
{
	return now > begin ? now - begin : 0;
}

void psi_delta(const struct psi_total *begin, const struct psi_total *now, struct psi_total *out)
{
	out->present = begin->present && now->present;
	out->has_full = begin->has_full && now->has_full;
	out->some_ns = out->present ? since(begin->some_ns, now->some_ns) : 0;
	out->full_ns = out->has_full ? since(begin->full_ns, now->full_ns) : 0;
}

void cpu_host_delta(const struct cpu_host *begin, const struct cpu_host *now, struct cpu_host *out)
{
	const struct cpu_stat *a = &begin->stat, *b = &now->stat;

	*out = *now;
	out->at_ns = since(begin->at_ns, now->at_ns);
	out->has_stat = begin->has_stat && now->has_stat;
	out->stat = (struct cpu_stat){
		.user_ns = since(a->user_ns, b->user_ns),
		.nice_ns = since(a->nice_ns, b->nice_ns),
		.system_ns = since(a->system_ns, b->system_ns),
		.idle_ns = since(a->idle_ns, b->idle_ns),
		.iowait_ns = since(a->iowait_ns, b->iowait_ns),
		.irq_ns = since(a->irq_ns, b->irq_ns),
		.softirq_ns = since(a->softirq_ns, b->softirq_ns),
		.steal_ns = since(a->steal_ns, b->steal_ns),
		.interrupts = since(a->interrupts, b->interrupts),
		.softirqs = since(a->softirqs, b->softirqs),
		.switches = since(a->switches, b->switches),
		.forks = since(a->forks, b->forks),
		.running = b->running,
		.blocked = b->blocked,
	};
	for (int i = 0; i < PSI_RESOURCES; i++)
		psi_delta(&begin->psi[i], &now->psi[i], &out->psi[i]);
}
