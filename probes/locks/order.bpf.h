/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * --lock-order: which mutexes a thread holds as it asks for another. A try cannot wait for
 * ever, so it makes no pair, but what it got is held. pthread_cond_wait gives its mutex up
 * and takes it again while the thread can do nothing else: it stays on the list.
 */
#ifndef DWELL_LOCKS_ORDER_BPF_H
#define DWELL_LOCKS_ORDER_BPF_H

#include "locks.h"
#include "mark.bpf.h"

#define HELD_MAX 8 /* power of two; a thread that holds more is not followed further */

struct locks_holder {
	__u64 held[HELD_MAX];
	__u64 trying;
	__u32 n;
	__u32 thread_id;
};

TASK_MAP(locks_holders, struct locks_holder);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct locks_pair);
	__type(value, struct locks_pair_sum);
} locks_pairs SEC(".maps");

static __always_inline struct locks_holder *locks_holder_of(struct task_struct *task,
							    const struct target *t)
{
	struct locks_holder *h = task_map_get(&locks_holders, task), none = {};

	if (!h) {
		none.thread_id = t->thread_id;
		h = task_map_create(&locks_holders, task, &none);
	} else if (h->thread_id != t->thread_id) {
		h->n = 0;
		h->thread_id = t->thread_id;
	}
	return h;
}

static __noinline int locks_pair_new(const struct locks_pair *which, __u32 tid)
{
	struct locks_pair_sum sum = { .count = 1, .tid = tid };
	struct locks_key first = {}, second = {};
	struct locks_pair pair;

	if (!which)
		return 0;
	pair = *which;
	if (bpf_map_update_elem(&locks_pairs, &pair, &sum, BPF_NOEXIST)) {
		counter_add(COUNTER_LOST_PAIR);
		return 0;
	}
	first.proc_id = second.proc_id = pair.proc_id;
	first.address = pair.first;
	second.address = pair.second;
	if (!bpf_map_lookup_elem(&locks_marks, &first))
		mark_lock(&first, OP_WAIT, 0);
	if (!bpf_map_lookup_elem(&locks_marks, &second))
		mark_lock(&second, OP_WAIT, 0);
	return 0;
}

static __always_inline void locks_pair_add(const struct target *t, __u64 first, __u64 second)
{
	struct locks_pair pair = { .first = first, .second = second, .proc_id = t->proc_id };
	struct locks_pair_sum *sum = bpf_map_lookup_elem(&locks_pairs, &pair);

	if (sum)
		slot_add(&sum->count, 1);
	else
		locks_pair_new(&pair, t->tid);
}

static __always_inline void locks_hold(struct locks_holder *h, __u64 lock)
{
	__u32 n = h->n;

	if (n < HELD_MAX)
		h->held[n & (HELD_MAX - 1)] = lock;
	h->n = n + 1; /* counted on, so that as many are let go of */
}

/* The user's registers, where the uprobe is; the program's own context takes no CO-RE access. */
static __always_inline struct pt_regs *locks_regs(struct task_struct *task)
{
	return (struct pt_regs *)bpf_task_pt_regs(task);
}

SEC("uprobe")
int locks_mutex_lock(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_of(task);
	struct locks_holder *h = t ? locks_holder_of(task, t) : NULL;
	__u64 lock = locks_regs(task)->di;

	if (!h)
		return 0;
	for (__u32 i = 0; i < HELD_MAX; i++) {
		if (i >= h->n)
			break;
		if (h->held[i] != lock)
			locks_pair_add(t, h->held[i], lock);
	}
	locks_hold(h, lock);
	return 0;
}

SEC("uprobe")
int locks_mutex_try(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_of(task);
	struct locks_holder *h = t ? locks_holder_of(task, t) : NULL;

	if (h)
		h->trying = locks_regs(task)->di;
	return 0;
}

SEC("uretprobe")
int locks_mutex_tried(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_of(task);
	struct locks_holder *h = t ? locks_holder_of(task, t) : NULL;

	if (!h || !h->trying)
		return 0;
	if (!(__u32)locks_regs(task)->ax)
		locks_hold(h, h->trying);
	h->trying = 0;
	return 0;
}

SEC("uprobe")
int locks_mutex_unlock(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_of(task);
	struct locks_holder *h = t ? locks_holder_of(task, t) : NULL;
	__u64 lock = locks_regs(task)->di;
	bool found = false;

	if (!h || !h->n)
		return 0;
	/* the last of that lock goes, those above it move down */
	for (__u32 i = 0; i < HELD_MAX; i++) {
		if (i >= h->n)
			break;
		if (h->held[i] == lock)
			found = true;
		if (found && i + 1 < HELD_MAX)
			h->held[i] = h->held[(i + 1) & (HELD_MAX - 1)];
	}
	if (found || h->n > HELD_MAX)
		h->n--;
	return 0;
}

#endif
