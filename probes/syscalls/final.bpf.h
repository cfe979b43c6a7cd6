/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The end of a thread: its counts go out through the ring, as a short record when it made
 * few different calls, or, when the ring is full, into the tree's sums (syscalls_spill).
 */
#ifndef DWELL_SYSCALLS_FINAL_BPF_H
#define DWELL_SYSCALLS_FINAL_BPF_H

#include "syscalls.h"
#include "target.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SPILL_ENTRIES);
	__type(key, __u32);
	__type(value, struct spill);
} syscalls_spill SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u32);
} syscalls_shown SEC(".maps");

static __always_inline void spill_add(__u32 entry, __u64 calls, __u64 errors)
{
	struct spill *s = bpf_map_lookup_elem(&syscalls_spill, &entry);

	if (!s)
		return;
	s->calls += calls;
	s->errors += errors;
}

static __always_inline bool send_short(const struct target *t, const struct syscalls_thread *c,
				       __u32 flags)
{
	struct syscalls_final_short *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return false;
	e->head = (struct event_head){ .kind = EVENT_SYSCALLS_FINAL, .flags = flags | FINAL_SHORT };
	e->head.who = *t;
	e->ncalls = c->nused;
	e->nerrors = c->nerrors;
	for (__u32 i = 0; i < CALLS_USED; i++) {
		__u32 slot = c->used[i];

		if (slot >= CALL_SLOTS)
			break;
		e->calls[i].slot = slot;
		e->calls[i].count = c->counts[slot];
	}
	__builtin_memcpy(e->errors, c->errors, sizeof(e->errors));
	event_submit(e);
	return true;
}

static __always_inline bool send_whole(const struct target *t, const struct syscalls_thread *c,
				       __u32 flags)
{
	struct syscalls_final *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return false;
	e->head = (struct event_head){ .kind = EVENT_SYSCALLS_FINAL, .flags = flags };
	e->head.who = *t;
	bpf_probe_read_kernel(&e->thread, sizeof(e->thread), c);
	event_submit(e);
	return true;
}

static long spill_count(__u32 slot, const struct syscalls_thread **c)
{
	if (slot < CALL_SLOTS && (*c)->counts[slot])
		spill_add(slot, (*c)->counts[slot], 0);
	return 0;
}

/* The ring is full: into the tree's totals, by call, errors without their names. */
__noinline int spill_thread(const struct syscalls_thread *c, __u32 thread_id, __u32 proc_id)
{
	if (!c)
		return 0;
	bpf_loop(CALL_SLOTS, spill_count, &c, 0);
	for (__u32 i = 0; i < CALL_ERRORS && i < c->nerrors; i++)
		spill_add(c->errors[i].slot, 0, c->errors[i].count);
	counter_add(COUNTER_SPILLED_SYSCALLS);
	if (c->shown && bpf_map_update_elem(&syscalls_shown, &thread_id, &proc_id, BPF_ANY))
		counter_add(COUNTER_LOST_SYSCALLS);
	return 0;
}

#endif
