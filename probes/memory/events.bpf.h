/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What seldom happens: waits of a thread that has to free memory first, what it reads back
 * from swap, and kills by the OOM killer.
 */
#ifndef DWELL_MEMORY_EVENTS_BPF_H
#define DWELL_MEMORY_EVENTS_BPF_H

#include "memory.h"
#include "pid.bpf.h"
#include "rss.bpf.h"

struct memory_stalled {
	__u64 begin_ns[STALL_KINDS]; /* 0: not in one */
};

TASK_MAP(memory_stalls, struct memory_stalled);

static const struct memory_stalled no_stall SEC(".rodata.fixed");

/* ---- direct reclaim: on the thread that wants the memory ---- */

static __noinline int stall_begin(__u32 kind)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct memory_stalled *stalled;

	if (!target_of(task))
		return 0;
	stalled = task_map_get(&memory_stalls, task);
	if (!stalled)
		stalled = task_map_create(&memory_stalls, task, &no_stall);
	if (stalled && kind < STALL_KINDS)
		stalled->begin_ns[kind] = bpf_ktime_get_ns();
	return 0;
}

static __noinline int stall_end(__u32 kind, __u64 pages)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct memory_stalled *stalled;
	struct memory_slot *s;
	struct target *t = target_of(task);
	__u64 ns;

	if (!t || kind >= STALL_KINDS)
		return 0;
	stalled = task_map_get(&memory_stalls, task);
	s = SLOT_OF(memory_slots, t);
	if (!stalled || !s || !stalled->begin_ns[kind])
		return 0;
	ns = bpf_ktime_get_ns() - stalled->begin_ns[kind];
	stalled->begin_ns[kind] = 0;
	slot_add(&s->stalls[kind].count, 1);
	slot_add(&s->stalls[kind].ns, ns);
	slot_add(&s->stalls[kind].pages, pages);
	slot_max(&s->stalls[kind].max_ns, ns);
	task_map_delete(&memory_stalls, task);
	return 0;
}

SEC_TP("mm_vmscan_direct_reclaim_begin")
int BPF_PROG(memory_direct_begin)
{
	return stall_begin(STALL_DIRECT);
}

SEC_TP("mm_vmscan_direct_reclaim_end")
int BPF_PROG(memory_direct_end, unsigned long pages)
{
	return stall_end(STALL_DIRECT, pages);
}

SEC_TP("mm_vmscan_memcg_reclaim_begin")
int BPF_PROG(memory_cgroup_begin)
{
	return stall_begin(STALL_CGROUP);
}

SEC_TP("mm_vmscan_memcg_reclaim_end")
int BPF_PROG(memory_cgroup_end, unsigned long pages)
{
	return stall_end(STALL_CGROUP, pages);
}

SEC_TP("mm_vmscan_node_reclaim_begin")
int BPF_PROG(memory_node_begin)
{
	return stall_begin(STALL_NODE);
}

SEC_TP("mm_vmscan_node_reclaim_end")
int BPF_PROG(memory_node_end, unsigned long pages)
{
	return stall_end(STALL_NODE, pages);
}

/* ---- swap ---- */

static __always_inline int swap_read(__u64 pages)
{
	struct target *t = target_current();
	struct memory_slot *s = t ? SLOT_OF(memory_slots, t) : NULL;

	if (s)
		slot_add(&s->swap_in, pages);
	return 0;
}

enum vm_event_item___memory {
	PSWPIN___memory,
	ZSWPIN___memory, /* from zswap, where the kernel has it */
};

/* Since 6.13 (e1479b880cee): what /proc/vmstat counts as pswpin, as the kernel counts it. */
SEC_TP("count_memcg_events")
int BPF_PROG(memory_vm_event, void *memcg, int item, unsigned long pages)
{
	if (item == (int)bpf_core_enum_value(enum vm_event_item___memory, PSWPIN___memory))
		return swap_read(pages);
	if (bpf_core_enum_value_exists(enum vm_event_item___memory, ZSWPIN___memory) &&
	    item == (int)bpf_core_enum_value(enum vm_event_item___memory, ZSWPIN___memory))
		return swap_read(pages);
	return 0;
}

/* To 6.1, page by page. */
SEC("fentry/swap_readpage")
int memory_swap_page(void *ctx)
{
	return swap_read(1);
}

struct folio___memory { /* of one that is large _folio_nr_pages pages */
	unsigned long flags;
	unsigned int _folio_nr_pages;
} SLICE;

enum pageflags___memory { PG_head___memory };

SEC("fentry/swap_read_folio")
int BPF_PROG(memory_swap_folio, struct folio___memory *folio)
{
	__u64 head = bpf_core_enum_value(enum pageflags___memory, PG_head___memory);

	if (BPF_CORE_READ(folio, flags) & (1UL << head))
		return swap_read(BPF_CORE_READ(folio, _folio_nr_pages));
	return swap_read(1);
}

/* ---- OOM kills: whoever wanted the memory, the victim is ours ---- */

static __always_inline void oom_tell(const struct target *t, struct task_struct *victim)
{
	struct memory_oom *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	struct memory_mm *m;
	__u64 mm;

	if (!e) {
		counter_add(COUNTER_LOST_OOM);
		return;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->head = (struct event_head){ .kind = EVENT_MEMORY_OOM, .who = *t };
	e->now_ns = bpf_ktime_get_ns();
	mm = (__u64)BPF_CORE_READ(victim, mm);
	m = bpf_map_lookup_elem(&memory_mms, &mm);
	if (m)
		e->rss = m->pages[MEMBER_FILE] + m->pages[MEMBER_ANON] + m->pages[MEMBER_SHMEM];
	e->by_pid = tgid_seen(bpf_get_current_task_btf());
	bpf_get_current_comm(e->by_comm, sizeof(e->by_comm));
	bpf_probe_read_kernel(e->comm, sizeof(e->comm), &victim->comm);
	event_submit(e);
}

/* The victim's task; before 72ba14deb40a (6.8, and stable kernels since) its PID. */
SEC_TP("mark_victim")
int BPF_PROG(memory_victim)
{
	struct task_struct *victim = (void *)ctx[0];
	struct memory_slot *s;
	struct target *t;

	t = target_of(victim);
	if (!t)
		return 0;
	s = SLOT_OF(memory_slots, t);
	if (s)
		slot_add(&s->oom_kills, 1);
	oom_tell(t, victim);
	return 0;
}

#endif
