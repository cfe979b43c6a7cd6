/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The user's stack of the current thread, told; its hash. */
#ifndef DWELL_STACKS_USER_BPF_H
#define DWELL_STACKS_USER_BPF_H

#include "body.bpf.h"

/* None can be had: between two programs, or at the end. */
__noinline __u64 stacks_no_user(__u32 context)
{
	struct stacks_draft *d = stacks_draft(context);

	if (!d)
		return 0;
	d->body.n = 0;
	d->body.end = STACK_NO_USER;
	return stacks_tell(context, 0);
}

/* Inside execve the program is exchanged; at its end a thread gives its memory back. */
static __always_inline bool has_user(struct task_struct *task, struct pt_regs *regs)
{
	long call = regs->orig_ax;

	return !(task->flags & PF_EXITING) && call != __NR_execve && call != __NR_execveat;
}

/* Where the current thread entered the kernel. */
__noinline __u64 stacks_user(__u32 proc_id, __u32 context)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct stacks_draft *d = stacks_draft(context);
	long bytes;

	if (!d || (task->flags & (PF_KTHREAD | PF_IO_WORKER)))
		return 0; /* there is no user's side at all */
	if (!has_user(task, regs))
		return stacks_no_user(context);
	bytes = bpf_get_task_stack(task, d->body.frames, STACK_FRAMES * 8, BPF_F_USER_STACK);
	if (bytes <= 0)
		return stacks_no_user(context);
	d->body.n = bytes / 8;
	d->body.end = STACK_WHOLE;
	d->body.head.who.proc_id = proc_id;
	for (__u32 i = 0; i < STACK_FRAMES && i < d->body.n; i++)
		d->body.frames[i] = (d->body.frames[i] & FRAME_RAW_MASK) | (__u64)FRAME_RAW << FRAME_KIND_SHIFT | (i ? 0 : FRAME_EXACT);
	return stacks_tell(context, 1);
}

static __always_inline __u64 stacks_user_at(__u32 proc_id, __u32 context, __u64 ip, __u64 sp, __u64 bp)
{
	return stacks_user(proc_id, context);
}

#endif
