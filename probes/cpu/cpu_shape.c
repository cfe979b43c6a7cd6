/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of the cpu probe; see cpu_shape.h. */
#include "cpu_shape.h"

#include "cpu_host.h"
#include "report.h"

static const char *row_name(const void *row, size_t i)
{
	return ((const struct cpu_irq_row *)row)->name;
}

static const char *idle_name(const void *row, size_t i)
{
	return ((const struct cpu_idle *)row)->name;
}

/* ---- of the target ---- */

static const struct shape irq_shape[] = {
	SHAPE_IS(U64, cpu_irq_row, count, UNIT_COUNT, COUNTER, "how often"),
	SHAPE_IS(U64, cpu_irq_row, ns, UNIT_NS, COUNTER, "how long in all"),
	{},
};

/* clang-format off */
#define IRQS(vectors_, help_)							\
	SHAPE_IS(U64, cpu_irqs, count, UNIT_COUNT, COUNTER,			\
		 "interrupts that came while the target was on the CPU, whoever caused them"), \
	SHAPE_IS(U64, cpu_irqs, ns, UNIT_NS, COUNTER,				\
		 "how long the CPU was taken from it; part of its on_cpu"),	\
	SHAPE_IS(U64, cpu_irqs, longest_ns, UNIT_NS, GAUGE, "the longest of them"), \
	SHAPE_KEYED(vectors_, cpu_irqs, rows, nrows, row_name, irq_shape, help_)
/* clang-format on */

static const struct shape hard_shape[] = {
	IRQS("vectors", "by cause: local_timer, reschedule, call_function and "
			"call_function_single (another CPU asks), irq_work, device; those that "
			"did not come are left out. NMIs are not counted"),
	{},
};

static bool is_sampled(const void *base)
{
	return ((const struct cpu_irqs *)base)->sampled > 1;
}

static const struct shape soft_shape[] = {
	{ .key = "sample_interval",
	  .type = SHAPE_U32,
	  .unit = UNIT_COUNT,
	  .optional = true,
	  .present = is_sampled,
	  .offset = offsetof(struct cpu_irqs, sampled),
	  .help = "one in so many was looked at and stands for all of them; absent: each was" },
	IRQS("vectors", "by kind, as /proc/softirqs names them; those that did not come are left "
			"out. Also what the target's own calls set off, as receiving over "
			"loopback"),
	{},
};

static bool has_nodes(const void *base)
{
	return ((const struct cpu_figures *)base)->has_nodes;
}

static const struct shape figures_shape[] = {
	SHAPE_AS("voluntary_switches", U64, cpu_figures, voluntary, UNIT_COUNT, COUNTER,
		 "times that a thread gave up its CPU to wait; how long it then waited for a CPU "
		 "is the ledger's runqueue"),
	SHAPE_AS("involuntary_switches", U64, cpu_figures, involuntary, UNIT_COUNT, COUNTER,
		 "times that a thread had its CPU taken away; the ledger's preempted"),
	SHAPE_IS(U64, cpu_figures, migrations, UNIT_COUNT, COUNTER,
		 "times that a thread was moved to another CPU"),
	{ .key = "node_migrations",
	  .type = SHAPE_U64,
	  .unit = UNIT_COUNT,
	  .kind = METRIC_COUNTER,
	  .optional = true,
	  .present = has_nodes,
	  .offset = offsetof(struct cpu_figures, node_migrations),
	  .help = "of the migrations: to a CPU of another NUMA node; absent: there is but one" },
	SHAPE_SUB("hard", cpu_figures, hard, hard_shape,
		  "interrupted by hardware and by other CPUs; time in a softirq that one "
		  "interrupts is not counted twice"),
	SHAPE_SUB("soft", cpu_figures, soft, soft_shape,
		  "interrupted by softirqs: the kernel's work that interrupts leave for later; of "
		  "these --sample-interval samples"),
	{},
};

static const struct shape process_shape[] = {
	SHAPE_IS(U32, cpu_process, pid, UNIT_NONE, INFO, "process ID; 0: not visible to dwell"),
	SHAPE_IS(U32, cpu_process, proc_id, UNIT_NONE, INFO,
		 "number of the process in this report"),
	SHAPE_IS(CHARS, cpu_process, comm, UNIT_NONE, INFO, "its command's name"),
	SHAPE_FLAT(cpu_process, figures, figures_shape),
	{},
};

