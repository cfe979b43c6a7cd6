// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * syscalls: how often each process made each system call, and what errors came back.
 *
 * Hooks: sys_exit; sched_process_exec; io_uring_submit_req (6.3) or _sqe; with
 *        --syscall-latency and the like also sys_enter. Cost: a call of a target an increment
 *        in its process's row (running.bpf.h says whose it is), of a thread without any
 *        storage a helper call and a load.
 * Keeps: syscalls_rows (by slot), syscalls_rare, syscalls_spill; see syscalls.h. With latency
 *        syscalls_threads (task -> when its call began).
 *
 * Counted is what returns, as a tracer counts: not exit and exit_group, nor the child's
 * return from its own fork. Limits: execveat without a directory is seen as execve; the
 * 32-bit sigreturn is seen as rt_sigreturn.
 */
#include "../stacks/offcpu.bpf.h"
#include "count.bpf.h"
#include "roles.bpf.h"
#include "running.bpf.h"
#include "syscalls.h"
#include "target.bpf.h"
#include "uring.bpf.h"

#define X32_BIT 0x40000000U /* __X32_SYSCALL_BIT */
#define I386_RT_SIGRETURN 173
#define I386_FORK 2
#define I386_CLONE 120
#define I386_VFORK 190
#define ENOSYS 38

/* When a thread's present call began. */
struct syscalls_thread {
	__u64 enter_ns; /* 0: nobody saw it, or it has been told */
	__u32 thread_id;
	__u32 pad;
};

TASK_MAP(syscalls_threads, struct syscalls_thread);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CALL_SLOTS);
	__type(key, __u32);
	__type(value, struct call_time);
} syscalls_times SEC(".maps");

static const struct syscalls_thread no_time SEC(".rodata.fixed");

/*
 * What orig_ax says at the exit is not always what was called. sigreturn has taken it from
 * the frame, where it is -1: so is an unknown call -1, but that fails with ENOSYS.
 */
static __noinline int call_resolve(struct call *call, struct task_struct *task)
{
	if (task->thread_info.status & TS_COMPAT)
		call->abi = ABI_I386;
	else if (call->nr != (__u64)-1 && (call->nr & X32_BIT))
		call->abi = ABI_X32;
	if (call->abi == ABI_X32)
		call->nr &= ~(__u64)X32_BIT;
	if ((__u32)call->nr == (__u32)-1 && call->ret != -ENOSYS) {
		call->nr = call->abi == ABI_I386 ? I386_RT_SIGRETURN : __NR_rt_sigreturn;
		call->ret = 0; /* a register of the frame, no result */
	}
	return 0;
}

/* The child's side of a fork returns 0 as its first call of all: the parent's is counted. */
static __always_inline bool is_born(const struct call *call)
{
	if (call->ret)
		return false;
	if (call->abi == ABI_I386)
		return call->nr == I386_FORK || call->nr == I386_CLONE || call->nr == I386_VFORK ||
		       call->nr == __NR_clone3;
	return call->nr == __NR_clone || call->nr == __NR_fork || call->nr == __NR_vfork ||
	       call->nr == __NR_clone3;
}

static __always_inline struct syscalls_thread *calling_thread(struct task_struct *task)
{
	struct syscalls_thread *c = task_map_get(&syscalls_threads, task);

#ifdef TASK_HASH
	struct target *t = c ? target_of(task) : NULL;

	if (!t || c->thread_id != t->thread_id) /* of a dead task that had this address before */
		return NULL;
#endif
	return c;
}

/* How long the call took; 0: nobody saw it begin. */
static __always_inline __u64 call_time(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct syscalls_thread *c = calling_thread(task);
	__u64 enter = c ? c->enter_ns : 0;

	if (!enter)
		return 0;
	c->enter_ns = 0;
	task_map_delete(&syscalls_threads, task);
	return bpf_ktime_get_ns() - enter;
}

static __always_inline void count_time(__u32 slot, __u64 ns)
{
	struct call_time *t = ns ? bpf_map_lookup_elem(&syscalls_times, &slot) : NULL;

	if (!t)
		return;
	t->ns += ns;
	t->count++;
	if (ns > t->max_ns)
		t->max_ns = ns;
	t->hist[hist_bucket(ns) & (HIST_BUCKETS - 1)]++;
}

/* Tells the probes that have a role in the call. regs NULL: those saved at the entry. */
static __always_inline void call_share(const struct running *r, __u32 roles, __u32 slot, __s64 ret,
				       __u64 ns, struct pt_regs *regs)
{
	struct call_done done = {
		.who = r->who,
		.ret = ret,
		.ns = ns,
		.nr = slot_call(slot),
		.tid = r->tid,
		.task = r->current,
	};

	if (!regs)
		regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	done.arg[0] = KREAD(regs, di);
	done.arg[1] = KREAD(regs, si);
	done.arg[2] = KREAD(regs, dx);
	done.arg[3] = KREAD(regs, r10);
	done.arg[4] = KREAD(regs, r8);
	done.arg[5] = KREAD(regs, r9);
	call_tell(&done, roles);
}

/* exec has set orig_ax to execve. */
static __always_inline bool was_execveat(struct target *t)
{
	return t->flags & TARGET_EXECVEAT &&
	       __sync_fetch_and_and(&t->flags, ~TARGET_EXECVEAT) & TARGET_EXECVEAT;
}

/*
 * All that is not the common case: a native call with a slot, of a thread that is known to be a
 * target's. Notes whose it is; returns the slot to count it in, CALL_SLOTS: none, it has been
 * seen to. The root before its first exec is dwell's own code.
 */
