/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * When the mappings of a process begin, change as a whole and end: fork, exec, the last thread's
 * exit; an iterator for who was there before. System calls: calls.bpf.h.
 */
#ifndef DWELL_STACKS_MAP_HOOKS_BPF_H
#define DWELL_STACKS_MAP_HOOKS_BPF_H

#include "range.bpf.h"

static __always_inline __u64 mm_of(task_ref task)
{
	return (__u64)TASK_READ(task, mm);
}

/* What is not known of the parent for sure is not copied: the child's first walk asks for it. */
SEC_TP("task_newtask")
int BPF_PROG(stacks_newtask, struct task_struct *task, __u64 clone_flags)
{
	struct target *t = clone_flags & CLONE_THREAD ? NULL : target_of(task);
	struct target *parent = t ? target_current() : NULL;
	struct stacks_maps *from, *maps;
	__u32 proc_id, seq;

	if (!parent)
		return 0;
	proc_id = t->proc_id;
	from = maps_of(parent->proc_id);
	if (!from || from->mm != mm_of(bpf_get_current_task_btf()))
		return 0;
	seq = *(volatile __u32 *)&from->seq;
	if (seq & 1)
		return 0;
	bpf_map_update_elem(&stacks_maps, &proc_id, from, BPF_ANY);
	maps = maps_of(proc_id);
	if (!maps) {
		counter_add(COUNTER_LOST_MAPS);
		return 0;
	}
	if (seq != *(volatile __u32 *)&from->seq) {
		bpf_map_delete_elem(&stacks_maps, &proc_id);
		return 0;
	}
	maps->mm = mm_of(task);
	maps->lock = maps->asked = 0;
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
	/* unless something could not be looked at */
	__sync_val_compare_and_swap(&maps->mm, STACKS_MM_OLD, mm_of(task));
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

/* The process that the iterator is at, and whose mappings it reads there. One runs at a time. */
struct stacks_reading {
	__u64 mm;
	__u32 proc_id, pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stacks_reading);
} stacks_reading SEC(".maps");

/*
 * All of a process has been read. Its list counts from now on, unless it does already, as after
 * an exec, or maps_unsure() said meanwhile that something is missing in it.
 */
static __always_inline void maps_publish(struct stacks_reading *r)
{
	struct stacks_maps *maps = r->mm ? maps_of(r->proc_id) : NULL;

	if (maps && !__sync_val_compare_and_swap(&maps->mm, 0, r->mm) &&
	    !*(volatile __u32 *)&maps->asked)
		maps->mm = 0;
	r->mm = 0;
}

static __always_inline void maps_read(struct stacks_reading *r, struct target *t,
				      struct stacks_found *f, __u64 mm)
{
	struct stacks_maps *maps;

	if (r->mm != mm || r->proc_id != t->proc_id) {
		maps_publish(r);
		maps = maps_open(t->proc_id);
		if (!maps)
			return;
		maps->asked = 1; /* this is the answer */
		r->mm = mm;
		r->proc_id = t->proc_id;
	}
	maps = f->flags & STACKS_VM_EXEC ? maps_of(t->proc_id) : NULL;
	if (!maps)
		return;
	f->pid = t->pid;
	stacks_take(maps, f);
}

/*
 * Run by dwell over one process: its own says which numbers the files have that it has mapped,
 * a target's is taken in, but not what is left of the program before an exec.
 */
SEC("iter/task_vma")
int stacks_vmas(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct stacks_found f = { .builder = STACKS_IN_ITERATOR };
	struct stacks_vma row = {};
	struct stacks_reading *r;
	struct target *t;
	__u32 zero = 0;
	__u64 mm;

	r = bpf_map_lookup_elem(&stacks_reading, &zero);
	if (!r)
		return 0;
	if (!task || !vma) { /* the end */
		maps_publish(r);
		return 0;
	}
	found_fill(&f, vma);
	t = target_of(task);
	if (!t) {
		row.start = f.start;
		row.file = f.file && tgid_seen(task) == cfg.self_tgid ? stacks_file_number(&f) : 0;
		if (row.file)
			bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
		return 0;
	}
	mm = mm_of(task);
	if ((__u64)KREAD_KNOWN(vma, vm_mm) == mm)
		maps_read(r, t, &f, mm);
	return 0;
}

#endif
