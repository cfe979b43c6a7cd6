/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Figures by process (slot.h), and histograms of the whole tree. The lookups are inlined by
 * the verifier; an atomic add to the CPU's own stripe costs some nanoseconds.
 */
#ifndef DWELL_SLOT_BPF_H
#define DWELL_SLOT_BPF_H

#include "hist.h"
#include "slot.h"
#include "target.bpf.h"

const volatile struct slots_cfg slots_cfg SEC(".rodata.slots") = { .count = 1, .wake = 1 };

/* Sized and mapped by the engine (src/engine/slots.c). */
#define SLOT_MAP(map_name, value_type)                                                             \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, value_type);                                                         \
	} map_name SEC(".maps")

struct slot_hist {
	__u64 buckets[HIST_BUCKETS];
};

/* Histograms of the tree; user space says how many (probe_class.hists), in stripes too. */
#define HIST_MAP(map_name) SLOT_MAP(map_name, struct slot_hist)

/* By slot: the proc_id of the process that has it; 0: free. 8 bytes: so an array is laid out. */
SLOT_MAP(slot_owners, __u64);
SLOT_MAP(usage_slots, struct usage_slot);

/* Slots that user space has read, emptied and handed back. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 16384);
	__type(value, __u32);
} slots_free SEC(".maps");

static __always_inline __u32 slot_stripe(__u32 slot)
{
	__u32 shift = slots_cfg.shift & 7;

	return (slot << shift) | (bpf_get_smp_processor_id() & ((1U << shift) - 1));
}

static __always_inline __u32 slot_of_owner(const struct slot_owner *who)
{
	__u32 slot = who->slot;
	__u64 *owner = bpf_map_lookup_elem(&slot_owners, &slot);

	return owner && *owner == who->proc_id ? slot : 0;
}

/* clang-format off: what it makes of statement expressions nobody can read */
#define SLOT_ROW(map, slot_)                                                                       \
	({                                                                                         \
		__u32 __row = slot_stripe(slot_);                                                  \
		bpf_map_lookup_elem(&(map), &__row);                                               \
	})
/* clang-format on */

/* The row of t's process on this CPU. Not NULL in practice. */
#define SLOT_OF(map, t) SLOT_ROW(map, (t)->slot)
/* The same from a struct slot_owner: row `other` when that process is gone. */
#define SLOT_OWNED(map, who) SLOT_ROW(map, slot_of_owner(who))

static __always_inline struct slot_owner slot_owner(const struct target *t)
{
	return (struct slot_owner){ t->slot, t->proc_id };
}

static __always_inline void slot_add(__u64 *v, __u64 n)
{
	__sync_fetch_and_add(v, n);
}

/*
 * The same, of a figure that only system calls and io_uring's completions add to, in the context
 * of a thread. Of two of them none comes inside the other: up to 6.18 preemption is off in a
 * tracepoint's program, and a kernel that leaves it on does not run a program again on a CPU where
 * it is under way (recursion_missed). A process whose rows are taken back has no thread any more.
 */
static __always_inline void slot_add_call(__u64 *v, __u64 n)
{
	if (slots_cfg.own)
		*v += n;
	else
		__sync_fetch_and_add(v, n);
}

/* May lose to an interrupt of the same CPU, or to one that shares the stripe. */
static __always_inline void slot_max(__u64 *v, __u64 n)
{
	if (n > *(volatile __u64 *)v)
		*(volatile __u64 *)v = n;
}

#define hist_note(map, which, ns)                                                                  \
	do {                                                                                       \
		struct slot_hist *__hist = SLOT_ROW(*(map), which);                                \
		if (__hist)                                                                        \
			slot_add(&__hist->buckets[hist_bucket(ns) & (HIST_BUCKETS - 1)], 1);       \
	} while (0)

/* Functions that are not static are checked once by the verifier, not at each call. */
__noinline int slot_take(void)
{
	__u32 slot;

	if (!bpf_map_pop_elem(&slots_free, &slot))
		return slot;
	slot = 1 + counter_add(COUNTER_NEXT_SLOT);
	if (slot < slots_cfg.count)
		return slot;
	counter_add(COUNTER_SHARED_SLOT);
	return 0;
}

/* Gives a new process its slot. */
static __always_inline void slot_open(struct target *t)
{
	__u32 slot = slot_take();
	__u64 *owner = slot ? bpf_map_lookup_elem(&slot_owners, &slot) : NULL;

	t->slot = slot;
	if (owner)
		*owner = t->proc_id;
}

/* Each sort of event is sampled for itself, or two that alternate would not be seen alike. */
enum sample_kind {
	SAMPLE_SOFTIRQ,
	SAMPLE_SLAB,
	SAMPLE_PAGE_ALLOC,
	SAMPLE_PAGE_FREE,
	SAMPLE_ALLOC,
	SAMPLE_KINDS
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SAMPLE_KINDS);
	__type(key, __u32);
	__type(value, __u32);
} slot_samples SEC(".maps");

/*
 * --sample-interval N, for events of high frequency: N for one of N on this CPU, which then
 * stands for that many, 0 for the others. 1 for each where no sampling was asked for.
 */
static __always_inline __u32 sample_weight(__u32 kind)
{
	__u32 *n;

	if (cfg.sample_interval <= 1)
		return 1;
	n = bpf_map_lookup_elem(&slot_samples, &kind);
	if (!n || ++*n < cfg.sample_interval)
		return 0;
	*n = 0;
	return cfg.sample_interval;
}

#endif
