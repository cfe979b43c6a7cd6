/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * When the mappings of a process begin, change as a whole and end: fork, exec, the last thread's
 * exit; an iterator for who was there before. System calls: calls.bpf.h.
 */
#ifndef DWELL_STACKS_MAP_HOOKS_BPF_H
#define DWELL_STACKS_MAP_HOOKS_BPF_H

#include "mappings.bpf.h"

static __always_inline __u64 mm_of(task_ref task)
{
	return (__u64)TASK_READ(task, mm);
}

SEC_TP("task_newtask")
int BPF_PROG(stacks_newtask, struct task_struct *task, __u64 clone_flags)
{
	struct target *t = clone_flags & CLONE_THREAD ? NULL : target_of(task);
	struct target *parent = t ? target_current() : NULL;
	struct stacks_maps *maps;
	__u32 from, proc_id;

	if (!parent)
		return 0;
	from = parent->proc_id;
	proc_id = t->proc_id;
	maps = maps_of(from);
	if (!maps)
		return 0;
	bpf_map_update_elem(&stacks_maps, &proc_id, maps, BPF_ANY);
	maps = maps_of(proc_id);
	if (!maps) {
		counter_add(COUNTER_LOST_MAPS);
		return 0;
	}
	maps->mm = mm_of(task);
	maps->lock = 0;
	return 0;
}

#define STACKS_IMAGE_STEPS 1024 /* a hole between two mappings of a program costs one a page */

/* Program, interpreter (or the program's own first instruction) and vdso are mapped. */
static __always_inline void maps_program(struct stacks_maps *maps, struct task_struct *task)
{
	struct mm_struct *mm = KREAD_KNOWN(task, mm);
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 vdso = mm_vdso(mm);
	__u64 start = KREAD(mm, start_code), end = KREAD(mm, end_code);

	stacks_take_range(maps, start, end, STACKS_IMAGE_STEPS);
	if (regs->ip < start || regs->ip >= end)
		stacks_take_range(maps, regs->ip, regs->ip + 1, STACKS_FIND_TRIES);
	if (vdso)
		stacks_take_range(maps, vdso, vdso + 1, STACKS_FIND_TRIES);
}

SEC_TP("sched_process_exec")
int BPF_PROG(stacks_exec)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_current();
	struct stacks_maps *maps = t ? maps_open(t->proc_id) : NULL;
	struct stacks_found all = { .end = -1ULL, .builder = STACKS_IN_HOOK };

	if (!maps)
		return 0;
	maps->lock = 0;           /* nobody else is left */
	maps->mm = STACKS_MM_OLD; /* no stack is walked meanwhile */
	stacks_edit(maps, &all, 0, 0);
	maps->asked = 0;
	maps_program(maps, task);
	maps->mm = mm_of(task);
	return 0;
}

SEC_TP("sched_process_exit")
int BPF_PROG(stacks_end)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_current();
	__u32 proc_id;

	if (!t || BPF_CORE_READ(task, signal, live.counter))
		return 0;
	proc_id = t->proc_id;
	bpf_map_delete_elem(&stacks_maps, &proc_id);
	return 0;
}

/*
 * Run by dwell over one process: its own says which numbers the files have that it has mapped,
 * a target's is taken in.
 */
SEC("iter/task_vma")
int stacks_vmas(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct stacks_found f = { .builder = STACKS_IN_ITERATOR };
	struct stacks_vma row = {};
	struct stacks_maps *maps;
	struct target *t;

	if (!task || !vma)
		return 0;
	found_fill(&f, vma);
	t = target_of(task);
	if (!t) {
		row.start = f.start;
		row.file = f.file && tgid_seen(task) == cfg.self_tgid ? stacks_file_number(&f) : 0;
		if (row.file)
			bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
		return 0;
	}
	maps = f.flags & STACKS_VM_EXEC ? maps_open(t->proc_id) : NULL;
	if (!maps)
		return 0;
	maps->mm = mm_of(task);
	f.pid = t->pid;
	stacks_take(maps, &f);
	return 0;
}

#endif
