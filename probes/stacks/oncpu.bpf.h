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

/* All of its registers may be needed: it was interrupted anywhere. */
static __always_inline __u64 stacks_sample(struct stacks_sample *ctx, const struct target *t)
{
	__u64 ip = ctx->ip, sp = ctx->sp, bp = ctx->bp, di = ctx->di;
	struct stacks_work *w = walk_take(STACKS_SAMPLE);

	if (!w)
		return 0;
	WALK_REGISTERS(w, ctx);
	barrier_var(ip); /* values, not places in the context, which may not be computed */
	barrier_var(sp);
	barrier_var(bp);
	barrier_var(di);
	return walk_from(w, STACKS_SAMPLE, t, ip, sp, bp, di);
}

SEC("perf_event")
int stacks_on_cpu(struct stacks_sample *ctx)
{
	struct ledger_thread *l = account_of(bpf_get_current_task_btf());
	struct stacks_work *w = stacks_work_of(STACKS_SAMPLE);
	struct stacks_key *key = stacks_key_of(STACKS_SAMPLE);
	__u64 kernel, user, python;

	if (!l || l->ended || !w || !key)
		return 0;
	kernel = stacks_kernel(STACKS_SAMPLE, bpf_get_stack(ctx, w->body.frames, KERNEL_BYTES, 0));
	if ((__s64)ctx->ip >= 0) /* it ran the program itself */
		user = stacks_sample(ctx, &l->who);
	else
		user = stacks_own_user(l, STACKS_SAMPLE);
	python = stacks_own_python(l, STACKS_SAMPLE);
	key_fill(key, l, STATE_ON_CPU);
	key->user = user;
	key->python = python;
	key->kernel = kernel;
	stacks_count(STACKS_SAMPLE, stacks_cfg.sample_ns, 1);
	return 0;
}

#endif
