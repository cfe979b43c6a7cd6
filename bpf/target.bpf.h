/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Target membership, seen from every BPF object: the maps that all objects share (the
 * engine makes them one by reusing the descriptors of target.bpf.c's) and who is ours.
 */
#ifndef DWELL_TARGET_BPF_H
#define DWELL_TARGET_BPF_H

#include "kernel.h"
#include "task_map.h"
#include "record.h"

#ifdef TASK_HASH
#define SEC_TP(event) SEC("raw_tp/" event)
#else
#define SEC_TP(event) SEC("tp_btf/" event)
#endif

const volatile struct bpf_cfg cfg SEC(".rodata.cfg");

TASK_MAP(targets, struct target);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, COUNTER_MAX);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct control);
} control SEC(".maps");

static __always_inline __u64 counter_add(__u32 which)
{
	__u64 *v = bpf_map_lookup_elem(&counters, &which);

	return v ? __sync_fetch_and_add(v, 1) : 0;
}

/*
 * Is `who`, found under the task's address, that task, or a dead one whose memory it got?
 * exec by a thread that is not the leader takes over the leader's start time as well.
 */
static __always_inline bool is_same_task(task_ref task, const struct target *who)
{
#ifdef TASK_HASH
	__u64 start = TASK_READ(task, start_time);

	if (start != who->start_ns && start != who->proc_start_ns) {
		counter_add(COUNTER_STALE);
		return false;
	}
#endif
	return true;
}

static __always_inline struct target *target_of(task_ref task)
{
	struct target *t = task_map_get(&targets, task);

	return t && is_same_task(task, t) ? t : NULL;
}

static __always_inline struct target *target_current(void)
{
	return target_of(bpf_get_current_task_btf());
}

/*
 * Ring records are read when dwell next looks, so a wakeup for each would only cost: wake
 * it when an eighth is filled.
 */
static __always_inline __u64 event_wake_flags(void)
{
	__u64 used = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	__u64 size = bpf_ringbuf_query(&events, BPF_RB_RING_SIZE);

	return used > size / 8 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline void event_submit(void *record)
{
	bpf_ringbuf_submit(record, event_wake_flags());
}

#endif
