// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * ledger: every thread of the target is in one state at any time; the scheduler's own
 * events move it, and the cause of a block is read from the saved registers as it starts.
 *
 * Hooks: sched_switch, sched_waking, task_newtask (after target's own, which the kernel
 *        calls in the order of attaching); if they are there: contention_begin/end for
 *        kernel_lock, timer expiry for who woke. Cost: see docs/benchmarks.md.
 * Keeps: ledger_threads, cumulative, never reset. A thread's account goes out through
 *        `events` at its last switch, or into ledger_spill when the ring is full.
 *
 * A record is written by whoever holds the thread's runqueue or pi lock (sched_switch,
 * sched_waking). Those two can overlap for one moment, as a switch publishes the new state:
 * it does so last, when seq, which tells the iterator of a write in between, is even again.
 */
#include "../stacks/offcpu.bpf.h"
#include "account.bpf.h"
#include "block.bpf.h"
#include "final.bpf.h"
#include "running.bpf.h"
#include "waker.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ledger_final);
} ledger_scratch SEC(".maps");

/* On-CPU time of the tree: of the stays that ended on this CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} ledger_cpu_ns SEC(".maps");

/* ---- births and ends ---- */

static __always_inline struct ledger_thread *account_draft(__u32 which, const struct target *t)
{
	struct ledger_thread *l = bpf_map_lookup_elem(&ledger_drafts, &which), *blank;

	which = DRAFT_BLANK;
	blank = bpf_map_lookup_elem(&ledger_drafts, &which);
	if (!l || !blank)
		return NULL;
	bpf_probe_read_kernel(l, sizeof(*l), blank);
	l->who = *t;
	/* a thread that we saw born has not run yet: all since its start is waiting to run */
	l->state = STATE_RUNQUEUE;
	l->since_ns = t->flags & TARGET_ATTACHED ? t->born_ns : t->start_ns;
	l->stack.user_from = t->flags & TARGET_ATTACHED ? USER_UNKNOWN : USER_BORN;
	for (int i = 0; i < LEDGER_STATES; i++)
		l->hist[i] = HIST_UNASKED;
	return l;
}

static __always_inline struct ledger_thread *account_open(task_ref task,
							  const struct ledger_thread *draft)
{
	struct ledger_thread *l = task_map_create(&ledger_threads, task, draft);

	if (!l)
		counter_add(COUNTER_LOST_LEDGER);
	return l;
}

SEC_TP("task_newtask")
int BPF_PROG(ledger_newtask, struct task_struct *task)
{
	struct target *t = target_of(task);
	struct ledger_thread *l = t ? account_draft(DRAFT_BIRTH, t) : NULL;

	if (l)
		account_open(task, l);
	return 0;
}

/* ---- the scheduler ---- */

/* The runqueue of the CPU that `task` runs on. */
static __always_inline struct rq *rq_of(struct task_struct *task)
{
	struct cfs_rq *queue = KREAD_KNOWN(task, se.cfs_rq);

	return KREAD_KNOWN(queue, rq);
}

/* The kernel's two clocks of a runqueue; see struct ledger_thread. */
struct clocks {
	__u64 now, task;
};

static __always_inline struct clocks clocks_of(struct rq *rq)
{
	return (struct clocks){ KREAD_KNOWN(rq, clock), KREAD_KNOWN(rq, clock_task) };
}

static __always_inline void clocks_begin(struct ledger_thread *l, struct clocks at)
{
	l->came = at.task;
	l->gap_ns = at.now - at.task;
}

/* A thread that blocks has been charged before its CPU looked for other work (newidle). */
static __always_inline void clocks_end(struct ledger_thread *l, struct clocks at, __u64 charged)
{
	l->clock_ns += charged - l->came;
	l->stolen_ns += at.now - at.task - l->gap_ns;
}

