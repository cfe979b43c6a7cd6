/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Idle states and frequencies of the CPUs, from /sys/devices/system/cpu: two small files an
 * idle state and CPU, so they are read at the ends of a run and not at each interval.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu_host.h"
#include "read.h"

#define FREQ_BYTES 4096 /* some 200 frequencies */

static bool read_number(const char *dir, const char *file, uint64_t *v)
{
	char path[512], text[64], *end;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (proc_read_line(path, text, sizeof(text)) <= 0)
		return false;
	*v = strtoull(text, &end, 10);
	return end != text;
}

static bool read_idle(const char *cpu_dir, int state, struct cpu_idle *idle)
{
	char dir[384], path[512];
	uint64_t us;

	snprintf(dir, sizeof(dir), "%s/cpuidle/state%d", cpu_dir, state);
	snprintf(path, sizeof(path), "%s/name", dir);
	if (proc_read_line(path, idle->name, sizeof(idle->name)) <= 0)
		return false;
	if (!read_number(dir, "time", &us) || !read_number(dir, "usage", &idle->entries))
		return false;
	idle->ns = us * 1000;
	return true;
}

void cpu_freq_times_parse(const char *text, uint64_t *ticks, uint64_t *tick_khz)
{
	uint64_t khz, n;

	*ticks = *tick_khz = 0;
	while (text && sscanf(text, "%" SCNu64 " %" SCNu64, &khz, &n) == 2) {
		*ticks += n;
		*tick_khz += n * khz;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
}

static void read_power(struct cpu_power *p, const char *dir)
{
	char path[512], text[FREQ_BYTES];

	while (p->nidle < CPU_IDLE_STATES && read_idle(dir, (int)p->nidle, &p->idle[p->nidle]))
		p->nidle++;
	if (!read_number(dir, "cpufreq/scaling_cur_freq", &p->freq_khz))
		p->freq_khz = 0;
	snprintf(path, sizeof(path), "%s/cpufreq/stats/time_in_state", dir);
	if (proc_read_file(path, text, sizeof(text)) > 0)
		cpu_freq_times_parse(text, &p->freq_ticks, &p->freq_tick_khz);
}

static int by_cpu(const void *a, const void *b)
{
	const struct cpu_power *x = a, *y = b;

	return (x->cpu > y->cpu) - (x->cpu < y->cpu);
}

static struct cpu_power *add_row(struct cpu_powers *p, uint32_t cpu)
{
	struct cpu_power *row;

	p->rows = reallocarray(p->rows, p->n + 1, sizeof(*p->rows));
	if (!p->rows)
		abort();
	row = &p->rows[p->n++];
	memset(row, 0, sizeof(*row));
	row->cpu = cpu;
	return row;
}

void cpu_powers_read(struct cpu_powers *p, const char *dir)
{
	DIR *all = opendir(dir);
	struct dirent *entry;
	char path[256];
	unsigned cpu;

	memset(p, 0, sizeof(*p));
	while (all && (entry = readdir(all))) {
		int len = 0;

		if (sscanf(entry->d_name, "cpu%u%n", &cpu, &len) != 1 || entry->d_name[len])
			continue;
		snprintf(path, sizeof(path), "%s/cpu%u", dir, cpu);
		read_power(add_row(p, cpu), path);
	}
	if (all)
		closedir(all);
	if (p->n)
		qsort(p->rows, p->n, sizeof(*p->rows), by_cpu);
}

void cpu_powers_free(struct cpu_powers *p)
{
	free(p->rows);
	memset(p, 0, sizeof(*p));
}

static uint64_t since(uint64_t begin, uint64_t now)
{
	return now > begin ? now - begin : 0;
}

void cpu_power_delta(const struct cpu_powers *begin, const struct cpu_power *now,
		     struct cpu_power *out)
{
	const struct cpu_power key = { .cpu = now->cpu }, *was = NULL;

	if (begin->n)
		was = bsearch(&key, begin->rows, begin->n, sizeof(key), by_cpu);
	*out = *now;
	if (!was) {
		out->nidle = 0;
		out->freq_ticks = out->freq_tick_khz = 0;
		return;
	}
	out->freq_ticks = since(was->freq_ticks, now->freq_ticks);
	out->freq_tick_khz = since(was->freq_tick_khz, now->freq_tick_khz);
	out->nidle = was->nidle < now->nidle ? was->nidle : now->nidle;
	for (size_t i = 0; i < out->nidle; i++) {
		out->idle[i].ns = since(was->idle[i].ns, now->idle[i].ns);
		out->idle[i].entries = since(was->idle[i].entries, now->idle[i].entries);
	}
}

uint64_t cpu_freq_mean(const struct cpu_power *delta)
{
	return delta->freq_ticks ? delta->freq_tick_khz / delta->freq_ticks : 0;
}
