/* SPDX-License-Identifier: BSD-2-Clause */
/* The cpu probe's part of a report; see engine/report.h. */
#ifndef DWELL_CPU_REPORT_H
#define DWELL_CPU_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "absent.h"
#include "cpu_host.h"
#include "record.h"

struct cpu_irq_row { /* a vector, a softirq, or a device's handler */
	const char *name;
	uint32_t irq; /* of a device */
	uint64_t count, ns;
};

/* Interrupts that came while the process ran. */
struct cpu_irqs {
	uint64_t count, ns, longest_ns;
	struct cpu_irq_row *rows; /* that are not zero */
	size_t nrows;
	uint32_t sampled; /* one in so many was looked at; 0, 1: each */
};

struct cpu_figures {
	uint64_t voluntary, involuntary, migrations;
	bool has_nodes; /* there are several NUMA nodes */
	uint64_t node_migrations;
	struct cpu_irqs hard, soft;
};

struct cpu_process {
	uint32_t pid, proc_id;
	char comm[COMM_LEN];
	struct cpu_figures figures;
};

struct cpu_time_row { /* on-CPU time of the tree */
	uint32_t cpu;
	uint64_t on_cpu_ns;
};

struct cpu_quota_row { /* a control group: what it had while the target was seen in it */
	const char *path;
	uint64_t quota_ns, period_ns;
	uint64_t periods, throttled_periods, throttled_ns;
};

/* The whole machine, from the session's start. */
struct cpu_machine {
	struct cpu_host host;   /* differences */
	struct cpu_power *cpus; /* differences; in the last report only */
	size_t ncpus;
	struct cpu_idle *idle; /* summed over the CPUs */
	size_t nidle;
};

struct cpu_report {
	bool present;
	struct cpu_figures tree;
	struct cpu_irq_row *devices; /* by ns, descending */
	size_t ndevices;
	struct cpu_time_row *times; /* CPUs that the tree ran on */
	size_t ntimes;
	struct cpu_process *processes; /* as the ledger's; in the last report only */
	size_t nprocesses;
	struct cpu_quota_row *quotas; /* by throttled_ns, descending */
	size_t nquotas;
	const char *group; /* the control group (version 2) that pressure is of; NULL: none */
	struct psi_total pressure[PSI_RESOURCES];
	struct cpu_machine machine;
	struct absent_list absent;
};

#endif
