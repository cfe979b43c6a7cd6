/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cpu probe: descriptor, and the readings at the begin of the session that those of a
 * report are compared with. What the kernel side counts is read in cpu_read.c.
 */
#include "cpu_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu_shape.h"
#include "err.h"
#include "host.h"
#include "read.h"
#include "session.h"

#define DEVICES "cpu_device_exit", "cpu_device_entry"
#define SOFTIRQS "cpu_soft_exit", "cpu_soft_entry"
#define QUOTAS "cpu_exec", "cpu_exit"
#define VECTOR(name) "cpu_" name "_exit", "cpu_" name "_entry"
/* An end without its begin is passed over, so the ends attach first. */
#define EXTRA                                                                                      \
	VECTOR("local_timer"), VECTOR("reschedule"), VECTOR("call_function"),                      \
		VECTOR("call_function_single"), VECTOR("irq_work"), "cpu_regroup", "cpu_migrate"

static const struct source cpu_sources[] = {
	{ "tp_btf", { DEVICES, SOFTIRQS, QUOTAS }, { EXTRA }, false },
	{ "raw_tp", { DEVICES, SOFTIRQS, QUOTAS }, { EXTRA }, true },
	{ 0 },
};

static const uint16_t cpu_maxima[] = {
	offsetof(struct cpu_slot, hard_longest),
	offsetof(struct cpu_slot, soft_longest),
};

/* Takes in a node's CPUs, "0-3,8"; false when it has none. */
static bool take_node(struct cpu_cfg *cfg, unsigned node, const char *list)
{
	unsigned first, last;
	bool any = false;
	int used;

	for (; sscanf(list, "%u%n", &first, &used) == 1; any = true) {
		list += used;
		last = first;
		if (sscanf(list, "-%u%n", &last, &used) == 1)
			list += used;
		for (unsigned cpu = first; cpu <= last && cpu < CPU_NODE_CPUS; cpu++)
			cfg->node[cpu] = (__u16)node;
		list += *list == ',';
	}
	return any;
}

/* Node of each CPU; returns whether several nodes have CPUs. */
static bool read_nodes(struct cpu_cfg *cfg)
{
	char path[64], list[4096];
	int nodes = 0;

	for (unsigned node = 0; node < HOST_NODES; node++) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/cpulist", node);
		if (proc_read_line(path, list, sizeof(list)) > 0)
			nodes += take_node(cfg, node, list);
	}
	return nodes > 1;
}

static int cpu_configure(struct probe *p, struct bpf_object *obj)
{
	struct bpf_program *migrate = bpf_object__find_program_by_name(obj, "cpu_migrate");
	struct bpf_map *map = bpf_object__find_map_by_name(obj, ".rodata.cpu");
	struct cpu_cfg cfg = { 0 };
	int err;

	if (!read_nodes(&cfg)) {
		bpf_program__set_autoload(migrate, false);
		return 0;
	}
	err = map ? bpf_map__set_initial_value(map, &cfg, sizeof(cfg)) : -ENOENT;
	return err ? err_set(err, "cannot set the NUMA nodes") : 0;
}

/* Whose control group is the target's: the command starts in ours. */
static pid_t member_of_group(const struct session *s)
{
	if (!s->attach)
		return getpid();
	return s->options->npids ? s->options->pids[0] : 0;
}

static void begin_group(struct cpu_data *d, pid_t pid)
{
	int err = pid ? proc_cgroup2_dir(pid, d->group, sizeof(d->group)) : -ESRCH;

	if (!err) {
		psi_read(d->pressure, d->group, ".pressure");
		if (d->pressure[PSI_CPU].present || d->pressure[PSI_MEMORY].present)
			return;
	}
	*d->group = '\0';
	d->no_group = err == -ESRCH ? "attached by no process ID: which group is not known"
		      : err         ? "the target is in the root group, or its group is not to "
				      "be seen: pressure is the machine's"
				    : "the kernel keeps no pressure of the group";
}

static int cpu_start(struct probe *p)
{
	struct cpu_data *d = calloc(1, sizeof(*d));
	struct cpu_cfg cfg = { 0 };

	if (!d)
		return err_set(-ENOMEM, "no memory");
	p->data = d;
	d->sample_interval = p->session->options->sample_interval;
	d->nodes = read_nodes(&cfg);
	d->devices_fd = probe_map_fd(p, "cpu_devices");
	d->groups_fd = probe_map_fd(p, "cpu_groups");
	begin_group(d, member_of_group(p->session));
	cpu_powers_read(&d->powers, CPU_DIR);
	cpu_host_read(&d->host, "/proc");
	return 0;
}

static void cpu_free(struct probe *p)
{
	struct cpu_data *d = p->data;

	if (!d)
		return;
	cpu_powers_free(&d->powers);
	free(d);
	p->data = NULL;
}

static bool cpu_reported(const struct report *r)
{
	return r->cpu.present;
}

const struct probe_class cpu_probe = {
	.name = "cpu",
	.summary = "switches, migrations, interrupts that hit the target, CPU quotas; pressure, "
		   "steal time and idle CPUs of the machine",
	.shape = cpu_shape,
	.tick_shape = cpu_tick_shape,
	.reported = cpu_reported,
	.sources = cpu_sources,
	.slots = { "cpu_slots", sizeof(struct cpu_slot), cpu_maxima,
		   sizeof(cpu_maxima) / sizeof(cpu_maxima[0]) },
	.configure = cpu_configure,
	.start = cpu_start,
	.snapshot = cpu_snapshot,
	.text = cpu_text,
	.free = cpu_free,
};
