/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who woke a thread: the thread that ran, or the interrupt or timer that only borrowed it.
 * The last wakers stay in the sleeper's account; one that makes room goes to ledger_wakers.
 */
#ifndef DWELL_LEDGER_WAKER_BPF_H
#define DWELL_LEDGER_WAKER_BPF_H

#include "account.bpf.h"
#include "irq.bpf.h"
#include "pid.bpf.h"

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

/* How many timer callbacks run on this CPU (a hard one may interrupt a soft one). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} ledger_in_timer SEC(".maps");

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

/* A waker, which need not be a target, is remembered by name, under its global tid. */
__noinline int waker_named(__u32 tid)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct waker_name name = { .tid = tid_seen(task), .pid = tgid_seen(task) };

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

#endif
