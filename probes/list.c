/* SPDX-License-Identifier: BSD-2-Clause */
/* Every probe of dwell, in the order in which they attach and report. */
#include "probe.h"

extern const struct probe_class ledger_probe;
extern const struct probe_class syscalls_probe;
extern const struct probe_class network_probe;
extern const struct probe_class memory_probe;
extern const struct probe_class io_probe;
extern const struct probe_class cpu_probe;
extern const struct probe_class locks_probe;
extern const struct probe_class stacks_probe;

const struct probe_class *const probe_classes[] = {
	&ledger_probe, &syscalls_probe, &network_probe, &memory_probe, &io_probe,
	&cpu_probe,    &locks_probe,    &stacks_probe,  NULL,
};
