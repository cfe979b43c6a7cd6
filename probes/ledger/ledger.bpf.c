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
 * sched_waking), so writers never meet; seq tells the iterator of a write in between.
 */
#include "target.bpf.h"
#include "hist.h"
#include "irq.bpf.h"
#include "cause.h"
#include "ledger.h"
#include "object.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct cause_table causes SEC(".rodata.causes");
const volatile __u32 hist_blocks SEC(".rodata.hist") = LEDGER_STATES;

TASK_MAP(ledger_threads, struct ledger_thread);

struct hist_block {
	__u32 buckets[HIST_BUCKETS];
};

/* Blocks 0 to LEDGER_STATES-1 are shared by all threads that got none of their own. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LEDGER_STATES);
	__type(key, __u32);
	__type(value, struct hist_block);
} ledger_hists SEC(".maps");

/* Blocks that user space has emptied and handed back. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8192);
	__type(value, __u32);
} ledger_free_hists SEC(".maps");

/* Blocks of spilled threads: state << 24 | index. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8192);
	__type(value, __u32);
} ledger_spilled_hists SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct object_key);
	__type(value, struct ledger_stat);
} ledger_objects SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct waker_key);
	__type(value, struct waker_sum);
} ledger_wakers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct waker_name);
} ledger_waker_names SEC(".maps");

/* What no longer fitted its table, by state: shown as `other`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LEDGER_STATES);
	__type(key, __u32);
	__type(value, struct ledger_other);
} ledger_others SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ledger_spill);
} ledger_spill SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ledger_final);
} ledger_scratch SEC(".maps");

/* How many timer callbacks run on this CPU (a hard one may interrupt a soft one). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} ledger_in_timer SEC(".maps");

#ifdef TASK_HASH
struct { /* never written: what a new account starts from */
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ledger_thread);
} ledger_blank SEC(".maps");
#endif

static __always_inline struct ledger_thread *account_of(task_ref task)
{
	struct ledger_thread *l = task_map_get(&ledger_threads, task);

	return l && is_same_task(task, &l->who) ? l : NULL;
}

/* ---- histograms ---- */

/* Functions that are not static are checked once by the verifier, not at each call. */
__noinline int hist_take(void)
{
	__u32 block;

	if (!bpf_map_pop_elem(&ledger_free_hists, &block))
		return block;
	block = LEDGER_STATES + counter_add(COUNTER_NEXT_HIST);
	if (block < hist_blocks)
		return block;
	counter_add(COUNTER_SHARED_HIST);
	return HIST_NONE;
}

static __always_inline void hist_add(struct ledger_thread *l, __u32 state, __u64 ns)
{
	__u32 block = l->hist[state], bucket = hist_bucket(ns) & (HIST_BUCKETS - 1);
	struct hist_block *h;

	if (block == HIST_UNASKED)
		block = l->hist[state] = hist_take();
	if (block == HIST_NONE)
		block = state;
	h = bpf_map_lookup_elem(&ledger_hists, &block);
	if (!h)
		return;
	if (block < LEDGER_STATES)
		__sync_fetch_and_add(&h->buckets[bucket], 1);
	else
		h->buckets[bucket]++;
}

/* ---- the state machine ---- */

static __always_inline void stat_add(struct ledger_stat *s, __u64 ns)
{
	s->ns += ns;
	s->count++;
	if (ns > s->max_ns)
		s->max_ns = ns;
	if (ns < s->min_ns || s->count == 1)
		s->min_ns = ns;
}

/* Ends the present state, charging it as `as`, and enters `to`. Returns what it lasted. */
static __always_inline __u64 move(struct ledger_thread *l, __u32 as, __u32 to, __u64 now)
{
	__u64 ns = now - l->since_ns;

	if ((__s64)ns < 0) { /* another CPU's clock was read a moment later */
		ns = 0;
		now = l->since_ns;
	}
	if (as >= LEDGER_STATES)
		return 0;
	l->seq++;
	barrier();
	stat_add(&l->states[as], ns);
	hist_add(l, as, ns);
	l->since_ns = now;
	barrier();
	l->state = to;
	l->seq++;
	return ns;
}

/* ---- objects ---- */

