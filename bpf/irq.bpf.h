/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * In which context does the CPU run: a thread, or an interrupt that only borrowed one?
 *
 * The preempt count tells, a per-CPU variable on x86. A kernel without KALLSYMS_ALL gives
 * no address for it; but this CPU's runqueue, found through current, lies in the same
 * per-CPU section, and BTF says how far apart the two are. User space works that out
 * (engine/kernel_btf.c) and sets preempt_count_delta; 0 when it cannot.
 */
#ifndef DWELL_IRQ_BPF_H
#define DWELL_IRQ_BPF_H

#include "kread.bpf.h"

const volatile __s64 preempt_count_delta SEC(".rodata.irq") = 0;

/* True when `current` did not ask for what is happening: a hard or soft interrupt, or an NMI. */
static __always_inline bool in_interrupt(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct cfs_rq *queue;
	struct upid *count; /* any struct that starts with an int */

	if (!preempt_count_delta)
		return false;
	queue = KREAD_KNOWN(task, se.cfs_rq);
	count = (void *)KREAD_KNOWN(queue, rq) + preempt_count_delta;
	return KREAD(count, nr) & (NMI_MASK | HARDIRQ_MASK | SOFTIRQ_SERVING);
}

#endif
