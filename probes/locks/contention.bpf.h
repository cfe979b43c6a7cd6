/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Waits for locks inside the kernel. A thread can wait for one while it waits for another (a
 * per-CPU rwsem's writer takes a mutex), so its waits are a small stack; the kernel may tell
 * of one wait more than once (a mutex that spins, sleeps and spins again), and the first
 * counts. What an interrupt waits for is not the interrupted thread's and passed over.
 */
#ifndef DWELL_LOCKS_CONTENTION_BPF_H
#define DWELL_LOCKS_CONTENTION_BPF_H

#include "calls.bpf.h"
#include "irq.bpf.h"
#include "locks.h"

#define WAITS_DEEP 4 /* power of two */

struct locks_wait {
	__u64 lock, since_ns;
	__u32 kind;
	__u32 pad;
};

struct locks_thread {
	struct locks_wait waits[WAITS_DEEP];
	__u32 depth;
	__u32 thread_id;
};

TASK_MAP(locks_threads, struct locks_thread);

/* Waits that no stack stands for yet, of spinning and of sleeping locks. */
struct locks_debt {
	__u64 ns, count;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct locks_debt);
} locks_debts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2048);
	__type(key, struct locks_site);
	__type(value, struct locks_site_sum);
} locks_sites SEC(".maps");

static __always_inline __u32 locks_kind(__u32 flags)
{
	if (flags & LCB_F_MUTEX)
		return KERNEL_MUTEX;
	if (flags & LCB_F_RT)
		return KERNEL_RT_MUTEX;
	if (flags & LCB_F_PERCPU)
		return flags & LCB_F_WRITE ? KERNEL_PERCPU_WRITE : KERNEL_PERCPU_READ;
	if (flags & LCB_F_SPIN)
		return flags & LCB_F_WRITE  ? KERNEL_RWLOCK_WRITE
		       : flags & LCB_F_READ ? KERNEL_RWLOCK_READ
					    : KERNEL_SPINLOCK;
	return flags & LCB_F_WRITE  ? KERNEL_RWSEM_WRITE
	       : flags & LCB_F_READ ? KERNEL_RWSEM_READ
				    : KERNEL_SEMAPHORE;
}

static __always_inline struct locks_thread *locks_thread_of(struct task_struct *task,
							    const struct target *t)
{
	struct locks_thread *l = task_map_get(&locks_threads, task), none = {};

	if (!l) {
		none.thread_id = t->thread_id;
		l = task_map_create(&locks_threads, task, &none);
	} else if (l->thread_id != t->thread_id) { /* a dead task's, under the same address */
		l->depth = 0;
		l->thread_id = t->thread_id;
	}
	return l;
}

static __always_inline int locks_begin(__u64 lock, __u32 flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_of(task);
	struct locks_thread *l;
	struct locks_wait *w;
	__u32 depth;

	if (!t || (t->flags & TARGET_PREEXEC) || in_interrupt())
		return 0;
	l = locks_thread_of(task, t);
	if (!l)
		return 0;
	depth = l->depth;
	if (depth && l->waits[(depth - 1) & (WAITS_DEEP - 1)].lock == lock)
		return 0;
	if (depth >= WAITS_DEEP) /* ends that never came */
		depth = 0;
	w = &l->waits[depth & (WAITS_DEEP - 1)];
	w->lock = lock;
	w->kind = locks_kind(flags);
	w->since_ns = bpf_ktime_get_ns();
	l->depth = depth + 1;
	return 0;
}

/* Takes the wait out of the thread's stack, with those that it had begun within it. */
static __always_inline bool locks_take(struct locks_thread *l, __u64 lock, struct locks_wait *wait)
{
	__u32 depth = l->depth;

#pragma unroll
	for (__u32 i = 0; i < WAITS_DEEP; i++) {
		__u32 at = (depth - 1 - i) & (WAITS_DEEP - 1);

		if (i >= depth)
			return false;
		if (l->waits[at].lock != lock)
			continue;
		*wait = l->waits[at];
		l->depth = at;
		return true;
	}
	return false;
}

static __always_inline void locks_site_add(void *ctx, const struct locks_debt *debt, __u64 ns,
					   __u32 kind, __u32 proc_id)
{
	struct locks_site_sum *sum, zero = {};
	struct locks_site site = { .proc_id = proc_id, .kind = kind };

	/* our own frame is of no use; the tracing's behind it user space knows by name */
	bpf_get_stack(ctx, site.frames, sizeof(site.frames), 1);
	sum = bpf_map_lookup_elem(&locks_sites, &site);
	if (!sum) {
		bpf_map_update_elem(&locks_sites, &site, &zero, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&locks_sites, &site);
	}
	if (!sum) {
		counter_add(COUNTER_OTHER_SITE);
		return;
	}
	slot_add(&sum->count, debt->count);
	slot_add(&sum->ns, debt->ns);
	slot_add(&sum->samples, 1);
	slot_max(&sum->max_ns, ns);
}

static __always_inline void locks_sample_site(void *ctx, __u64 ns, __u32 kind, __u32 proc_id)
{
	__u32 class = kind > KERNEL_RWLOCK_WRITE;
	struct locks_debt *debt = bpf_map_lookup_elem(&locks_debts, &class), due;

	if (!debt)
		return;
	debt->ns += ns;
	debt->count++;
	if (debt->ns < SITE_QUANTUM_NS)
		return;
	due = *debt;
	debt->ns = debt->count = 0;
	locks_site_add(ctx, &due, ns, kind, proc_id);
}

static __always_inline int locks_end(void *ctx, __u64 lock)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct locks_thread *l = task_map_get(&locks_threads, task);
	struct target *t = l ? target_of(task) : NULL;
	struct locks_wait wait = {};
	struct locks_kernel *k;
	struct locks_slot *slot;
	__u64 ns;

	if (!t || l->thread_id != t->thread_id || !locks_take(l, lock, &wait))
		return 0;
	ns = bpf_ktime_get_ns() - wait.since_ns;
	if (!l->depth)
		task_map_delete(&locks_threads, task);
	slot = SLOT_OF(locks_slots, t);
	if (!slot || wait.kind >= KERNEL_KINDS)
		return 0;
	k = &slot->kernel[wait.kind];
	slot_add(&k->count, 1);
	slot_add(&k->ns, ns);
	slot_max(&k->max_ns, ns);
	locks_sample_site(ctx, ns, wait.kind, t->proc_id);
	return 0;
}

#endif