__noinline int object_flush(struct object_stat *o)
{
	struct ledger_stat *s, zero = {};
	struct ledger_other *other;
	struct object_key key; /* before 6.2 a map's key must be on the stack */
	__u32 state;

	if (!o || !o->stat.count)
		return 0;
	key = o->key;
	s = bpf_map_lookup_elem(&ledger_objects, &key);
	if (!s) {
		bpf_map_update_elem(&ledger_objects, &key, &zero, BPF_NOEXIST);
		s = bpf_map_lookup_elem(&ledger_objects, &key);
	}
	if (!s) {
		counter_add(COUNTER_OTHER_OBJECT);
		state = o->key.state;
		other = bpf_map_lookup_elem(&ledger_others, &state);
		if (!other)
			return 0;
		s = &other->objects;
	}
	__sync_fetch_and_add(&s->ns, o->stat.ns);
	__sync_fetch_and_add(&s->count, o->stat.count);
	if (o->stat.max_ns > s->max_ns)
		s->max_ns = o->stat.max_ns;
	return 0;
}

static __always_inline bool object_is(const struct object_stat *o, const struct object_key *key)
{
	return o->key.a == key->a && o->key.b == key->b && o->key.kind == key->kind &&
	       o->key.state == key->state;
}

/* The slot (+ 1) of the object that this block is on, making room for it if it is new. */
static __always_inline __u32 object_slot(struct ledger_thread *l, struct object_key *key,
					 struct file *file)
{
	__u32 victim;

	for (__u32 i = 0; i < LEDGER_OBJECTS; i++)
		if (object_is(&l->objects[i], key))
			return i + 1;
	victim = l->victim++ & (LEDGER_OBJECTS - 1);
	object_flush(&l->objects[victim]);
	l->seq++;
	key->proc_id = l->who.proc_id;
	l->objects[victim].key = *key;
	__builtin_memset(&l->objects[victim].stat, 0, sizeof(struct ledger_stat));
	l->seq++;
	if (file && key->kind != OBJECT_PIPE)
		object_named(key, (__u64)file);
	return victim + 1;
}

static __always_inline void object_add(struct ledger_thread *l, __u64 ns)
{
	__u32 slot = l->object;

	if (!slot)
		return;
	stat_add(&l->objects[(slot - 1) & (LEDGER_OBJECTS - 1)].stat, ns);
	l->object = 0;
}

/* ---- causes ---- */

static __always_inline __u32 call_cause(struct task_struct *task, struct object_key *key,
					struct file **file, bool iowait)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	long nr = regs->orig_ax;
	__u32 index = nr & (CAUSE_CALLS - 1), state, where;
	bool compat = task->thread_info.status & TS_COMPAT;

	if (nr < 0) /* no call: an exception, which blocks to bring in a page */
		return task->flags & PF_EXITING ? STATE_OTHER : STATE_PAGE_FAULT;
	state = compat ? causes.compat[index].state : causes.native[index].state;
	where = compat ? causes.compat[index].where : causes.native[index].where;
	if (where == WHERE_FUTEX) {
		key->a = compat ? (__u32)regs->bx : regs->di;
		key->kind = OBJECT_FUTEX;
	} else if (where == WHERE_FD0) {
		*file = file_of_fd(task, compat ? regs->bx : regs->di);
		if (*file)
			state = file_cause(*file, state, key);
	}
	if (state == CAUSE_BY_FILE) /* the descriptor was closed meanwhile */
		state = STATE_OTHER;
	if (iowait && state != STATE_IO_URING) {
		if (key->kind != OBJECT_FILE)
			key->kind = OBJECT_NONE;
		return STATE_DISK;
	}
	return state;
}

/* Why does `task` block? Fills the object's key and, where it has one, its file. */
static __always_inline __u32 cause_of(struct ledger_thread *l, struct task_struct *task, __u32 ts,
				      struct object_key *key, struct file **file)
{
	bool iowait = BPF_CORE_READ_BITFIELD(task, in_iowait);

	if ((ts & (TASK_STOPPED | TASK_TRACED | TASK_FROZEN)) ||
	    (task->jobctl & JOBCTL_TRAP_FREEZE))
		return STATE_STOPPED;
	if (l->lock) {
		key->a = l->lock;
		key->kind = OBJECT_KLOCK;
		return STATE_KERNEL_LOCK;
	}
	if (task->flags & PF_IO_WORKER)
		return iowait ? STATE_DISK : STATE_IO_URING;
	return call_cause(task, key, file, iowait);
}

