/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the host's facts once. Limits: HOST_CPUS CPUs and HOST_NODES NUMA nodes are told. */
#include "host.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "read.h"

#define CPU_DIR "/sys/devices/system/cpu"
#define NODE_DIR "/sys/devices/system/node"

static bool read_u64(const char *path, uint64_t *v)
{
	char text[64], *end;

	if (proc_read_line(path, text, sizeof(text)) <= 0)
		return false;
	*v = strtoull(text, &end, 10);
	return end != text;
}

static bool cpu_u64(unsigned cpu, const char *file, uint64_t *v)
{
	char path[128];

	snprintf(path, sizeof(path), CPU_DIR "/cpu%u/%s", cpu, file);
	return read_u64(path, v);
}

void cpu_list(const unsigned char *mask, size_t n, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n && len < size; i++) {
		size_t first = i;

		if (!(mask[i / 8] & 1 << i % 8))
			continue;
		while (i + 1 < n && mask[(i + 1) / 8] & 1 << (i + 1) % 8)
			i++;
		len += (size_t)snprintf(text + len, size - len, "%s%zu", len ? "," : "", first);
		if (i > first && len < size)
			len += (size_t)snprintf(text + len, size - len, "-%zu", i);
	}
}

/* A CPU counts as one more core when no lower CPU is its sibling, and so for sockets. */
static void read_topology(struct host_cpu *c)
{
	uint64_t packages[HOST_CPUS], cores[HOST_CPUS];
	uint32_t n = 0, all_cores = 0, sockets = 0;

	for (unsigned cpu = 0; cpu < HOST_CPUS && n < HOST_CPUS; cpu++) {
		bool new_core = true, new_socket = true;

		if (!cpu_u64(cpu, "topology/physical_package_id", &packages[n]) ||
		    !cpu_u64(cpu, "topology/core_id", &cores[n]))
			continue;
		for (uint32_t i = 0; i < n; i++) {
			new_socket &= packages[i] != packages[n];
			new_core &= packages[i] != packages[n] || cores[i] != cores[n];
		}
		sockets += new_socket;
		all_cores += new_core;
		n++;
	}
	if (!n)
		return;
	c->sockets = sockets;
	c->cores_per_socket = all_cores / sockets;
	c->threads_per_core = n / all_cores;
}

static void read_model(struct host_cpu *c)
{
	char line[256];
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f && !c->model[0] && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || !colon)
			continue;
		colon += 1 + strspn(colon + 1, " ");
		colon[strcspn(colon, "\n")] = '\0';
		snprintf(c->model, sizeof(c->model), "%.*s", (int)sizeof(c->model) - 1, colon);
	}
	if (f)
		fclose(f);
}

static bool node_text(unsigned node, const char *file, char *text, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), NODE_DIR "/node%u/%s", node, file);
	return proc_read_line(path, text, size) > 0;
}

/* Node numbers may have holes; rows are in their order. */
static void read_numa(struct host_numa *m)
{
	char text[4096];

	for (unsigned node = 0; node < 4 * HOST_NODES && m->nodes < HOST_NODES; node++) {
		uint32_t row = m->nodes, column = 0;
		char *p = text, *end, *total;
		uint64_t kb;

		if (!node_text(node, "meminfo", text, sizeof(text)))
			continue;
		total = strstr(text, "MemTotal:");
		if (total && sscanf(total, "MemTotal: %" SCNu64, &kb) == 1)
			m->sizes_mb[row] = kb / 1024;
		m->nodes++;
		if (!node_text(node, "distance", text, sizeof(text)))
			continue;
		for (; column < HOST_NODES; column++, p = end) {
			m->distances[row][column] = (uint32_t)strtoul(p, &end, 10);
			if (end == p)
				break;
		}
	}
}

static void read_affinity(struct host *h)
{
	unsigned char mask[HOST_CPUS / 8] = { 0 };

	if (!sched_getaffinity(0, sizeof(mask), (cpu_set_t *)(void *)mask))
		cpu_list(mask, HOST_CPUS, h->affinity, sizeof(h->affinity));
}

static void read_freqs(struct host *h)
{
	char path[128];

	for (unsigned cpu = 0; cpu < HOST_CPUS; cpu++) {
		char *governor = h->governor[h->governors];

		snprintf(path, sizeof(path), CPU_DIR "/cpu%u/cpufreq/scaling_governor", cpu);
		if (proc_read_line(path, governor, HOST_GOVERNOR) > 0)
			h->governors++;
		if (cpu_u64(cpu, "cpufreq/scaling_cur_freq", &h->freq_khz[h->freqs]))
			h->freqs++;
	}
}

void host_read(struct host *h, pid_t pid)
{
	char path[64];
	struct timespec ts;
	uint64_t smt;

	memset(h, 0, sizeof(*h));
	clock_gettime(CLOCK_REALTIME, &ts);
	h->ts_ms = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	proc_read_line("/proc/sys/kernel/hostname", h->name, sizeof(h->name));
	proc_read_line("/proc/sys/kernel/osrelease", h->kernel, sizeof(h->kernel));
	read_topology(&h->cpu);
	read_model(&h->cpu);
	read_numa(&h->numa);
	read_affinity(h);
	read_freqs(h);
	proc_read_line("/sys/kernel/mm/transparent_hugepage/enabled", h->thp, sizeof(h->thp));
	h->has_smt = read_u64(CPU_DIR "/smt/active", &smt);
	h->smt = h->has_smt && smt;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid ? pid : getpid());
	proc_read_line(path, h->cgroup, sizeof(h->cgroup));
}
