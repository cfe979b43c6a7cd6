// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * target: who is followed. A thread is ours when its creator is, decided in the kernel at
 * its birth, so that fork, vfork, clone3, threads, daemons and new namespaces need no
 * case of their own.
 *
 * Hooks: task_newtask, sched_process_exec, sched_process_exit; with TASK_HASH also
 *        sched_process_free. Cost to a thread that is not ours: one lookup each.
 * Keeps: targets (task -> struct target), slots (slot.h). Tells births, execs and exits through events.
 */
#include "target.bpf.h"
#include "pid.bpf.h"
#include "usage.bpf.h"

/*
 * Processes to take in at attach, by PID as dwell sees it; the value is who it is, once the
 * first thread is known: the leader may come last, or have ended.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct slot_owner);
} seed_pids SEC(".maps");

static __always_inline __u32 ppid_seen(task_ref task)
{
	return pid_seen((__u64)BPF_CORE_READ(task, real_parent, group_leader, thread_pid));
}

static __always_inline void tell_birth(const struct target *t, task_ref task,
				       const struct target *parent)
{
	struct birth_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		counter_add(COUNTER_LOST_BIRTH);
		return;
	}
	e->head = (struct event_head){ .kind = EVENT_BIRTH, .who = *t };
	e->parent_proc_id = parent ? parent->proc_id : 0;
	e->ppid = parent ? parent->pid : ppid_seen(task);
	bpf_probe_read_kernel(e->comm, sizeof(e->comm), &task->comm);
	event_submit(e);
}

/* Makes `task` a target with the identity `init`; ids are given here. */
static __always_inline struct target *adopt(task_ref task, struct target *init,
					    const struct target *parent)
{
	struct target *t;

	init->thread_id = counter_add(COUNTER_NEXT_THREAD_ID) + 1;
	t = task_map_create(&targets, task, init);
	if (!t) {
		counter_add(COUNTER_LOST_TARGET);
		return NULL;
	}
	if (!init->proc_id) {
		init->proc_id = counter_add(COUNTER_NEXT_PROC_ID) + 1;
		slot_open(init);
		counter_add(COUNTER_PROCESSES_BORN);
	}
	/* a thread that is found at the attach may run: who has no number is nobody's yet */
	t->slot = init->slot;
	barrier();
	t->proc_id = init->proc_id;
	counter_add(COUNTER_THREADS_BORN);
	tell_birth(init, task, parent);
	return t;
}

/* Is the current thread dwell's own, about to fork the command? Its next child is the root. */
static __always_inline bool take_launcher(void)
{
	__u32 zero = 0;
	struct control *c = bpf_map_lookup_elem(&control, &zero);

	if (!c || !c->launcher_tid || tid_seen(bpf_get_current_task_btf()) != c->launcher_tid)
		return false;
	c->launcher_tid = 0;
	return true;
}

SEC_TP("task_newtask")
int BPF_PROG(target_newtask, struct task_struct *task, __u64 clone_flags)
{
	struct target *parent = target_current();
	struct target init = {};

	if (parent && cfg.exclude_children && !(clone_flags & CLONE_THREAD))
		return 0;
	if (!parent && take_launcher())
		init.flags = TARGET_ROOT | TARGET_PREEXEC;
	else if (!parent && !cfg.all)
		return 0;
	if (!parent && cfg.all && (TASK_READ(task, flags) & PF_KTHREAD))
		return 0;
	if (!parent && (clone_flags & CLONE_THREAD)) /* target_seed takes it in, with its process */
		return 0;
	if (parent && (clone_flags & CLONE_THREAD)) {
		init.proc_id = parent->proc_id;
		init.slot = parent->slot;
		init.flags = parent->flags;
		init.flags &= TARGET_ROOT | TARGET_PREEXEC;
	}
	init.flags |= TARGET_NEWBORN;
	init.born_ns = bpf_ktime_get_ns();
	init.start_ns = TASK_READ(task, start_time);
	init.proc_start_ns = BPF_CORE_READ(task, group_leader, start_time);
	init.tid = tid_seen(task);
	init.pid = tgid_seen(task);
	if (cfg.all && init.pid == cfg.self_tgid)
		return 0;
	adopt(task, &init, parent);
	return 0;
}