static __always_inline __u32 block_task(struct ledger_thread *l, struct task_struct *task, __u32 ts)
{
	struct object_key key = {};
	struct file *file = NULL;
	__u32 state = cause_of(l, task, ts, &key, &file);

	if (key.kind != OBJECT_NONE) {
		key.state = state;
		l->object = object_slot(l, &key, file);
	}
	return state;
}

/* At a switch the thread that leaves is still current. */
__noinline int block_current(struct ledger_thread *l, __u32 ts)
{
	return l ? block_task(l, bpf_get_current_task_btf(), ts) : STATE_OTHER;
}

/* ---- births and ends ---- */

static __always_inline struct ledger_thread *account_open(task_ref task, struct target *t)
{
	struct ledger_thread *l;
#ifdef TASK_HASH
	__u32 zero = 0;
	struct ledger_thread *blank = bpf_map_lookup_elem(&ledger_blank, &zero);

	if (!blank)
		return NULL;
	l = task_map_create(&ledger_threads, task, blank);
#else
	l = task_map_create(&ledger_threads, task, NULL);
#endif
	if (!l) {
		counter_add(COUNTER_LOST_LEDGER);
		return NULL;
	}
	l->who = *t;
	/* a thread that we saw born has not run yet: all since its start is waiting to run */
	l->since_ns = t->flags & TARGET_ATTACHED ? t->born_ns : t->start_ns;
	for (int i = 0; i < LEDGER_STATES; i++)
		l->hist[i] = HIST_UNASKED;
	return l;
}

SEC_TP("task_newtask")
int BPF_PROG(ledger_newtask, struct task_struct *task)
{
	struct target *t = target_of(task);
	struct ledger_thread *l;

	if (!t)
		return 0;
	l = account_open(task, t);
	if (l)
		l->state = STATE_RUNQUEUE;
	return 0;
}

struct spilling {
	struct ledger_thread *from;
	struct ledger_spill *to;
};

static long spill_state(__u32 i, struct spilling *p)
{
	struct ledger_thread *l = p->from;
	struct ledger_spill *s = p->to;
	__u32 tag;

	if (i >= LEDGER_STATES)
		return 1;
	tag = l->hist[i];
	__sync_fetch_and_add(&s->states[i].ns, l->states[i].ns);
	__sync_fetch_and_add(&s->states[i].count, l->states[i].count);
	if (l->states[i].max_ns > s->states[i].max_ns)
		s->states[i].max_ns = l->states[i].max_ns;
	if (tag >= HIST_UNASKED)
		return 0;
	tag |= i << 24;
	if (bpf_map_push_elem(&ledger_spilled_hists, &tag, 0))
		counter_add(COUNTER_LOST_HIST);
	return 0;
}

__noinline int spill(struct ledger_thread *l, __u64 now)
{
	struct spilling spilling = { .from = l };
	struct ledger_spill *s;
	__u32 zero = 0;

	counter_add(COUNTER_SPILLED_FINAL);
	s = bpf_map_lookup_elem(&ledger_spill, &zero);
	if (!s || !l)
		return 0;
	__sync_fetch_and_add(&s->threads, 1);
	__sync_fetch_and_add(
		&s->lifetime_ns,
		now - ((l->who.flags & TARGET_ATTACHED) ? l->who.born_ns : l->who.start_ns));
	__sync_fetch_and_add(&s->switches, l->switches);
	__sync_fetch_and_add(&s->voluntary, l->voluntary);
	spilling.to = s;
	bpf_loop(LEDGER_STATES, spill_state, &spilling, 0);
	for (int i = 0; i < LEDGER_OBJECTS; i++)
		object_flush(&l->objects[i]);
	return 0;
}

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
	f->pad = 0;
	bpf_probe_read_kernel(f->comm, sizeof(f->comm), &task->comm);
}

#define PACK_ROOM 2048 /* a power of two above LEDGER_PACKED_MAX */

struct pack_buffer {
	char bytes[PACK_ROOM + 64];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pack_buffer);
} ledger_pack SEC(".maps");

#define PACK_AT(buffer, type, at) ((type *)((buffer)->bytes + ((at) & (PACK_ROOM - 1))))

struct packing {
	struct pack_buffer *buffer;
	struct ledger_thread *from;
	__u32 at;
	__u32 states, objects, wakers;
};

