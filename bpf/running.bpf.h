/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The target that each CPU runs: found out at its first system call since it came to the CPU
 * (syscalls.bpf.c), forgotten as it leaves (the ledger's sched_switch). What comes in between
 * need not ask whose the current task is, which are two helper calls, 50 ns of each system call
 * where returns are made safe.
 *
 * A switch away from a target is always told (the current task is the target still), so what
 * stands here is never a former one. Without the ledger nobody would forget it, and nothing is
 * kept: control.forgets.
 */
#ifndef DWELL_RUNNING_BPF_H
#define DWELL_RUNNING_BPF_H

#include "slot.bpf.h"
#include "target.bpf.h"

struct running {
	__u64 task; /* 0: not known, or no target */
	__u64 regs; /* of its system calls, on top of its kernel stack */
	/* the task and whose it is; of the call that syscalls looks at also where `task` is 0 */
	__u64 current;
	struct slot_owner who;
	__u32 tid;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct running);
} running_now SEC(".maps");

/* This CPU's. Not NULL in practice. */
static __always_inline struct running *running(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&running_now, &zero);
}

/* The current thread, `task`, is t. Its interrupts may come meanwhile: the task stands last. */
static __always_inline void running_note(struct running *r, struct task_struct *task,
					 const struct target *t)
{
	__u32 zero = 0;
	struct control *c = bpf_map_lookup_elem(&control, &zero);

	r->who = slot_owner(t);
	r->tid = t->tid;
	r->regs = bpf_task_pt_regs(task);
	r->current = (__u64)task;
	barrier();
	r->task = c && c->forgets ? (__u64)task : 0;
}

/*
 * The current task by what is noted of it, where a pointer made of a number can be read through;
 * else by helper call.
 */
static __always_inline struct task_struct *running_task(__u64 noted)
{
	return have_rdonly_cast ? (struct task_struct *)noted : bpf_get_current_task_btf();
}

/* The current thread leaves its CPU. */
static __always_inline void running_forget(void)
{
	struct running *r = running();

	if (r)
		r->task = 0;
}

/* What a thread of which nothing is noted is. */
static __noinline int running_ask(struct running *now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_of(task);

	now->who.proc_id = 0;
	if (!t)
		return 0;
	now->who = slot_owner(t);
	now->regs = bpf_task_pt_regs(task);
	now->current = (__u64)task;
	return 0;
}

/* The current thread's `who` (proc_id 0: it is no target), `regs` and `current`. */
static __always_inline void running_find(struct running *now)
{
	struct running *r = running();

	if (r && r->task)
		*now = *r;
	else
		running_ask(now);
}

/* Whose the current thread is; proc_id 0: no target's. */
static __always_inline struct slot_owner running_owner(void)
{
	struct running *r = running();
	struct target *t;

	if (r && r->task)
		return r->who;
	t = target_current();
	return t ? slot_owner(t) : (struct slot_owner){};
}

#endif
