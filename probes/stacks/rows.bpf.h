/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Rows: time by thread, state and stacks. Two tables, of which user space empties the one that
 * is not in use, so that no row is written while it is taken away.
 */
#ifndef DWELL_STACKS_ROWS_BPF_H
#define DWELL_STACKS_ROWS_BPF_H

#include "debt.bpf.h"
#include "walk.bpf.h"

#define STACKS_TABLE(name)                                                                         \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(max_entries, 16384);                                                        \
		__type(key, struct stacks_key);                                                    \
		__type(value, struct stacks_value);                                                \
	} name SEC(".maps")

STACKS_TABLE(stacks_rows);
STACKS_TABLE(stacks_rows_b);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stacks_control);
} stacks_control SEC(".maps");

const volatile __u32 stacks_half SEC(".rodata.stacks_half") = 8192;

/* Rows before they are counted: a thread may be interrupted in the middle. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STACKS_LEVELS);
	__type(key, __u32);
	__type(value, struct stacks_key);
} stacks_keys SEC(".maps");

static __always_inline struct stacks_key *stacks_key_of(__u32 level)
{
	return bpf_map_lookup_elem(&stacks_keys, &level);
}

static __always_inline void stacks_wake(void)
{
	struct event_head *head = bpf_ringbuf_reserve(&events, sizeof(*head), 0);

	if (!head)
		return;
	__builtin_memset(head, 0, sizeof(*head));
	head->kind = EVENT_STACKS_FULL;
	bpf_ringbuf_submit(head, BPF_RB_FORCE_WAKEUP);
}

static __always_inline struct stacks_value *row_make(void *table, struct stacks_key *key,
						     struct stacks_control *control)
{
	struct stacks_value *v = bpf_map_lookup_elem(table, key), zero = {};

	if (v)
		return v;
	bpf_map_update_elem(table, key, &zero, BPF_NOEXIST);
	if (__sync_fetch_and_add(&control->used, 1) == stacks_half)
		stacks_wake();
	return bpf_map_lookup_elem(table, key);
}

/* Counts the key of a level. */
__noinline int stacks_count(__u32 level, __u64 ns, __u64 count)
{
	struct stacks_key *key = stacks_key_of(level);
	struct stacks_control *control;
	struct stacks_value *v;
	__u32 zero = 0;

	control = bpf_map_lookup_elem(&stacks_control, &zero);
	if (!key || !control)
		return 0;
	if (*(volatile __u32 *)&control->table)
		v = row_make(&stacks_rows_b, key, control);
	else
		v = row_make(&stacks_rows, key, control);
	if (!v) {
		counter_add(COUNTER_LOST_SAMPLE);
		return 0;
	}
	__sync_fetch_and_add(&v->ns, ns);
	__sync_fetch_and_add(&v->count, count);
	return 0;
}

#endif