static const struct shape device_shape[] = {
	SHAPE_IS(U32, cpu_irq_row, irq, UNIT_NONE, INFO,
		 "number of the interrupt, as in /proc/interrupts; of other: 0"),
	SHAPE_IS(STR, cpu_irq_row, name, UNIT_NONE, INFO,
		 "its handler; other: all that the table had no room for"),
	SHAPE_IS(U64, cpu_irq_row, count, UNIT_COUNT, COUNTER, "how often"),
	SHAPE_IS(U64, cpu_irq_row, ns, UNIT_NS, COUNTER, "how long in all"),
	{},
};

static const struct shape time_shape[] = {
	SHAPE_IS(U32, cpu_time_row, cpu, UNIT_NONE, INFO, "number of the CPU"),
	SHAPE_IS(U64, cpu_time_row, on_cpu_ns, UNIT_NS, COUNTER, "time of the target on it"),
	{},
};

/* ---- of the target's control groups ---- */

static const struct shape quota_shape[] = {
	SHAPE_IS(STR, cpu_quota_row, path, UNIT_NONE, INFO,
		 "the group's directory; its name alone when it is gone or out of sight"),
	SHAPE_IS(U64, cpu_quota_row, quota_ns, UNIT_NS, GAUGE, "CPU time that it may use a period"),
	SHAPE_IS(U64, cpu_quota_row, period_ns, UNIT_NS, GAUGE, "length of a period"),
	SHAPE_IS(U64, cpu_quota_row, periods, UNIT_COUNT, COUNTER,
		 "periods in which the group ran, since the target was first seen in it"),
	SHAPE_IS(U64, cpu_quota_row, throttled_periods, UNIT_COUNT, COUNTER,
		 "periods in which it used up its quota and had to stop"),
	SHAPE_IS(U64, cpu_quota_row, throttled_ns, UNIT_NS, COUNTER,
		 "how long it was stopped, added up over the CPUs; also for members that are not "
		 "the target"),
	{},
};

static bool has_pressure(const void *base)
{
	return ((const struct psi_total *)base)->present;
}

static bool has_full(const void *base)
{
	return ((const struct psi_total *)base)->has_full;
}

static const struct shape psi_shape[] = {
	SHAPE_IS(U64, psi_total, some_ns, UNIT_NS, COUNTER,
		 "time in which at least one task waited for it"),
	{ .key = "full_ns",
	  .type = SHAPE_U64,
	  .unit = UNIT_NS,
	  .kind = METRIC_COUNTER,
	  .optional = true,
	  .present = has_full,
	  .offset = offsetof(struct psi_total, full_ns),
	  .help = "time in which all that were not idle waited for it" },
	{},
};

#define PSI(key_, which_, help_)                                                                   \
	{                                                                                          \
		.key = key_, .type = SHAPE_OBJECT, .optional = true, .present = has_pressure,      \
		.offset = (which_) * sizeof(struct psi_total), .sub = psi_shape, .help = help_     \
	}

static const struct shape pressure_shape[] = {
	PSI("cpu", PSI_CPU, "waiting for a CPU"),
	PSI("memory", PSI_MEMORY, "waiting for memory"),
	PSI("io", PSI_IO, "waiting for I/O"),
	{},
};

static bool has_group(const void *base)
{
	return ((const struct report *)base)->cpu.group;
}

static const struct shape cgroup_shape[] = {
	SHAPE_ROWS("quotas", report, cpu.quotas, cpu.nquotas, quota_shape,
		   "groups with a CPU quota in which a thread of the target was, or above its "
		   "own; the most throttled first"),
	{ .key = "path",
	  .type = SHAPE_STR,
	  .optional = true,
	  .present = has_group,
	  .offset = offsetof(struct report, cpu.group),
	  .help = "the group in which the target began (cgroup v2)" },
	{ .key = "pressure",
	  .type = SHAPE_OBJECT,
	  .optional = true,
	  .present = has_group,
	  .offset = offsetof(struct report, cpu.pressure),
	  .sub = pressure_shape,
	  .help = "pressure of that group since the start; its other members are in it" },
	{},
};

