/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of what interrupts; see cpu_names.c. */
#ifndef DWELL_CPU_NAMES_H
#define DWELL_CPU_NAMES_H

#include <stddef.h>

#include "cpu.h"

const char *cpu_vector_name(size_t vector);
/* As /proc/softirqs has it, in lower case. */
const char *cpu_softirq_name(size_t nr);

#endif
