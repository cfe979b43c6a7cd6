/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How much memory the tree has resident at one moment. The kernel tells each change of an
 * address space's counters (kmem:rss_stat), but not by how much, so what it was is kept
 * beside it; the difference goes to the tree's total, whose maximum is the peak.
 *
 * Since 6.2 (f1a7941243c1) a counter is a percpu_counter, of which the global part lags by
 * up to 32 pages or more a CPU: here the CPUs' parts are added, so the value is exact.
 * Before, each thread holds back up to 64 faults, and the tracepoint with them; it gives
 * them back when it unmaps or ends, so that a peak is seen all the same.
 */
#ifndef DWELL_MEMORY_RSS_BPF_H
#define DWELL_MEMORY_RSS_BPF_H

#include "irq.bpf.h"
#include "memory.h"
#include "slot.bpf.h"

const volatile struct memory_cfg memory_cfg SEC(".rodata.memory");

SLOT_MAP(memory_slots, struct memory_slot);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct memory_mm);
} memory_mms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct memory_tree);
} memory_tree SEC(".maps");

/* ---- where a CPU's own variables are ---- */

/* Its elements are at the offset of each CPU from what the array holds as their address. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} memory_percpu SEC(".maps");

/* By CPU: from the address of a per-CPU variable to this CPU's copy; 0: not known yet. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MEMORY_CPUS);
	__type(key, __u32);
	__type(value, __u64);
} memory_offsets SEC(".maps");

struct bpf_array { /* include/linux/bpf.h; the last member is one of several in a union */
	void *pptrs[1];
} SLICE;

/*
 * No kernel symbol is needed for it, as those of variables are missing without KALLSYMS_ALL:
 * the array above says where its element is, the helper where each CPU's copy of it is.
 */
__noinline int memory_find_cpus(void)
{
	__u32 zero = 0;
	__u64 base, offset;
	/* the verifier allows no sums with these addresses until they are mere numbers */
	volatile __u64 *number = bpf_map_lookup_elem(&memory_percpu, &zero);

	if (!number)
		return 0;
	*number = (__u64)&memory_percpu;
	base = *number + bpf_core_field_offset(struct bpf_array, pptrs);
	if (bpf_probe_read_kernel(&base, sizeof(base), (void *)base))
		return 0;
	for (__u32 cpu = 0; cpu < MEMORY_CPUS && cpu < memory_cfg.cpus; cpu++) {
		__u64 *copy = bpf_map_lookup_percpu_elem(&memory_percpu, &zero, cpu);
		__u32 key = cpu; /* the verifier follows no counter whose address is taken */

		if (!copy)
			continue;
		*number = (__u64)copy;
		offset = *number - base;
		bpf_map_update_elem(&memory_offsets, &key, &offset, BPF_ANY);
	}
	return 0;
}

/* ---- the counters ---- */

typedef struct {
	s64 counter;
} atomic_long_t___memory;

struct mm_rss_stat { /* to 6.1 */
	atomic_long_t___memory count[MEMORY_MEMBERS];
} SLICE;

struct mm_struct___split {
	struct mm_rss_stat rss_stat;
} SLICE;

struct mm_struct___percpu {
	struct percpu_counter rss_stat[MEMORY_MEMBERS];
} SLICE;

static __always_inline __s64 percpu_sum(struct percpu_counter *counter)
{
	__s64 sum = KREAD(counter, count);
	void *parts = KREAD(counter, counters);

	for (__u32 cpu = 0; cpu < MEMORY_CPUS && cpu < memory_cfg.cpus; cpu++) {
		__u32 key = cpu;
		__u64 *offset = bpf_map_lookup_elem(&memory_offsets, &key);
		struct upid *part; /* any struct that starts with an int */

		if (!offset || !*offset)
			continue;
		part = parts + *offset;
		sum += KREAD(part, nr);
	}
	return sum < 0 ? 0 : sum;
}

static __always_inline __s64 mm_pages(struct mm_struct *mm, __u32 member)
{
	void *at = mm;

	if (bpf_core_type_exists(struct mm_rss_stat)) {
		__s64 pages = 0;

		at += bpf_core_field_offset(struct mm_struct___split, rss_stat);
		bpf_probe_read_kernel(&pages, sizeof(pages), at + 8 * member);
		return pages < 0 ? 0 : pages;
	}
	at += bpf_core_field_offset(struct mm_struct___percpu, rss_stat);
	at += bpf_core_type_size(struct percpu_counter) * member;
	return percpu_sum(at);
}

/* ---- the total ---- */

static __always_inline void raise_to(__u64 *peak, __u64 now)
{
	__u64 was = *(volatile __u64 *)peak;

	for (int tries = 0; tries < 4 && now > was; tries++)
		was = __sync_val_compare_and_swap(peak, was, now);
}

static __always_inline void tree_add(bool swap, __s64 pages)
{
	__u32 zero = 0;
	struct memory_tree *tree = bpf_map_lookup_elem(&memory_tree, &zero);
	__s64 now;

	if (!tree)
		return;
	now = pages + __sync_fetch_and_add(swap ? &tree->swap : &tree->rss, pages);
	if (pages > 0 && now > 0)
		raise_to(swap ? &tree->swap_peak : &tree->rss_peak, now);
}