/*
 * Not every event comes: a kernel may keep back those of some threads (seen on 6.18 in a
 * sandbox: none while the sandbox's own agent was current, so neither the switch from it to
 * a target nor a wake by it). What is missing shows at the next event of the target, and
 * the scheduler's own marks say when it was: `mark` is one, by the runqueue's clock. Returns
 * the same in our time, within the present state.
 */
static __always_inline __u64 time_of_mark(__u64 clock, __u64 mark, __u64 since, __u64 now)
{
	__u64 ago = clock - mark;

	return mark && ago < now - since ? now - ago : since;
}

/* Leaves a block that no event has ended: it was until the thread was queued. */
static __always_inline void wake_unseen(struct ledger_thread *l, task_ref task, __u64 clock,
					__u64 now)
{
	__u64 queued = TASK_READ(task, sched_info.last_queued);
	__u64 at = queued ? time_of_mark(clock, queued, l->since_ns, now) : now;

	counter_add(COUNTER_UNSEEN_WAKE);
	object_add(l, at - l->since_ns);
	move(l, l->state, STATE_RUNQUEUE, at);
}

/*
 * A thread leaves its CPU and is not known to have come to it: what passed since it came
 * was on the CPU, what went before is charged as it stands.
 */
__noinline int arrive_unseen(struct ledger_thread *l, __u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct clocks clocks = clocks_of(rq_of(task));
	__u64 at;

	if (!l)
		return 0;
	at = time_of_mark(clocks.now, task->sched_info.last_arrival, l->since_ns, now);
	counter_add(COUNTER_UNSEEN_ARRIVAL);
	object_add(l, at - l->since_ns);
	move(l, l->state, STATE_ON_CPU, at);
	clocks_begin(l, clocks);
	l->came -= now - at;
	stacks_forget(l);
	return 0;
}

/* What move() will charge for the stay that ends, on the CPU where it ends. */
static __always_inline void cpu_time_add(const struct ledger_thread *l, __u64 now)
{
	__u32 zero = 0;
	__u64 *total = bpf_map_lookup_elem(&ledger_cpu_ns, &zero);

	if (total && (__s64)(now - l->since_ns) > 0)
		*total += now - l->since_ns;
}

static __always_inline void switch_out(struct ledger_thread *l, struct task_struct *task,
				       bool preempt, __u64 now)
{
	__u32 ts = task->__state, to;

	stacks_leave(l, task, preempt || ts == TASK_RUNNING, now);
	if (ts & TASK_DEAD) {
		account_close(l, now);
		return;
	}
	if (preempt || ts == TASK_RUNNING) {
		to = STATE_PREEMPTED;
	} else {
		to = ts & TASK_WAKING ? STATE_RUNQUEUE : block_current(l, ts);
		l->voluntary++;
	}
	l->switches++;
	move(l, STATE_ON_CPU, to, now);
}

static __always_inline void switch_in(struct ledger_thread *l, task_ref task, __u64 clock,
				      __u64 now)
{
	__u32 as = l->state;

	/*
	 * Woken while it was on its way off the CPU: sched_waking came before the switch, so
	 * what followed was waiting for a CPU. A wake that came well before was for an
	 * earlier wait.
	 */
	if (as == STATE_ON_CPU) { /* at the attach it was on its way off, and not to be asked why */
		l->state = as = STATE_OTHER;
		if (l->woken_ns > l->since_ns) {
			move(l, STATE_OTHER, STATE_RUNQUEUE, l->woken_ns);
			as = STATE_RUNQUEUE;
		}
	}
	if (as >= STATE_BLOCKED) {
		if (l->woken_ns + RACE_NS < l->since_ns)
			wake_unseen(l, task, clock, now);
		as = STATE_RUNQUEUE;
		l->object = 0;
	}
	move(l, as, STATE_ON_CPU, now);
	stacks_arrive(l, task);
}

/* The last switch of a target that has no account: refused, or not opened in time. */
static __always_inline void end_untold(void)
{
	usage_close();
	counter_add(COUNTER_UNTOLD_END);
	counter_add(COUNTER_THREADS_ENDED);
}

