/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which waits are sampled: time off the CPU is a debt of the thread's, and the wait in which a
 * quantum of it falls due is a sample that stands for all whole quanta. So a wait is taken in
 * proportion to its length, a long one always. Preemption has a debt of its own, as its stack
 * has to be read before its length is known: at most one a quantum.
 */
#ifndef DWELL_STACKS_DEBT_BPF_H
#define DWELL_STACKS_DEBT_BPF_H

#include "ledger.h"
#include "stacks.h"
#include "target.bpf.h"

const volatile struct stacks_cfg stacks_cfg SEC(".rodata.stacks");

/* A state off the CPU has ended after `ns`; a wait is taken by it if that makes it due. */
static __always_inline void stacks_waited(struct stack_account *s, __u32 state, __u64 ns)
{
	__u64 quantum = stacks_cfg.quantum_ns, *debt, due;
	__u32 part = state == STATE_RUNQUEUE;

	if (!stacks_cfg.on || state == STATE_ON_CPU)
		return;
	debt = &s->debt_ns[state == STATE_PREEMPTED];
	due = *debt + ns;
	/* without a stack: that of the next preemption stands for it */
	if (due < quantum || (state == STATE_PREEMPTED && s->user_from == USER_SKIPPED)) {
		*debt = due;
		return;
	}
	*debt = quantum ? due % quantum : 0;
	s->ns[part] += due - *debt;
	s->count[part]++;
	if (!part)
		s->state = state;
}

/* Is the stack of a preemption that begins now to be read? */
static __always_inline bool stacks_wants_preempted(const struct stack_account *s, __u64 now)
{
	__u64 quantum = stacks_cfg.quantum_ns;

	return s->debt_ns[1] >= quantum || now - s->read_ns >= quantum;
}

static __always_inline bool stacks_is_due(const struct stack_account *s)
{
	return s->count[0] | s->count[1];
}

#endif
