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
#include "irq.bpf.h"
#include "python.bpf.h"
#include "rows.bpf.h"

#define CALL_ENTERED (-38L) /* -ENOSYS */

/* ---- the two stacks ---- */

#define KERNEL_BYTES (STACK_FRAMES * sizeof(__u64))

/* What a helper wrote into the level's body. */
static __always_inline __u64 stacks_kernel(__u32 level, long bytes)
{
	return bytes > 0 ? stacks_tell_kernel(level, bytes / sizeof(__u64)) : 0;
}

/* Of a thread that is not on a CPU. */
#define stacks_kernel_of(task, level)                                                              \
	({                                                                                         \
		struct stacks_work *__w = stacks_work_of(level);                                   \
		__w ? stacks_kernel(level,                                                         \
				    bpf_get_task_stack(task, __w->body.frames, KERNEL_BYTES, 0))   \
		    : 0;                                                                           \
	})

/* Of the current thread, as it came into the kernel; a kernel's thread has none. */
static __always_inline __u64 stacks_own_user(struct ledger_thread *l, __u32 level)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->flags & (PF_KTHREAD | PF_IO_WORKER) ? 0 : stacks_user(level, &l->who);
}

/* The same of its Python frames, after the user's stack. */
static __always_inline __u64 stacks_own_python(struct ledger_thread *l, __u32 level)
{
	return stacks_cfg.python ? stacks_python(level, &l->who) : 0;
}

/* ---- a sample is told ---- */

static __always_inline void key_fill(struct stacks_key *key, const struct ledger_thread *l,
				     __u32 state)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->thread_id = l->who.thread_id;
	key->proc_id = l->who.proc_id;
	key->state = state;
}

/* The stay that falls due, with the user's stack `user`. */
__noinline int stacks_emit(struct ledger_thread *l, __u64 user, __u32 level)
{
	struct stacks_key *key = stacks_key_of(level);
	struct stack_account *s;

	if (!l || !key)
		return 0;
	s = &l->stack;
	key_fill(key, l, s->state);
	key->user = user;
	key->python = user == s->user ? s->python : 0;
	key->kernel = s->kernel;
	key->waker = s->waker;
	key->waker_kernel = s->waker_kernel;
	if (s->count[0])
		stacks_count(level, s->ns[0], s->count[0]);
	key->state = STATE_RUNQUEUE;
	if (s->count[1])
		stacks_count(level, s->ns[1], s->count[1]);
	s->ns[0] = s->ns[1] = 0;
	s->count[0] = s->count[1] = 0;
	s->waker = s->waker_kernel = 0;
	s->kernel = 0; /* or it would stand for a stay whose end no event tells */
	return 0;
}

/* ---- the hooks: sched_switch (of the ledger), sys_exit (of syscalls) ---- */

/* Is the thread inside a system call that has not returned? */
static __always_inline bool in_call(struct pt_regs *regs)
{
	return (long)regs->orig_ax >= 0 && (long)regs->ax == CALL_ENTERED;
}

/* Is it still where it waited? */
static __always_inline bool stands_there(const struct stack_account *s, struct pt_regs *regs)
{
	return s->user_from == USER_BORN || (regs->ip == s->ip && regs->sp == s->sp);
}

static __always_inline void stands_here(struct stack_account *s, struct pt_regs *regs)
{
	s->ip = regs->ip;
	s->sp = regs->sp;
	s->user_from = USER_AT_RETURN;
}

/*
 * The current thread leaves its CPU, inside a call or not: the user's stack is taken for a sample
 * that waits for it, and for a stay that begins outside of a call.
 */
__noinline int stacks_leave_slow(struct ledger_thread *l, __u32 inside)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct stack_account *s;
	bool due, there;

	if (!l)
		return 0;
	s = &l->stack;
	due = stacks_is_due(s);
	there = stands_there(s, regs);
	if (!inside || (due && there)) {
		s->user = stacks_own_user(l, STACKS_SWITCH);
		s->python = stacks_own_python(l, STACKS_SWITCH);
		s->user_from = USER_TAKEN;
	} else {
		stands_here(s, regs);
	}
	if (due)
		stacks_emit(l, there ? s->user : stacks_tell(STACKS_SWITCH, 0, STACK_NO_USER, 0),
			    STACKS_SWITCH);