static long pack_state(__u32 i, struct packing *p)
{
	struct packed_state *to = PACK_AT(p->buffer, struct packed_state, p->at);
	struct ledger_thread *l = p->from;

	if (i >= LEDGER_STATES || !l->states[i].count)
		return 0;
	to->state = i;
	to->hist = l->hist[i];
	to->stat = l->states[i];
	p->states++;
	p->at += sizeof(*to);
	return 0;
}

static long pack_object(__u32 i, struct packing *p)
{
	struct ledger_thread *l = p->from;

	if (i >= LEDGER_OBJECTS || !l->objects[i].stat.count)
		return 0;
	*PACK_AT(p->buffer, struct object_stat, p->at) = l->objects[i];
	p->objects++;
	p->at += sizeof(struct object_stat);
	return 0;
}

static long pack_waker(__u32 i, struct packing *p)
{
	struct ledger_thread *l = p->from;

	if (i >= LEDGER_WAKERS || !l->wakers[i].count)
		return 0;
	*PACK_AT(p->buffer, struct waker_stat, p->at) = l->wakers[i];
	p->wakers++;
	p->at += sizeof(struct waker_stat);
	return 0;
}

/* What was used of an account, behind the header. Returns the size. */
static __always_inline __u32 pack_used(struct pack_buffer *b, struct ledger_thread *l)
{
	struct packing p = { .buffer = b, .from = l, .at = sizeof(struct ledger_packed) };
	struct ledger_packed *head = (void *)b->bytes;

	bpf_loop(LEDGER_STATES, pack_state, &p, 0);
	bpf_loop(LEDGER_OBJECTS, pack_object, &p, 0);
	bpf_loop(LEDGER_WAKERS, pack_waker, &p, 0);
	head->nstates = p.states;
	head->nobjects = p.objects;
	head->nwakers = p.wakers;
	head->pad = 0;
	return p.at;
}

/* Writes the account of the current thread into the ring; -1 when it is full. */
__noinline int account_send(struct ledger_thread *l, __u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ledger_packed *head;
	struct pack_buffer *b;
	__u32 zero = 0, size;

	b = bpf_map_lookup_elem(&ledger_pack, &zero);
	if (!b || !l)
		return -1;
	head = (void *)b->bytes;
	head->head = (struct event_head){ .kind = EVENT_LEDGER_FINAL, .who = l->who };
	head->now_ns = now;
	head->exec_ns = task->se.sum_exec_runtime - l->base_exec_ns;
	head->kernel_switches = task->nvcsw + task->nivcsw - l->base_switches;
	head->utime_ns = task->utime;
	head->stime_ns = task->stime;
	head->since_ns = l->since_ns;
	head->idle_wake_ns = l->idle_wake_ns;
	head->switches = l->switches;
	head->voluntary = l->voluntary;
	head->base_utime_ns = l->base_utime_ns;
	head->base_stime_ns = l->base_stime_ns;
	bpf_get_current_comm(head->comm, sizeof(head->comm));
	size = pack_used(b, l);
	if (size > LEDGER_PACKED_MAX)
		return -1;
	return bpf_ringbuf_output(&events, b, size, event_wake_flags()) ? -1 : 0;
}

/* The last switch away, still current: nothing of this thread is ever charged again. */
__noinline int account_close(struct ledger_thread *l, __u64 now)
{
	if (!l)
		return 0;
	move(l, STATE_ON_CPU, STATE_OTHER, now);
	l->switches++;
	l->voluntary++;
	l->ended = 1;
	counter_add(COUNTER_THREADS_ENDED);
	if (account_send(l, now))
		spill(l, now);
	task_map_delete(&ledger_threads, bpf_get_current_task_btf());
	return 0;
}

/* ---- the scheduler ---- */

