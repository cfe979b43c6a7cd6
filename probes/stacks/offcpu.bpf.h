/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Stacks of waits. A stay off the CPU that falls due (debt.bpf.h) is a sample: the kernel stack
 * is read as the thread comes back to a CPU, the user's when the system call returns in which it
 * waited. That is the same stack, for a thread does not run on its own side inside a call:
 *
 * - the call had not returned when it began to wait: rax is still -ENOSYS, which the entry of a
 *   call puts there;
 * - if the thread leaves its CPU again before the return, the stack is read there;
 * - at the return the user's side stands where it stood (not after execve, sigreturn).
 *
 * Page faults, interrupts and preemption have no return that tells: there the user's stack is
 * read as the thread leaves, before it is known whether the stay is a sample.
 */
#ifndef DWELL_STACKS_OFFCPU_BPF_H
#define DWELL_STACKS_OFFCPU_BPF_H

#include <asm/unistd.h>

#include "../ledger/account.bpf.h"
#include "rows.bpf.h"
#include "user.bpf.h"

#define CALL_ENTERED (-38L) /* -ENOSYS */

/* ---- kernel stacks ---- */

static __always_inline __u64 kernel_tell(struct stacks_draft *d, __u32 context, long bytes)
{
	if (bytes <= 0)
		return 0;
	d->body.n = bytes / sizeof(__u64);
	d->body.end = STACK_WHOLE;
	return stacks_tell(context, 0);
}

#define KERNEL_BYTES (STACK_FRAMES * sizeof(__u64))

/* Of a thread that does not run. */
#define stacks_kernel_of(task, context)                                                            \
	({                                                                                         \
		struct stacks_draft *__d = stacks_draft(context);                                  \
		__d ? kernel_tell(__d, context,                                                    \
				  bpf_get_task_stack(task, __d->body.frames, KERNEL_BYTES, 0))           \
		    : 0;                                                                           \
	})

/* ---- a sample is told ---- */

static __always_inline void key_fill(struct stacks_draft *d, const struct ledger_thread *l,
				     __u32 state)
{
	__builtin_memset(&d->key, 0, sizeof(d->key));
	d->key.thread_id = l->who.thread_id;
	d->key.proc_id = l->who.proc_id;
	d->key.state = state;
}

/* The stay that falls due, with the user's stack `user`. */
__noinline int stacks_emit(struct ledger_thread *l, __u64 user, __u32 context)
{
	struct stacks_draft *d = stacks_draft(context);
	struct stack_account *s;

	if (!l || !d)
		return 0;
	s = &l->stack;
	key_fill(d, l, s->state);
	d->key.user = user;
	d->key.kernel = s->kernel;
	d->key.waker = s->waker;
	if (s->count[0])
		stacks_count(context, s->ns[0], s->count[0]);
	d->key.state = STATE_RUNQUEUE;
	if (s->count[1])
		stacks_count(context, s->ns[1], s->count[1]);
	s->ns[0] = s->ns[1] = 0;
	s->count[0] = s->count[1] = 0;
	s->waker = 0;
	return 0;
}

/* ---- the hooks: sched_switch (of the ledger), sys_exit (of syscalls) ---- */

/* Is the thread inside a system call that has not returned? */
static __always_inline bool in_call(struct pt_regs *regs)
{
	return (long)regs->orig_ax >= 0 && (long)regs->ax == CALL_ENTERED;
}

/* Takes the user's stack as the current thread leaves its CPU, also for a sample that waits. */
__noinline int stacks_leave_slow(struct ledger_thread *l)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	if (!l)
		return 0;
#ifdef TASK_HASH /* the next thread is no pointer that the helper takes: its stack is read here */
	if (!stacks_is_due(&l->stack))
		l->stack.kernel = stacks_kernel_of(task, CONTEXT_SWITCH);
	if (!stacks_is_due(&l->stack) && in_call(regs)) {
		l->stack.ip = regs->ip;
		l->stack.sp = regs->sp;
		l->stack.returns = 1;
		return 0;
	}
#endif
	l->stack.user = stacks_user(l->who.proc_id, CONTEXT_SWITCH);
	l->stack.returns = 0;
	if (stacks_is_due(&l->stack))
		stacks_emit(l, l->stack.user, CONTEXT_SWITCH);
#ifdef TASK_HASH
	l->stack.kernel = stacks_kernel_of(task, CONTEXT_SWITCH);
#endif
	return 0;
}

static __always_inline void stacks_leave(struct ledger_thread *l, struct task_struct *task)
{
	struct stack_account *s = &l->stack;
	struct pt_regs *regs;

	if (!stacks_cfg.on)
		return;
#ifndef TASK_HASH
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	if (!stacks_is_due(s) && in_call(regs)) {
		s->ip = regs->ip;
		s->sp = regs->sp;
		s->returns = 1;
		return;
	}
#endif
	stacks_leave_slow(l);
}

/* The thread has come to a CPU: the stay is over. */
#ifdef TASK_HASH
#define stacks_arrive_kernel(s, task) ((void)(task))
#else
#define stacks_arrive_kernel(s, task) ((s)->kernel = stacks_kernel_of(task, CONTEXT_SWITCH))
#endif

static __always_inline void stacks_arrive(struct ledger_thread *l, struct task_struct *task)
{
	struct stack_account *s = &l->stack;

	if (!stacks_cfg.on || !stacks_is_due(s))
		return;
	stacks_arrive_kernel(s, task);
	if (!s->returns)
		stacks_emit(l, s->user, CONTEXT_SWITCH);
}

/* A thread found off its CPU at the attach. */
static __always_inline void stacks_seed(struct ledger_thread *l, struct task_struct *task)
{
	struct pt_regs *regs;

	if (!stacks_cfg.on || (task->flags & PF_KTHREAD))
		return;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	l->stack.ip = regs->ip;
	l->stack.sp = regs->sp;
	l->stack.returns = in_call(regs);
}

/* It came unseen and may have been anywhere since: what it waited in is not known. */
static __always_inline void stacks_forget(struct ledger_thread *l)
{
	if (!stacks_cfg.on)
		return;
	l->stack.ns[0] = l->stack.ns[1] = 0;
	l->stack.count[0] = l->stack.count[1] = 0;
	l->stack.waker = 0;
}

/* A call of the current thread returns in which a sample was. */
__noinline int stacks_return(struct ledger_thread *l)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 user;

	if (!l)
		return 0;
	if (regs->ip == l->stack.ip && regs->sp == l->stack.sp)
		user = stacks_user(l->who.proc_id, CONTEXT_CALL);
	else
		user = stacks_no_user(CONTEXT_CALL);
	return stacks_emit(l, user, CONTEXT_CALL);
}

static __always_inline void stacks_call_returns(struct task_struct *task)
{
	struct ledger_thread *l = stacks_cfg.on ? account_of(task) : NULL;

	if (l && stacks_is_due(&l->stack))
		stacks_return(l);
}

#endif
