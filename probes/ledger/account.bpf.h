/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A thread's account in the kernel: where it is kept, its histograms, and `move`, which
 * charges a state as it ends. Histograms are blocks of one array, handed out as a thread's
 * states are first met and handed back by user space when it has ended.
 */
#ifndef DWELL_LEDGER_ACCOUNT_BPF_H
#define DWELL_LEDGER_ACCOUNT_BPF_H

#include "../stacks/debt.bpf.h"
#include "hist.h"
#include "ledger.h"
#include "target.bpf.h"

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

/* What no longer fitted its table, by state: shown as `other`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LEDGER_STATES);
	__type(key, __u32);
	__type(value, struct ledger_other);
} ledger_others SEC(".maps");

enum draft { DRAFT_BIRTH, DRAFT_SEED, DRAFT_BLANK, DRAFTS };

/* Accounts before they are published, whole; the blank one is never written. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DRAFTS);
	__type(key, __u32);
	__type(value, struct ledger_thread);
} ledger_drafts SEC(".maps");

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
	stacks_waited(&l->stack, as, ns);
	l->since_ns = now;
	barrier();
	l->seq++;
	barrier();
	/* last: who sees the new state (a waker) finds seq done with */
	l->state = to;
	return ns;
}

#endif