SEC_TP("sched_switch")
int BPF_PROG(ledger_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct ledger_thread *in, *out;
	struct clocks clocks;
	__u64 now;

#ifdef TASK_HASH
	prev = bpf_get_current_task_btf(); /* the same task, typed */
#endif
	if (task_map_any(prev))
		running_forget();
	out = account_of(prev);
	in = account_of(next);
	if (!out) {
		if ((prev->__state & TASK_DEAD) && target_of(prev))
			end_untold();
		barrier(); /* or clang tests both pointers at once, which the verifier forbids */
		if (!in)
			return 0;
	}
	now = bpf_ktime_get_ns();
	clocks = clocks_of(rq_of(prev));
	if (out && !out->ended) {
		if (out->state != STATE_ON_CPU)
			arrive_unseen(out, now);
		cpu_time_add(out, now);
		clocks_end(out, clocks, prev->se.exec_start);
		switch_out(out, prev, preempt, now);
	}
	if (in) {
		clocks_begin(in, clocks);
		switch_in(in, next, clocks.now, now);
	}
	return 0;
}

SEC_TP("sched_waking")
int BPF_PROG(ledger_waking, struct task_struct *task)
{
	struct ledger_thread *l = account_of(task);
	__u32 state;
	__u64 now, ns;

	if (!l)
		return 0;
	state = l->state;
	if (state == STATE_ON_CPU) {
		l->woken_ns = bpf_ktime_get_ns();
		return 0;
	}
	if (state < STATE_BLOCKED)
		return 0;
	now = bpf_ktime_get_ns();
	ns = move(l, state, STATE_RUNQUEUE, now);
	object_add(l, ns);
	waker_add(l, state, ns);
	stacks_woken(ctx, l);
	return 0;
}

/* ---- kernel locks: set while the thread waits for one, so that a block knows ---- */

SEC_TP("contention_begin")
int BPF_PROG(ledger_lock_begin, void *lock, unsigned int flags)
{
	struct ledger_thread *l;

	/* A spinning lock does not block; a mutex that spins first may. */
	if ((flags & LCB_F_SPIN) && !(flags & LCB_F_MUTEX))
		return 0;
	l = account_of(bpf_get_current_task_btf());
	if (l)
		l->lock = (__u64)lock;
	return 0;
}

SEC_TP("contention_end")
int BPF_PROG(ledger_lock_end, void *lock)
{
	struct ledger_thread *l = account_of(bpf_get_current_task_btf());

	if (l && l->lock == (__u64)lock)
		l->lock = 0;
	return 0;
}

/* ---- timers: a wake inside a timer's callback is the timer's ---- */

static __always_inline void in_timer(__s32 change)
{
	__u32 zero = 0, *n = bpf_map_lookup_elem(&ledger_in_timer, &zero);

	if (n && (change > 0 || *n))
		*n += change;
}

SEC_TP("hrtimer_expire_entry")
int BPF_PROG(ledger_hrtimer_begin)
{
	in_timer(1);
	return 0;
}

SEC_TP("hrtimer_expire_exit")
int BPF_PROG(ledger_hrtimer_end)
{
	in_timer(-1);
	return 0;
}

SEC_TP("timer_expire_entry")
int BPF_PROG(ledger_timer_begin)
{
	in_timer(1);
	return 0;
}

SEC_TP("timer_expire_exit")
int BPF_PROG(ledger_timer_end)
{
	in_timer(-1);
	return 0;
}

/* ---- iterators, run by dwell ---- */

/*
 * A thread that runs may have switched between the reading of what the kernel had counted and
 * the opening of its account: then that switch is not one of the account's. The kernel counts
 * a moment before our hook does, so of the switch that is under way this may be off by one.
 */
static __always_inline void settle_base(struct ledger_thread *l, struct task_struct *task)
{
	__u64 base = task->nvcsw + task->nivcsw - l->switches;

	if (base == l->base_switches)
		return;
	l->who.flags |= TARGET_RUNNING;
	l->base_switches = base;
	if (!l->switches)
		l->base_exec_ns = task->se.sum_exec_runtime;
}