/* ---- of the machine ---- */

static const struct shape times_shape[] = {
	SHAPE_IS(U64, cpu_stat, user_ns, UNIT_NS, COUNTER, "in programs"),
	SHAPE_IS(U64, cpu_stat, nice_ns, UNIT_NS, COUNTER, "in programs of lowered priority"),
	SHAPE_IS(U64, cpu_stat, system_ns, UNIT_NS, COUNTER, "in the kernel"),
	SHAPE_IS(U64, cpu_stat, idle_ns, UNIT_NS, COUNTER, "idle"),
	SHAPE_IS(U64, cpu_stat, iowait_ns, UNIT_NS, COUNTER, "idle, with I/O outstanding"),
	SHAPE_IS(U64, cpu_stat, irq_ns, UNIT_NS, COUNTER, "in hard interrupts"),
	SHAPE_IS(U64, cpu_stat, softirq_ns, UNIT_NS, COUNTER, "in softirqs"),
	SHAPE_IS(U64, cpu_stat, steal_ns, UNIT_NS, COUNTER,
		 "taken by the host from this virtual machine"),
	{},
};

static const struct shape load_shape[] = {
	SHAPE_IS(F64, cpu_load, minutes_1, UNIT_NONE, GAUGE, "of the last minute"),
	SHAPE_IS(F64, cpu_load, minutes_5, UNIT_NONE, GAUGE, "of the last five minutes"),
	SHAPE_IS(F64, cpu_load, minutes_15, UNIT_NONE, GAUGE, "of the last fifteen minutes"),
	{},
};

static const struct shape idle_shape[] = {
	SHAPE_IS(U64, cpu_idle, ns, UNIT_NS, COUNTER, "time in the state"),
	SHAPE_IS(U64, cpu_idle, entries, UNIT_COUNT, COUNTER, "times that it was entered"),
	{},
};

static bool has_frequency(const void *base)
{
	return ((const struct cpu_power *)base)->freq_khz;
}

static bool has_mean(const void *base)
{
	return cpu_freq_mean(base);
}

static json_t *mean_json(const void *base)
{
	return json_integer((json_int_t)cpu_freq_mean(base));
}

static json_t *mean_schema(void)
{
	return json_pack("{s:s}", "type", "integer");
}

static const struct shape power_shape[] = {
	SHAPE_IS(U32, cpu_power, cpu, UNIT_NONE, INFO, "number of the CPU"),
	{ .key = "frequency_khz",
	  .type = SHAPE_U64,
	  .kind = METRIC_GAUGE,
	  .optional = true,
	  .present = has_frequency,
	  .offset = offsetof(struct cpu_power, freq_khz),
	  .help = "kHz at the end, as the kernel has it" },
	{ .key = "frequency_mean_khz",
	  .type = SHAPE_CUSTOM,
	  .kind = METRIC_GAUGE,
	  .optional = true,
	  .present = has_mean,
	  .make = mean_json,
	  .schema = mean_schema,
	  .help = "kHz, the mean by the times that the kernel keeps of each frequency" },
	{ .key = "idle",
	  .type = SHAPE_DICT,
	  .inline_array = true,
	  .offset = offsetof(struct cpu_power, idle),
	  .size = sizeof(struct cpu_idle),
	  .count_offset = offsetof(struct cpu_power, nidle),
	  .row_key = idle_name,
	  .sub = idle_shape,
	  .help = "by idle state" },
	{},
};

static bool has_stat(const void *base)
{
	return ((const struct cpu_host *)base)->has_stat;
}

static bool has_load(const void *base)
{
	return ((const struct cpu_host *)base)->has_load;
}

static bool has_host_pressure(const void *base)
{
	return ((const struct cpu_host *)base)->psi[PSI_CPU].present;
}

