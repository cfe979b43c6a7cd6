/* SPDX-License-Identifier: BSD-2-Clause */
/* From what the kernel side and /proc have to the report. */
#ifndef DWELL_CPU_READ_H
#define DWELL_CPU_READ_H

#include "cpu.h"
#include "cpu_host.h"
#include "probe.h"

#define CPU_DIR "/sys/devices/system/cpu"

struct cpu_data {
	int devices_fd, groups_fd;
	bool nodes; /* several NUMA nodes */
	uint32_t sample_interval;
	/* as they were when the session began */
	struct cpu_host host;
	struct cpu_powers powers;
	struct psi_total pressure[PSI_RESOURCES]; /* of the group */
	char group[4096];                         /* its directory; "": see no_group */
	const char *no_group;
};

int cpu_snapshot(struct probe *p, struct report *r);
/* The lines of the summary screen. */
void cpu_text(const struct report *r, struct text_lines *t);

#endif
