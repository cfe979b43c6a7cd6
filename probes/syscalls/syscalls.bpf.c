// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * syscalls: how often each thread made each system call, and what errors came back.
 *
 * Hooks: sys_exit; sched_process_exit and _exec; io_uring_submit_req (6.3) or _sqe; with
 *        --syscall-latency and the like also sys_enter. Cost: a call of a target one task
 *        lookup and an increment, of a thread without any storage one load.
 * Keeps: syscalls_threads (task -> counts), syscalls_rare, syscalls_spill; see syscalls.h.
 *
 * Counted is what returns, as a tracer counts: not exit and exit_group, nor the child's
 * return from its own fork. Limits: execveat without a directory is seen as execve; the
 * 32-bit sigreturn is seen as rt_sigreturn.
 */
#include "../stacks/offcpu.bpf.h"
#include "count.bpf.h"
#include "final.bpf.h"
#include "roles.bpf.h"
#include "syscalls.h"
#include "target.bpf.h"
#include "uring.bpf.h"

#define X32_BIT 0x40000000U /* __X32_SYSCALL_BIT */
#define I386_RT_SIGRETURN 173
#define I386_FORK 2
#define I386_CLONE 120
#define I386_VFORK 190
#define ENOSYS 38

TASK_MAP(syscalls_threads, struct syscalls_thread);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CALL_SLOTS);
	__type(key, __u32);
	__type(value, struct call_time);
} syscalls_times SEC(".maps");

static const struct syscalls_thread no_calls SEC(".rodata.fixed");

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