static const struct shape counts_shape[] = {
	SHAPE_IS(U64, cpu_stat, interrupts, UNIT_COUNT, COUNTER, "hard interrupts of all CPUs"),
	SHAPE_IS(U64, cpu_stat, softirqs, UNIT_COUNT, COUNTER, "softirqs of all CPUs"),
	SHAPE_AS("context_switches", U64, cpu_stat, switches, UNIT_COUNT, COUNTER,
		 "context switches of all CPUs"),
	SHAPE_IS(U64, cpu_stat, forks, UNIT_COUNT, COUNTER, "threads and processes started"),
	SHAPE_IS(U32, cpu_stat, running, UNIT_COUNT, GAUGE,
		 "threads on a CPU or waiting for one, now: the load of the run queues"),
	SHAPE_IS(U32, cpu_stat, blocked, UNIT_COUNT, GAUGE, "threads waiting for a disk, now"),
	{},
};

#define HOST(key_, present_, member_, sub_, help_)                                                 \
	{                                                                                          \
		.key = key_, .type = SHAPE_OBJECT, .optional = true, .present = present_,          \
		.offset = offsetof(struct cpu_host, member_), .sub = sub_, .help = help_           \
	}

static const struct shape host_shape[] = {
	SHAPE_AS("wall_ns", U64, cpu_host, at_ns, UNIT_NS, COUNTER,
		 "time between the two readings: from before the start to this report"),
	HOST("cpu_time", has_stat, stat, times_shape,
	     "time of all CPUs by use, as the kernel counts it in ticks of 10 ms"),
	HOST("counts", has_stat, stat, counts_shape, "what the kernel counts for all CPUs"),
	HOST("load", has_load, load, load_shape, "load averages"),
	HOST("pressure", has_host_pressure, psi, pressure_shape, "since the start"),
	{},
};

static bool has_idle(const void *base)
{
	return ((const struct cpu_machine *)base)->nidle;
}

static bool has_cpus(const void *base)
{
	return ((const struct cpu_machine *)base)->ncpus;
}

static const struct shape machine_tick_shape[] = { SHAPE_FLAT(cpu_machine, host, host_shape), {} };

static const struct shape machine_shape[] = {
	SHAPE_FLAT(cpu_machine, host, host_shape),
	{ .key = "idle",
	  .type = SHAPE_DICT,
	  .optional = true,
	  .present = has_idle,
	  .offset = offsetof(struct cpu_machine, idle),
	  .size = sizeof(struct cpu_idle),
	  .count_offset = offsetof(struct cpu_machine, nidle),
	  .row_key = idle_name,
	  .sub = idle_shape,
	  .help = "by idle state, all CPUs together" },
	{ .key = "cpus",
	  .type = SHAPE_LIST,
	  .optional = true,
	  .present = has_cpus,
	  .offset = offsetof(struct cpu_machine, cpus),
	  .size = sizeof(struct cpu_power),
	  .count_offset = offsetof(struct cpu_machine, ncpus),
	  .sub = power_shape,
	  .help = "frequency and idle states of each CPU" },
	{},
};

/* ---- all of it ---- */

/* clang-format off */
#define CPU_TABLE(machine_)							\
	SHAPE_FLAT(report, cpu.tree, figures_shape),				\
	SHAPE_ROWS("devices", report, cpu.devices, cpu.ndevices, device_shape,	\
		   "hard.vectors.device by handler, the longest first"),	\
	SHAPE_ROWS("cpus", report, cpu.times, cpu.ntimes, time_shape,		\
		   "on_cpu of the ledger by CPU, those that the target ran on"), \
	{ .key = "cgroup", .type = SHAPE_OBJECT, .sub = cgroup_shape,		\
	  .help = "of the control groups that the target is in, other members included" }, \
	SHAPE_SUB("machine", report, cpu.machine, machine_,			\
		  "of the whole machine, the target included; differences since the start"), \
	SHAPE_ABSENT(cpu.absent)
/* clang-format on */

const struct shape cpu_tick_shape[] = { CPU_TABLE(machine_tick_shape), {} };

const struct shape cpu_shape[] = {
	CPU_TABLE(machine_shape),
	SHAPE_ROWS("processes", report, cpu.processes, cpu.nprocesses, process_shape,
		   "by process, as the ledger's"),
	{},
};
