/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Stacks by hash: a stack is told once, rows count by its hash. What is built (frames, a
 * row's key) stands in memory of its own for each context that may interrupt another on a CPU.
 */
#ifndef DWELL_STACKS_BODY_BPF_H
#define DWELL_STACKS_BODY_BPF_H

#include "debt.bpf.h"
#include "stacks.h"
#include "target.bpf.h"

enum stack_context {
	CONTEXT_CALL,   /* sys_exit: with interrupts */
	CONTEXT_SWITCH, /* sched_switch: without */
	CONTEXT_WAKE,   /* sched_waking: may interrupt a call's */
	CONTEXT_CPU,    /* the sampler: may interrupt any of them */
	CONTEXTS
};

struct stacks_draft {
	struct stacks_key key;
	union {
		struct stacks_body body;
		__u64 room[sizeof(struct stacks_body) / sizeof(__u64) + STACK_FRAMES + 1];
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CONTEXTS);
	__type(key, __u32);
	__type(value, struct stacks_draft);
} stacks_drafts SEC(".maps");

/* Stacks that user space knows. What falls out is told again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u32);
} stacks_told SEC(".maps");

static __always_inline struct stacks_draft *stacks_draft(__u32 context)
{
	return bpf_map_lookup_elem(&stacks_drafts, &context);
}

static __always_inline __u64 stacks_mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

/*
 * Tells the body of a draft, frames[], n and end of which are set, unless it is known; returns
 * its hash. `private`: its frames mean something in its process only.
 */
__noinline __u64 stacks_tell(__u32 context, __u32 private)
{
	struct stacks_draft *d = stacks_draft(context);
	__u64 hash = 0;
	__u32 n, one = 1;

	if (!d)
		return 0;
	n = d->body.n;
	if (n > STACK_FRAMES)
		return 0;
	for (__u32 i = 0; i < STACK_FRAMES && i < n; i++)
		hash = stacks_mix(hash, d->body.frames[i]);
	hash = stacks_mix(hash, d->body.end);
	if (private)
		hash = stacks_mix(hash, d->body.head.who.proc_id);
	hash = hash ?: 1;
	if (bpf_map_lookup_elem(&stacks_told, &hash))
		return hash;
	d->body.head.kind = EVENT_STACKS_BODY;
	d->body.hash = hash;
	if (bpf_ringbuf_output(&events, &d->body, sizeof(d->body) + n * sizeof(__u64),
			       event_wake_flags()))
		counter_add(COUNTER_UNTOLD_STACK);
	else
		bpf_map_update_elem(&stacks_told, &hash, &one, BPF_ANY);
	return hash;
}

#endif