/* How long the call took; 0: nobody saw it begin. */
static __always_inline __u64 call_time(struct syscalls_thread *c)
{
	__u64 enter = c->enter_ns;

	if (!enter)
		return 0;
	c->enter_ns = 0;
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
static __always_inline void call_share(const struct syscalls_thread *c, __u32 roles, __u32 slot,
				       __s64 ret, __u64 ns, struct pt_regs *regs)
{
	struct call_done done = {
		.who = { c->slot, c->proc_id },
		.ret = ret,
		.ns = ns,
		.nr = slot_call(slot),
		.tid = c->tid,
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

/*
 * A target's record. That of the root is not made before its first exec, as what it calls
 * until then is dwell's own code; so who has one is counted.
 */
static __always_inline struct syscalls_thread *record_of(struct task_struct *task)
{
	struct syscalls_thread *c = task_map_get(&syscalls_threads, task);

#ifdef TASK_HASH
	struct target *t = c ? target_of(task) : NULL;

	if (!t || c->thread_id != t->thread_id) /* of a dead task that had this address before */
		return NULL;
#endif
	return c;
}

static __always_inline struct syscalls_thread *record_open(struct task_struct *task,
							   const struct target *t)
{
	struct syscalls_thread *c = task_map_create(&syscalls_threads, task, &no_calls);

	if (c) {
		c->proc_id = t->proc_id;
		c->thread_id = t->thread_id;
		c->slot = t->slot;
		c->tid = t->tid;
	}
	return c;
}

/*
 * All that is not the common case: a native call with a slot, of a thread with a record.
 * Returns whether other probes may have a role in it.
 */
static __noinline int count_slow(__u64 nr, __s64 ret)
{
	struct call called = { .nr = nr, .ret = ret }, *call = &called;
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_of(task);
	struct syscalls_thread *c;
	__u32 slot;

	if (!t || (t->flags & TARGET_PREEXEC))
		return 0;
	call_resolve(call, task);
	call->proc_id = t->proc_id;
	c = record_of(task);
	if (!c) {
		if (is_born(call))
			return 0;
		c = record_open(task, t);
		if (!c) {
			count_unrecorded(call);
			return 0;
		}
	}
	slot = call_slot(call->nr);
	if (call->abi != ABI_NATIVE || slot >= CALL_SLOTS) {
		c->enter_ns = 0;
		count_rare(call);
		return 0;
	}
	if (syscalls_cfg.latency)
		count_time(slot, call_time(c));
	if (++c->counts[slot] <= 1)
		count_first(c, slot, call->proc_id);
	if (failed(call->ret))
		count_error(c, slot, -call->ret, call->proc_id);
	return call->nr == nr;
}

static __always_inline int count_call(__u64 nr, __s64 ret, struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct syscalls_thread *c = record_of(task);
	__u32 slot = call_slot(nr), roles;
	__u64 ns = 0;

	stacks_call_returns(task);
	if (!c || slot >= CALL_SLOTS || (task->thread_info.status & TS_COMPAT)) {
		if ((!c && !task_map_any(task)) || !count_slow(nr, ret))
			return 0;
		c = record_of(task);
		if (!c || slot >= CALL_SLOTS)
			return 0;
	} else {
		if (nr == __NR_execve && c->execveat) {
			c->execveat = 0;
			slot = __NR_execveat;
		}
		ns = syscalls_cfg.latency | syscalls_cfg.timed ? call_time(c) : 0;
		if (syscalls_cfg.latency)
			count_time(slot, ns);
		if (++c->counts[slot] <= 1)
			count_first(c, slot, c->proc_id);
		if (failed(ret))
			count_error(c, slot, -ret, c->proc_id);
	}
	roles = call_role(slot);
	if (roles)
		call_share(c, roles, slot, ret, ns, regs);
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

static __always_inline int note_enter(__u64 nr)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct syscalls_thread *c;
	struct target *t;

	if (!syscalls_cfg.latency && !(call_role(call_slot(nr)) & syscalls_cfg.timed))
		return 0;
	c = record_of(task);
	if (!c && task_map_any(task)) {
		t = target_of(task);
		if (t && !(t->flags & TARGET_PREEXEC))
			c = record_open(task, t);
	}
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

/* exec has set orig_ax to execve; only the name made for a descriptor tells execveat. */
SEC_TP("sched_process_exec")
int BPF_PROG(syscalls_exec, struct task_struct *unused, int old_pid, struct linux_binprm *bprm)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct syscalls_thread *c;

	if (!BPF_CORE_READ(bprm, fdpath) || !target_of(task))
		return 0;
	c = record_of(task);
	if (c)
		c->execveat = 1;
	return 0;
}

/* ---- the end of a thread, and what lives ---- */

static __always_inline int end_thread(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_of(task);
	struct syscalls_thread *c;
	__u32 flags;
	bool sent;

	if (!t)
		return 0;
	c = record_of(task);
	if (!c || c->done)
		return 0;
	c->done = 1;
	flags = BPF_CORE_READ(task, signal, live.counter) ? 0 : FINAL_GROUP_DEAD;
	if (c->nused <= CALLS_USED && c->nerrors <= CALL_ERRORS_SHORT)
		sent = send_short(t, c, flags);
	else
		sent = send_whole(t, c, flags);
	if (!sent)
		spill_thread(c, t->thread_id, t->proc_id);
	task_map_delete(&syscalls_threads, task);
	return 0;
}

SEC_TP("sched_process_exit")
int BPF_PROG(syscalls_end)
{
	return end_thread();
}

SEC("tracepoint/sched/sched_process_exit")
int syscalls_end_tp(void *ctx)
{
	return end_thread();
}

SEC("iter/task")
int syscalls_live(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;
	struct syscalls_thread *c;
	struct target *t;
	__u32 id[2];

	if (!task)
		return 0;
	t = target_of(task);
	if (!t)
		return 0;
	c = record_of(task);
	if (!c || c->done)
		return 0;
	c->shown = 1;
	id[0] = t->proc_id;
	id[1] = t->thread_id;
	bpf_seq_write(seq, id, sizeof(id));
	bpf_seq_write(seq, c, sizeof(*c));
	return 0;
}