/* Opens the account of a thread that target_seed took in. */
SEC("iter/task")
int ledger_seed(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct ledger_thread *l;
	struct target *t;
	__u32 ts;

	if (!task)
		return 0;
	t = target_of(task);
	if (!t || !(t->flags & TARGET_ATTACHED) || account_of(task))
		return 0;
	if ((task->__state & TASK_DEAD) && !task->on_cpu)
		return 0; /* past its last switch */
	l = account_draft(DRAFT_SEED, t);
	if (!l)
		return 0;
	l->base_exec_ns = task->se.sum_exec_runtime;
	l->base_switches = task->nvcsw + task->nivcsw;
	l->base_utime_ns = task->utime;
	l->base_stime_ns = task->stime;
	ts = task->__state;
	if (task->on_cpu) {
		l->who.flags |= TARGET_RUNNING;
		l->state = STATE_ON_CPU;
		clocks_begin(l, clocks_of(rq_of(task)));
		l->came = task->se.exec_start; /* base_exec_ns goes up to there */
	} else if (ts != TASK_RUNNING && !(ts & TASK_WAKING)) {
		l->state = block_task(l, task, ts);
	}
	stacks_seed(l, task);
	l = account_open(task, l);
	if (l)
		settle_base(l, task);
	return 0;
}

struct copying {
	struct ledger_final *to;
	struct ledger_thread *from;
	__u32 done;
};

/* Copies the account unless it is being written, or was while it was copied. */
static long copy_steady(__u32 i, struct copying *c)
{
	struct ledger_thread *l = c->from;
	__u32 seq = *(volatile __u32 *)&l->seq;

	if (seq & 1)
		return 0;
	barrier();
	c->to->now_ns = bpf_ktime_get_ns();
	bpf_probe_read_kernel(&c->to->thread, sizeof(c->to->thread), l);
	barrier();
	c->done = seq == *(volatile __u32 *)&l->seq;
	return c->done;
}

#define COPY_TRIES 10000 /* a writer takes less than a microsecond; an emulated one milliseconds */

/* What the kernel itself counted for the thread. */
static __always_inline void fill_final(struct ledger_final *f, struct ledger_thread *l,
				       struct task_struct *task)
{
	f->head.kind = EVENT_LEDGER_FINAL;
	f->head.flags = 0;
	f->head.who = f->thread.who;
	f->exec_ns = task->se.sum_exec_runtime - l->base_exec_ns;
	f->kernel_switches = task->nvcsw + task->nivcsw - l->base_switches;
	f->utime_ns = task->utime;
	f->stime_ns = task->stime;
	f->cpu = task->thread_info.cpu;
	bpf_probe_read_kernel(f->comm, sizeof(f->comm), &task->comm);
}

/* Writes each living thread's account as a struct ledger_final. */
SEC("iter/task")
int ledger_live(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct copying copying = {};
	struct ledger_thread *l;
	struct ledger_final *f;
	struct target *t;
	__u32 zero = 0;

	if (!task)
		return 0;
	l = account_of(task);
	if (!l || l->ended)
		return 0;
	f = bpf_map_lookup_elem(&ledger_scratch, &zero);
	if (!f)
		return 0;
	copying.to = f;
	copying.from = l;
	bpf_loop(COPY_TRIES, copy_steady, &copying, 0);
	if (!copying.done) { /* this thread's all the same, and not what was copied last */
		counter_add(COUNTER_TORN);
		f->now_ns = bpf_ktime_get_ns();
		bpf_probe_read_kernel(&f->thread, sizeof(f->thread), l);
	}
	t = target_of(task);
	if (t)
		f->thread.who.tid = t->tid; /* an exec may have changed it */
	fill_final(f, l, task);
	f->alive = 1;
	bpf_seq_write(ctx->meta->seq, f, sizeof(*f));
	return 0;
}
