/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The cpu probe's records, shared by cpu.bpf.c and cpu.c. */
#ifndef DWELL_CPU_H
#define DWELL_CPU_H

#include <linux/types.h>

/* Hard interrupts: those of x86's own vectors that have a tracepoint, and devices'. */
enum cpu_vector {
	VECTOR_LOCAL_TIMER,
	VECTOR_RESCHEDULE,
	VECTOR_CALL_FUNCTION,
	VECTOR_CALL_FUNCTION_SINGLE,
	VECTOR_IRQ_WORK,
	VECTOR_DEVICE,
	CPU_VECTORS
};

#define CPU_SOFTIRQS 10 /* include/linux/interrupt.h, NR_SOFTIRQS: the same since 4.8 */

/* What happened to a process while it ran. */
struct cpu_slot {
	__u64 hard_count[CPU_VECTORS], hard_ns[CPU_VECTORS];
	__u64 soft_count[CPU_SOFTIRQS], soft_ns[CPU_SOFTIRQS];
	__u64 node_migrations;            /* to a CPU of another NUMA node */
	__u64 hard_longest, soft_longest; /* maxima, ns */
};

#define CPU_DEVICE_NAME 32

/* A handler of a device's interrupt: several may share a line. */
struct cpu_device_key {
	__u64 action; /* struct irqaction */
	__u32 irq;
	__u32 pad;
};

struct cpu_device {
	__u64 count, ns;
	char name[CPU_DEVICE_NAME];
};

/*
 * A control group with a CPU quota in which a thread of the target is, or above it; by the
 * inode of its directory. The counters are the group's since it was made: as they were when
 * the target was first seen in it, and last.
 */
struct cpu_group {
	__u64 quota_ns, period_ns;
	__u64 first_throttled_ns, throttled_ns;
	__u32 first_periods, periods;
	__u32 first_throttled, throttled;
	char name[CPU_DEVICE_NAME]; /* of the directory, its beginning */
};

#define CPU_NODE_CPUS 8192 /* no kernel for x86 takes more; a power of two, for the verifier */

/* `.rodata.cpu` */
struct cpu_cfg {
	__u16 node[CPU_NODE_CPUS]; /* by CPU */
};

_Static_assert(sizeof(struct cpu_device_key) == 16, "struct cpu_device_key has holes");
_Static_assert(sizeof(struct cpu_device) == 48, "struct cpu_device has holes");
_Static_assert(sizeof(struct cpu_group) == 80, "struct cpu_group has holes");

#endif
