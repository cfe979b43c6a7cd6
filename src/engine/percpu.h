/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DWELL_PERCPU_H
#define DWELL_PERCPU_H

/* Bytes from a CPU's `runqueues` to its preempt count; 0 when BTF does not tell (bpf/irq.bpf.h). */
long long percpu_preempt_delta(void);

#endif
