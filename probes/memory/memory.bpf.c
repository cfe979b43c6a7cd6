// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * memory: resident memory of the tree and its peak, swap, reclaim, OOM kills, and with
 * --kmem the kernel's own allocations. Faults are not traced: the kernel counts them.
 *
 * Hooks: rss_stat, task_newtask, exit_mmap; direct, cgroup and node reclaim; mark_victim;
 *        count_memcg_events or a kprobe for what is read from swap; with --kmem also kmalloc,
 *        kmem_cache_alloc, their frees, mm_page_alloc and mm_page_free. Cost: a change of an
 *        address space's counters one lookup, the CPUs' parts, an atomic exchange and an add.
 * Keeps: memory_slots, memory_mms (address space -> pages), memory_tree; see memory.h.
 */
#include "alloc.bpf.h"
#include "changes.bpf.h"
#include "events.bpf.h"
#include "kmem.bpf.h"

/* What lives when dwell comes. */
SEC("iter/task")
int memory_seed(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct target *t = task ? target_of(task) : NULL;
	__u64 mm;

	if (!t)
		return 0;
	mm = (__u64)BPF_CORE_READ(task, mm);
	if (mm && !bpf_map_lookup_elem(&memory_mms, &mm))
		mm_open(mm, t->slot, t->proc_id);
	if (memory_cfg.alloc && t->tid == t->pid)
		code_seen(t);
	return 0;
}
