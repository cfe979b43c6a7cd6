/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Stacks on a CPU: a timer, or a counter of cycles, of each CPU interrupts it so many times a
 * second; a target that it meets there is a sample.
 */
#ifndef DWELL_STACKS_ONCPU_BPF_H
#define DWELL_STACKS_ONCPU_BPF_H

#include "../ledger/account.bpf.h"
#include "offcpu.bpf.h"

/* struct bpf_perf_event_data, of linux/bpf_perf_event.h; registers as in a core file */
struct stacks_sample {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax;
	__u64 ip, cs, flags, sp, ss;
	__u64 period, address;
};

SEC("perf_event")
int stacks_on_cpu(struct stacks_sample *ctx)
{
	struct ledger_thread *l = account_of(bpf_get_current_task_btf());
	struct stacks_draft *d = stacks_draft(CONTEXT_CPU);
	__u64 kernel, user;

	if (!l || l->ended || !d)
		return 0;
	kernel = kernel_tell(d, CONTEXT_CPU, bpf_get_stack(ctx, d->body.frames, KERNEL_BYTES, 0));
	if ((__s64)ctx->ip >= 0) /* it ran the program itself */
		user = stacks_user_at(l->who.proc_id, CONTEXT_CPU, ctx->ip, ctx->sp, ctx->bp);
	else
		user = stacks_user(l->who.proc_id, CONTEXT_CPU);
	key_fill(d, l, STATE_ON_CPU);
	d->key.user = user;
	d->key.kernel = kernel;
	stacks_count(CONTEXT_CPU, stacks_cfg.sample_ns, 1);
	return 0;
}

#endif