static __noinline __u32 call_identify(__u64 nr, __s64 ret)
{
	struct call called = { .nr = nr, .ret = ret }, *call = &called;
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_of(task);
	struct running *r = running();
	__u32 slot;

	if (!t || !t->proc_id || !r || (t->flags & TARGET_PREEXEC))
		return CALL_SLOTS;
	call_resolve(call, task);
	call->proc_id = t->proc_id;
	running_note(r, task, t);
	if (t->flags & TARGET_NEWBORN) {
		__sync_fetch_and_and(&t->flags, ~TARGET_NEWBORN);
		if (is_born(call))
			return CALL_SLOTS;
	}
	slot = call_slot(call->nr);
	if (call->abi != ABI_NATIVE || slot >= CALL_SLOTS) {
		if (syscalls_cfg.latency | syscalls_cfg.timed)
			call_time(); /* there is no row for it */
		count_rare(call);
		return CALL_SLOTS;
	}
	return slot == __NR_execve && was_execveat(t) ? __NR_execveat : slot;
}

/* A call whose number may be another's, or means another call. */
static __always_inline bool is_odd(const struct running *r, __u32 slot)
{
	struct task_struct *task = (struct task_struct *)r->task;

	return slot >= CALL_SLOTS || slot == __NR_execve ||
	       (KREAD(task, thread_info.status) & TS_COMPAT);
}

static __always_inline bool is_known(const struct running *r, struct pt_regs *regs)
{
	return r->task &&
	       (regs ? r->regs == (__u64)regs : r->task == (__u64)bpf_get_current_task());
}

static __always_inline void stacks_of_call(void)
{
	if (stacks_cfg.on)
		stacks_call_returns(bpf_get_current_task_btf());
}

/* regs NULL: not at hand. */
static __always_inline int count_call(__u64 nr, __s64 ret, struct pt_regs *regs)
{
	__u32 slot = call_slot(nr), roles;
	struct running *r = running();
	struct syscalls_row *row;
	__u64 ns;

	stacks_of_call();
	if (!r)
		return 0;
	if (!is_known(r, regs) || is_odd(r, slot)) {
		if (!task_map_any(bpf_get_current_task_btf()))
			return 0;
		slot = call_identify(nr, ret);
	}
	row = SLOT_ROW(syscalls_rows, r->who.slot);
	barrier_var(slot); /* compared here, as 6.1 forgets the bounds of what lay on the stack */
	if (!row || slot >= CALL_SLOTS)
		return 0;
	slot_add_call(&row->counts[slot], 1);
	if (failed(ret) && slot != __NR_rt_sigreturn) /* whose ret is a register of the frame */
		count_error(row, slot, -ret, r->who.proc_id);
	ns = syscalls_cfg.latency | syscalls_cfg.timed ? call_time() : 0;
	if (syscalls_cfg.latency)
		count_time(slot, ns);
	roles = call_role(slot);
	if (roles)
		call_share(r, roles, slot, ret, ns, regs);
	return 0;
}

SEC_TP("sys_exit")
int BPF_PROG(syscalls_exit, struct pt_regs *regs, long ret)
{
#ifdef TASK_HASH
	return count_call(BPF_CORE_READ(regs, orig_ax), ret, regs);
#else
	return count_call(regs->orig_ax, ret, regs);
#endif
}

/* The tracepoint's record: raw_syscalls/sys_exit/format. */
struct sys_exit_ctx {
	__u64 common;
	__s64 id;
	__s64 ret;
};

SEC("tracepoint/raw_syscalls/sys_exit")
int syscalls_exit_tp(struct sys_exit_ctx *ctx)
{
	return count_call(ctx->id, ctx->ret, NULL);
}

static __always_inline struct syscalls_thread *calling_open(struct task_struct *task)
{
	struct target *t = task_map_any(task) ? target_of(task) : NULL;
	struct syscalls_thread *c;

	if (!t || (t->flags & TARGET_PREEXEC))
		return NULL;
	c = task_map_create(&syscalls_threads, task, &no_time);
	if (c)
		c->thread_id = t->thread_id;
	else
		counter_add(COUNTER_LOST_CALL_TIME);
	return c;
}

static __always_inline int note_enter(__u64 nr)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct syscalls_thread *c;

	if (nr == __NR_exit || nr == __NR_exit_group) /* they do not return */
		return 0;
	if (!syscalls_cfg.latency && !(call_role(call_slot(nr)) & syscalls_cfg.timed))
		return 0;
	c = calling_thread(task);
	if (!c)
		c = calling_open(task);
	if (c)
		c->enter_ns = bpf_ktime_get_ns();
	return 0;
}

SEC_TP("sys_enter")
int BPF_PROG(syscalls_enter, struct pt_regs *regs, long nr)
{
	return note_enter(nr);
}

/* raw_syscalls/sys_enter/format */
struct sys_enter_ctx {
	__u64 common;
	__s64 id;
};

SEC("tracepoint/raw_syscalls/sys_enter")
int syscalls_enter_tp(struct sys_enter_ctx *ctx)
{
	return note_enter(ctx->id);
}

/* Only the name made for a descriptor tells execveat. */
SEC_TP("sched_process_exec")
int BPF_PROG(syscalls_exec, struct task_struct *unused, int old_pid, struct linux_binprm *bprm)
{
	struct target *t = BPF_CORE_READ(bprm, fdpath) ? target_current() : NULL;

	if (t)
		__sync_fetch_and_or(&t->flags, TARGET_EXECVEAT);
	return 0;
}