/* current == task. exec from a thread that is not the leader takes over the leader's PID. */
SEC_TP("sched_process_exec")
int BPF_PROG(target_exec, struct task_struct *task)
{
	struct target *t = target_current();
	struct exec_event *e;
	__u32 old_tid;

	if (!t)
		return 0;
	old_tid = t->tid;
	t->tid = tid_seen(bpf_get_current_task_btf());
	t->flags &= ~TARGET_PREEXEC;
	counter_add(COUNTER_EXECS);
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		counter_add(COUNTER_LOST_EXEC);
		return 0;
	}
	e->head = (struct event_head){ .kind = EVENT_EXEC, .who = *t };
	e->now_ns = bpf_ktime_get_ns();
	e->old_tid = old_tid;
	e->pad = 0;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	event_submit(e);
	return 0;
}

/*
 * do_exit() takes a thread off signal->live before it comes here, so of threads that end at
 * once several may find none left: the first one counts, marked at the leader, whose task
 * stays as long as any thread's does.
 */
static __always_inline bool ends_process(struct task_struct *task)
{
	struct target *leader = target_of(task->group_leader);

	return !leader || !(__sync_fetch_and_or(&leader->flags, TARGET_ENDED) & TARGET_ENDED);
}

SEC_TP("sched_process_exit")
int BPF_PROG(target_exit, struct task_struct *unused)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_current();
	struct exit_event *e;
	__u64 ended = 1;
	bool last;

	if (!t)
		return 0;
	counter_add(COUNTER_THREADS_EXITED);
	/* task->signal by helper: a plain load takes the verifier a millisecond (kread.bpf.h) */
	last = BPF_CORE_READ(task, signal, live.counter) == 0;
	if (last && ends_process(task))
		ended = counter_add(COUNTER_PROCESSES_ENDED) % slots_cfg.wake;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		counter_add(COUNTER_LOST_EXIT);
		return 0;
	}
	e->head = (struct event_head){ .kind = EVENT_EXIT, .who = *t };
	e->now_ns = bpf_ktime_get_ns();
	e->utime_ns = task->utime;
	e->stime_ns = task->stime;
	e->min_flt = task->min_flt;
	e->maj_flt = task->maj_flt;
	e->read_bytes = task->ioac.read_bytes;
	e->write_bytes = task->ioac.write_bytes;
	e->rchar = task->ioac.rchar;
	e->wchar = task->ioac.wchar;
	e->group_exit = !!(BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT);
	e->exit_code = task->exit_code;
	if (e->group_exit)
		e->exit_code = BPF_CORE_READ(task, signal, group_exit_code);
	e->group_dead = last;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	/* processes that begin need the slots of those that have ended */
	bpf_ringbuf_submit(e, ended ? event_wake_flags() : BPF_RB_FORCE_WAKEUP);
	return 0;
}

#ifdef TASK_HASH
SEC_TP("sched_process_free")
int BPF_PROG(target_free, struct task_struct *task)
{
	task_map_delete(&targets, task);
	return 0;
}
#endif

/*
 * Takes in living threads whose process stands in seed_pids (or all). Run by dwell after
 * the hooks above are in place, until a pass finds no new one, so none slips between.
 */
SEC("iter/task")
int target_seed(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct target init = { .flags = TARGET_ATTACHED | TARGET_NEWBORN };
	struct slot_owner blank = {}, *who;
	struct target *t;

	if (!task || (task->flags & (PF_KTHREAD | PF_EXITING)))
		return 0;
	if (target_of(task))
		return 0;
	init.pid = tgid_seen(task);
	if (init.pid == cfg.self_tgid)
		return 0;
	if (cfg.all &&
	    !init.pid) /* outside our PID namespace: there is nothing to tell them apart by */
		return 0;
	if (cfg.all)
		bpf_map_update_elem(&seed_pids, &init.pid, &blank, BPF_NOEXIST);
	who = bpf_map_lookup_elem(&seed_pids, &init.pid);
	if (!who && cfg.all)
		counter_add(COUNTER_LOST_TARGET);
	if (!who)
		return 0;
	init.proc_id = who->proc_id;
	init.slot = who->slot;
	init.born_ns = bpf_ktime_get_ns();
	init.start_ns = task->start_time;
	init.proc_start_ns = BPF_CORE_READ(task, group_leader, start_time);
	init.tid = tid_seen(task);
	t = adopt(task, &init, NULL);
	*who = slot_owner(&init);
	if (t)
		usage_charge(t, task, -1); /* what it used before */
	return 0;
}

/* Writes what each living thread has used, as a struct usage_live. */
SEC("iter/task")
int target_usage(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct usage_live row = {};
	struct target *t;

	if (!task)
		return 0;
	t = target_of(task);
	if (!t || (t->flags & TARGET_CLOSED))
		return 0;
	row.proc_id = t->proc_id;
	row.slot = t->slot;
	usage_read(&row.usage, task);
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}