static __always_inline void switch_out(struct ledger_thread *l, struct task_struct *task,
				       bool preempt, __u64 now)
{
	__u32 ts = task->__state, to;

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

static __always_inline void switch_in(struct ledger_thread *l, bool from_idle, __u64 now)
{
	__u32 as = l->state;
	__u64 ns;

	/*
	 * Woken while it was on its way off the CPU: sched_waking came before the switch, so
	 * what followed was waiting for a CPU. A wake that came well before was for an
	 * earlier wait.
	 */
	if (as >= STATE_BLOCKED) {
		if (l->woken_ns + RACE_NS >= l->since_ns)
			as = STATE_RUNQUEUE;
		else
			object_add(l, now - l->since_ns);
		l->object = 0;
	}
	ns = move(l, as, STATE_ON_CPU, now);
	if (from_idle && as == STATE_RUNQUEUE)
		l->idle_wake_ns += ns;
}

SEC_TP("sched_switch")
int BPF_PROG(ledger_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct ledger_thread *in, *out;
	__u64 now = 0;

#ifdef TASK_HASH
	prev = bpf_get_current_task_btf(); /* the same task, typed */
#endif
	out = account_of(prev);
	if (out && !out->ended) {
		now = bpf_ktime_get_ns();
		switch_out(out, prev, preempt, now);
	}
	in = account_of(next);
	if (in)
		switch_in(in, !prev->pid, now ? now : bpf_ktime_get_ns());
	return 0;
}

/* ---- who woke ---- */

__noinline int waker_flush(struct waker_stat *w)
{
	struct waker_sum *s, zero = {};
	struct ledger_other *other;
	struct waker_key key;
	__u32 state;

	if (!w || !w->count)
		return 0;
	key = w->key;
	s = bpf_map_lookup_elem(&ledger_wakers, &key);
	if (!s) {
		bpf_map_update_elem(&ledger_wakers, &key, &zero, BPF_NOEXIST);
		s = bpf_map_lookup_elem(&ledger_wakers, &key);
	}
	if (!s) {
		counter_add(COUNTER_OTHER_WAKER);
		state = w->key.state;
		other = bpf_map_lookup_elem(&ledger_others, &state);
		if (!other)
			return 0;
		s = &other->wakers;
	}
	__sync_fetch_and_add(&s->count, w->count);
	__sync_fetch_and_add(&s->ns, w->ns);
	return 0;
}

/* A waker that need not be a target is remembered by name, under its global tid. */
__noinline int waker_named(__u32 tid)
{
	struct target *t = target_current();
	struct waker_name name = { .tid = tid, .pid = bpf_get_current_pid_tgid() >> 32 };

	if (t) {
		name.tid = t->tid;
		name.pid = t->pid;
	}
	bpf_get_current_comm(name.comm, sizeof(name.comm));
	bpf_map_update_elem(&ledger_waker_names, &tid, &name, BPF_ANY);
	return 0;
}

static __always_inline void waker_add(struct ledger_thread *l, __u32 state, __u64 ns)
{
	__u32 tid = 0, kind = WAKER_THREAD, zero = 0, i, *timers;

	if (in_interrupt()) {
		timers = bpf_map_lookup_elem(&ledger_in_timer, &zero);
		kind = timers && *timers ? WAKER_TIMER : WAKER_IRQ;
	} else {
		tid = bpf_get_current_task_btf()->pid;
	}
	for (i = 0; i < LEDGER_WAKERS; i++) {
		struct waker_stat *w = &l->wakers[i];

		if (w->count && w->key.waker_tid == tid && w->key.state == state &&
		    w->key.kind == kind) {
			w->count++;
			w->ns += ns;
			return;
		}
	}
	i = l->waker_victim++ & (LEDGER_WAKERS - 1);
	waker_flush(&l->wakers[i]);
	l->wakers[i].key = (struct waker_key){
		.sleeper_thread_id = l->who.thread_id,
		.waker_tid = tid,
		.state = state,
		.kind = kind,
	};
	l->wakers[i].count = 1;
	l->wakers[i].ns = ns;
	if (kind == WAKER_THREAD)
		waker_named(tid);
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
	l = account_open(task, t);
	if (!l)
		return 0;
	l->base_exec_ns = task->se.sum_exec_runtime;
	l->base_switches = task->nvcsw + task->nivcsw;
	l->base_utime_ns = task->utime;
	l->base_stime_ns = task->stime;
	ts = task->__state;
	if (task->on_cpu)
		l->state = STATE_ON_CPU;
	else if (ts == TASK_RUNNING || (ts & TASK_WAKING))
		l->state = STATE_RUNQUEUE;
	else
		l->state = block_task(l, task, ts);
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

/* Writes each living thread's account as a struct ledger_final. */
SEC("iter/task")
int ledger_live(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct copying copying = {};
	struct ledger_thread *l;
	struct ledger_final *f;
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
	if (!copying.done)
		counter_add(COUNTER_TORN);
	fill_final(f, l, task);
	f->alive = 1;
	bpf_seq_write(ctx->meta->seq, f, sizeof(*f));
	return 0;
}