#ifdef TASK_HASH /* as it comes back it is no pointer that the helper takes */
	s->kernel = stacks_kernel_of(task, STACKS_SWITCH);
#endif
	return 0;
}

static __always_inline void stacks_leave(struct ledger_thread *l, struct task_struct *task,
					 bool runnable, __u64 now)
{
	struct stack_account *s = &l->stack;
	struct pt_regs *regs;
	bool inside;

	if (!stacks_cfg.on)
		return;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	inside = in_call(regs);
#ifndef TASK_HASH
	if (inside && !stacks_is_due(s)) {
		stands_here(s, regs);
		return;
	}
	if (!inside && runnable && !stacks_is_due(s) && !stacks_wants_preempted(s, now)) {
		s->user_from = USER_SKIPPED;
		return;
	}
#endif
	if (!inside && runnable)
		s->read_ns = now;
	stacks_leave_slow(l, inside);
}

/* The thread has come to a CPU: the stay is over. */
static __always_inline void stacks_arrive(struct ledger_thread *l, struct task_struct *task)
{
	struct stack_account *s = &l->stack;

	if (!stacks_cfg.on || !stacks_is_due(s))
		return;
#ifndef TASK_HASH
	s->kernel = stacks_kernel_of(task, STACKS_SWITCH);
#endif
	if (s->user_from < USER_TAKEN)
		s->user = stacks_tell(STACKS_SWITCH, 0, STACK_NOT_TAKEN, 0);
	if (s->user_from < USER_AT_RETURN)
		stacks_emit(l, s->user, STACKS_SWITCH);
}

/*
 * The current thread wakes another, whose block falls due by that: its own stacks. An interrupt
 * has none: what it interrupted has nothing to do with it.
 */
__noinline __u64 stacks_waker_user(void)
{
	struct ledger_thread *own = account_of(bpf_get_current_task_btf());

	return own ? stacks_own_user(own, STACKS_SWITCH) : 0;
}

static __always_inline void stacks_woken(void *ctx, struct ledger_thread *l)
{
	struct stacks_work *w;

	if (!stacks_cfg.on || !stacks_cfg.wakers || !stacks_is_due(&l->stack) || in_interrupt())
		return;
	w = stacks_work_of(STACKS_SWITCH);
	if (!w)
		return;
	l->stack.waker_kernel =
		stacks_kernel(STACKS_SWITCH, bpf_get_stack(ctx, w->body.frames, KERNEL_BYTES, 0));
	l->stack.waker = stacks_waker_user();
}

/* A thread found off its CPU at the attach. */
static __always_inline void stacks_seed(struct ledger_thread *l, struct task_struct *task)
{
	struct pt_regs *regs;

	if (!stacks_cfg.on || (task->flags & PF_KTHREAD))
		return;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	if (in_call(regs))
		stands_here(&l->stack, regs);
}

/* It came unseen and may have been anywhere since: what it waited in is not known. */
static __always_inline void stacks_forget(struct ledger_thread *l)
{
	if (!stacks_cfg.on)
		return;
	l->stack.ns[0] = l->stack.ns[1] = 0;
	l->stack.count[0] = l->stack.count[1] = 0;
	l->stack.waker = l->stack.waker_kernel = 0;
}

/* A call of the current thread returns in which a sample was. */
__noinline int stacks_return(struct ledger_thread *l)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 user;

	if (!l)
		return 0;
	l->stack.python = 0;
	if (stands_there(&l->stack, regs)) {
		user = stacks_user(STACKS_CALL, &l->who);
		l->stack.python = stacks_own_python(l, STACKS_CALL);
	} else {
		user = stacks_tell(STACKS_CALL, 0, STACK_NO_USER, 0);
	}
	l->stack.user = user;
	return stacks_emit(l, user, STACKS_CALL);
}

static __always_inline void stacks_call_returns(struct task_struct *task)
{
	struct ledger_thread *l = stacks_cfg.on ? account_of(task) : NULL;

	if (l && stacks_is_due(&l->stack))
		stacks_return(l);
}

#endif