static __always_inline void mm_swapped(const struct memory_mm *m, __s64 pages)
{
	struct slot_owner who = { m->slot, m->proc_id };
	struct memory_slot *s;

	/* a fork copies entries, and so does not move a page */
	if (pages <= 0 || !(KREAD_KNOWN(bpf_get_current_task_btf(), flags) & PF_MEMALLOC))
		return;
	s = SLOT_OWNED(memory_slots, &who);
	if (s)
		slot_add(&s->swap_out, pages);
}

/* Several CPUs may be here for one address space: by the exchange no page is counted twice. */
static __noinline int mm_set(struct memory_mm *m, __u32 member, __s64 now)
{
	__s64 change = now - (__s64)__sync_lock_test_and_set(&m->pages[member & 3], now);

	if (!change)
		return 0;
	tree_add(member == MEMBER_SWAP, change);
	if (member == MEMBER_SWAP) {
		mm_swapped(m, change);
		return 0;
	}
	now = m->pages[MEMBER_FILE] + m->pages[MEMBER_ANON] + m->pages[MEMBER_SHMEM];
	if (change > 0 && now > 0)
		slot_max(&m->rss_peak, now);
	return 0;
}

/*
 * Atomic operations cost more than all else here, so a few pages more or less wait until they
 * are MEMORY_GRAIN. What is in swap is counted one by one.
 */
static __always_inline int mm_note(struct mm_struct *mm, struct memory_mm *m, __u32 member)
{
	__s64 now = mm_pages(mm, member);
	__s64 change = now - *(volatile __s64 *)&m->pages[member & 3];

	if (member != MEMBER_SWAP && change < MEMORY_GRAIN && change > -MEMORY_GRAIN)
		return 0;
	return mm_set(m, member, now);
}

static __noinline int mm_close(__u64 mm)
{
	struct memory_mm *m = bpf_map_lookup_elem(&memory_mms, &mm);
	struct slot_owner who;
	struct memory_slot *s;

	if (!m)
		return 0;
	for (__u32 member = 0; member < MEMORY_MEMBERS; member++)
		mm_set(m, member, 0);
	who = (struct slot_owner){ m->slot, m->proc_id };
	s = SLOT_OWNED(memory_slots, &who);
	if (s)
		raise_to(&s->rss_peak, m->rss_peak);
	bpf_map_delete_elem(&memory_mms, &mm);
	return 0;
}

/* An address space of t's process that was not known. */
static __noinline int mm_open(__u64 mm, __u32 slot, __u32 proc_id)
{
	struct memory_mm *m, init = { .slot = slot, .proc_id = proc_id };
	__u32 zero = 0;
	__u64 *known = bpf_map_lookup_elem(&memory_offsets, &zero);
	struct memory_tree *tree = bpf_map_lookup_elem(&memory_tree, &zero);

	if (tree)
		tree->held_back = bpf_core_type_exists(struct mm_rss_stat);
	if (known && !*known)
		memory_find_cpus();
	bpf_map_update_elem(&memory_mms, &mm, &init, BPF_NOEXIST);
	m = bpf_map_lookup_elem(&memory_mms, &mm);
	if (!m) {
		counter_add(COUNTER_LOST_MM);
		return 0;
	}
	for (__u32 member = 0; member < MEMORY_MEMBERS; member++)
		mm_set(m, member, mm_pages((void *)mm, member));
	return 0;
}

/* ---- hooks ---- */

/* The arguments after these differ: the kernel's own count came third to 6.1. */
SEC_TP("rss_stat")
int BPF_PROG(memory_rss, struct mm_struct *mm, int member)
{
	__u64 key = (__u64)mm;
	struct memory_mm *m = bpf_map_lookup_elem(&memory_mms, &key);
	struct task_struct *task;
	struct target *t;

	if (m)
		return mm_note(mm, m, member & 3);
	task = bpf_get_current_task_btf();
	if (!task_map_any(task) || (__u64)KREAD_KNOWN(task, mm) != key)
		return 0;
	t = target_of(task);
	if (t && !(t->flags & TARGET_PREEXEC))
		mm_open(key, t->slot, t->proc_id);
	return 0;
}

/* A fork's copy has pages before it has changed one. */
SEC_TP("task_newtask")
int BPF_PROG(memory_newtask, struct task_struct *task, __u64 clone_flags)
{
	struct target *t;
	__u64 mm;

	if (clone_flags & CLONE_VM)
		return 0;
	t = target_of(task);
	if (!t || (t->flags & TARGET_PREEXEC))
		return 0;
	mm = (__u64)BPF_CORE_READ(task, mm);
	mm_close(mm); /* the end of one that had this address was not seen */
	mm_open(mm, t->slot, t->proc_id);
	return 0;
}

SEC_TP("exit_mmap")
int BPF_PROG(memory_unmapped, struct mm_struct *mm)
{
	return mm_close((__u64)mm);
}

#endif
