/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Waits that go on as a report is made: the kernel stacks of living threads, run by dwell. */
#ifndef DWELL_STACKS_WAITS_BPF_H
#define DWELL_STACKS_WAITS_BPF_H

#include "offcpu.bpf.h"

/* One at a time: only dwell runs the iterator. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stacks_wait);
} stacks_waiting SEC(".maps");

static __always_inline bool is_off_cpu(struct ledger_thread *l)
{
	return !l->ended && *(volatile __u32 *)&l->state != STATE_ON_CPU;
}

SEC("iter/task")
int stacks_waits(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct ledger_thread *l;
	struct stacks_wait *w;
	struct pt_regs *regs;
	__u32 zero = 0;
	long bytes;

	if (!task)
		return 0;
	l = account_of(task);
	w = bpf_map_lookup_elem(&stacks_waiting, &zero);
	if (!l || !w || !is_off_cpu(l))
		return 0;
	w->thread_id = l->who.thread_id;
	w->proc_id = l->who.proc_id;
	w->since_ns = *(volatile __u64 *)&l->since_ns;
	w->user = l->stack.user;
	w->python = l->stack.python;
	w->user_from = l->stack.user_from;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	w->ip = regs->ip;
	w->sp = regs->sp;
	w->bp = regs->bp;
	w->di = regs->di;
	bytes = bpf_get_task_stack(task, w->frames, KERNEL_BYTES, 0);
	w->n = bytes > 0 ? bytes / sizeof(__u64) : 0;
	if (!is_off_cpu(l) || *(volatile __u64 *)&l->since_ns != w->since_ns)
		return 0; /* it ran meanwhile */
	bpf_seq_write(ctx->meta->seq, w, sizeof(*w));
	return 0;
}

#endif
