/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * --alloc: anonymous mappings and the program break, from the calls as they return (a program
 * of its own, as that of syscalls has as many maps as the kernel allows, 64), and the end of all
 * memory at exec and exit. They are told one by
 * one: a mapping may be cut in pieces, which user space keeps. Of two threads that unmap
 * and map the same place at once the order may be told wrongly.
 */
#ifndef DWELL_MEMORY_CHANGES_BPF_H
#define DWELL_MEMORY_CHANGES_BPF_H

#include <asm/unistd.h>

#include "alloc.bpf.h"

/* asm-generic/mman.h, linux/mman.h */
#define PROT_EXEC 4
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define MREMAP_DONTUNMAP 4

/* Files of which user space has been told. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct memory_file);
	__type(value, __u32);
} memory_files SEC(".maps");

static __always_inline __u64 page_up(__u64 bytes)
{
	return (bytes + (1UL << PAGE_SHIFT) - 1) >> PAGE_SHIFT << PAGE_SHIFT;
}

static __always_inline struct memory_change *change_new(const struct target *t, __u32 kind)
{
	struct memory_change *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		counter_add(COUNTER_LOST_CHANGE);
		return NULL;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->head = (struct event_head){ .kind = EVENT_MEMORY_CHANGE, .who = *t };
	e->kind = kind;
	return e;
}

/*
 * Who makes the call. Inside malloc it is malloc's caller, as the stack was taken before the hook
 * at its return replaced the return address; free has no such hook.
 */
static __always_inline void change_caller(struct memory_change *e, const struct target *t)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct memory_thread *thread = thread_of(task, t);
	struct memory_caller_key key = { .proc_id = t->proc_id };
	struct memory_heap *heap = heap_of(t->proc_id);
	__u64 address = regs->ip;
	__u32 stacked = 0;

	if (!thread)
		return;
	e->allocator = 1;
	if (alloc_in_call(thread, regs->sp) && thread->stack) {
		address = thread->caller;
		key.stack = thread->stack;
		stacked = thread->stacked;
	} else {
		e->allocator = alloc_in_free(thread, regs->sp);
		if (memory_cfg.stacks)
			key.stack = stacks_user(STACKS_UPROBE, t);
		stacked = !!key.stack;
		if (!stacked && e->allocator)
			address = thread->free_return;
		if (!stacked)
			key.stack = address;
	}
	key.image = e->image = heap ? heap->image : 0;
	caller_of(&key, address, stacked);
	e->stack = key.stack;
}

/* A file with code, the first time that a target has it: it may bring an allocator along. */
static __noinline int code_tell(struct file *file, __u64 address)
{
	struct inode *inode = KREAD(file, f_inode);
	struct super_block *sb = KREAD(inode, i_sb);
	struct memory_file key = { .inode = KREAD(inode, i_ino), .dev = KREAD(sb, s_dev) };
	struct object_key name = { .kind = OBJECT_FILE };
	struct target *t = target_current();
	struct memory_change *e;
	__u32 told = FILE_TOLD;

	if (!t || bpf_map_lookup_elem(&memory_files, &key))
		return 0;
	bpf_map_update_elem(&memory_files, &key, &told, BPF_ANY); /* full: told again */
	name.a = key.inode;
	name.b = key.dev;
	object_named(&name, (__u64)file); /* the process may be gone before we look */
	e = change_new(t, CHANGE_CODE);
	if (!e) { /* the next mapping tells of it */
		bpf_map_delete_elem(&memory_files, &key);
		return 0;
	}
	e->start = address;
	e->inode = key.inode;
	e->dev = key.dev;
	e->from = bpf_ktime_get_ns();
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* A process that lives when dwell comes: all its files are looked at. */
static __noinline int code_seen(const struct target *t)
{
	struct memory_change *e = change_new(t, CHANGE_CODE);

	if (!e)
		return 0;
	e->from = bpf_ktime_get_ns();
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return 0;
}

static __noinline int code_mapped(__u64 address)
{
	struct mark_search found = { .address = address };

	if (!bpf_find_vma(bpf_get_current_task_btf(), address, mark_take_vma, &found, 0) &&
	    found.file)
		code_tell(found.file, address);
	return 0;
}

struct memory_syscall {
	__u64 nr, arg[4];
	__s64 ret;
	__u32 proc_id;
};

/* What a call has done to the address space. */
struct change {
	__u64 start, end, from, from_end;
	__u32 kind; /* enum memory_change_kind; CHANGE_NONE */
};

static __always_inline void brk_change(struct change *c, const struct memory_syscall *call)
{
	__u32 proc_id = call->proc_id;
	struct memory_heap *heap;
	__u64 was, now = call->ret;

	heap_of(proc_id);
	/* the row of all who have none knows no one's break */
	heap = bpf_map_lookup_elem(&memory_heaps, &proc_id);
	if (!heap)
		return;
	was = heap->brk;
	heap->brk = now;
	if (!was || now == was)
		return;
	c->kind = now > was ? CHANGE_GROW : CHANGE_SHRINK;
	c->start = now > was ? was : now;
	c->end = now > was ? now : was;
}

static __always_inline void mmap_change(struct change *c, const struct memory_syscall *call)
{
	__u32 flags = call->arg[3];

	if (flags & MAP_ANONYMOUS)
		c->kind = CHANGE_MAP;
	else if (flags & MAP_FIXED)
		c->kind = CHANGE_UNMAP;
	c->start = call->ret;
	c->end = c->start + page_up(call->arg[1]);
}

static __always_inline void mremap_change(struct change *c, const struct memory_syscall *call)
{
	c->kind = CHANGE_MOVE;
	c->start = call->ret;
	c->end = c->start + page_up(call->arg[2]);
	c->from = call->arg[0];
	c->from_end = c->from;
	if (!(call->arg[3] & MREMAP_DONTUNMAP))
		c->from_end += page_up(call->arg[1]);
}

static __always_inline void change_of(struct change *c, const struct memory_syscall *call)
{
	switch (call->nr) {
	case __NR_mmap:
		mmap_change(c, call);
		break;
	case __NR_munmap:
		c->kind = CHANGE_UNMAP;
		c->start = call->arg[0];
		c->end = c->start + page_up(call->arg[1]);
		break;
	case __NR_mremap:
		mremap_change(c, call);
		break;
	case __NR_brk:
		brk_change(c, call);
	}
}

static __noinline int syscall_tell(const struct memory_syscall *call)
{
	struct change c = { .kind = CHANGE_NONE };
	struct memory_change *e;
	struct target *t;

	if ((__u64)call->ret >= (__u64)-ERRNO_MAX)
		return 0;
	if (call->nr == __NR_mmap && (call->arg[2] & PROT_EXEC) && !(call->arg[3] & MAP_ANONYMOUS))
		code_mapped(call->ret);
	change_of(&c, call);
	t = target_current();
	if (c.kind == CHANGE_NONE || !t)
		return 0;
	e = change_new(t, c.kind);
	if (!e)
		return 0;
	e->start = c.start;
	e->end = c.end;
	e->from = c.from;
	e->from_end = c.from_end;
	change_caller(e, t);
	event_submit(e);
	return 0;
}

SEC_TP("sys_exit")
int BPF_PROG(memory_alloc_call, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct memory_syscall call = { .nr = KREAD(regs, orig_ax), .ret = ret };
	struct target *t;

	if (call.nr != __NR_mmap && call.nr != __NR_munmap && call.nr != __NR_mremap &&
	    call.nr != __NR_brk)
		return 0;
	t = target_of(task);
	if (!t || (t->flags & TARGET_PREEXEC) || (task->thread_info.status & TS_COMPAT))
		return 0;
	call.proc_id = t->proc_id;
	call.arg[0] = KREAD(regs, di);
	call.arg[1] = KREAD(regs, si);
	call.arg[2] = KREAD(regs, dx);
	call.arg[3] = KREAD(regs, r10);
	return syscall_tell(&call);
}

/* ---- the end of an image, and of the process ---- */

/* What lives of a process lives no more. */
static __always_inline __u64 heap_live(const struct memory_heap *heap, __u64 *bytes)
{
	*bytes = heap->bytes - heap->freed_bytes - heap->unknown_bytes - heap->cleared_bytes;
	return heap->allocs - heap->frees - heap->unknown - heap->cleared;
}

static __always_inline void tree_drop(__u64 count, __u64 bytes)
{
	struct memory_heap_tree *tree = heap_tree();

	if (!tree)
		return;
	tree_live(tree, -(__s64)bytes);
	slot_add(&tree->stale, count);
}

static __noinline int end_tell(__u32 kind)
{
	struct memory_heap_tree *tree = heap_tree();
	struct target *t = target_current();
	struct memory_change *e;
	__u64 flags;

	if (!t || !tree)
		return 0;
	flags = tree->stale >= tree->purge_at ? BPF_RB_FORCE_WAKEUP : event_wake_flags();
	e = change_new(t, kind);
	if (!e)
		return 0;
	bpf_ringbuf_submit(e, flags);
	return 0;
}

SEC_TP("sched_process_exec")
int BPF_PROG(memory_alloc_exec, struct task_struct *unused, int old_pid, struct linux_binprm *bprm)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_of(task);
	struct memory_heap *heap;
	__u64 count, bytes;
	__u32 proc_id;

	if (!t)
		return 0;
	proc_id = t->proc_id;
	heap = bpf_map_lookup_elem(&memory_heaps, &proc_id);
	if (heap) {
		count = heap_live(heap, &bytes);
		tree_drop(count, bytes);
		slot_add(&heap->cleared, count);
		slot_add(&heap->cleared_bytes, bytes);
		heap->brk = BPF_CORE_READ(task, mm, brk);
		heap->image++;
		end_tell(CHANGE_CLEAR);
	}
	code_tell(BPF_CORE_READ(bprm, file), 0);
	return 0;
}

SEC_TP("sched_process_exit")
int BPF_PROG(memory_alloc_exit)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_of(task);
	struct memory_heap *heap;
	__u64 count, bytes;
	__u32 proc_id;

	if (!t)
		return 0;
	task_map_delete(&memory_threads, task);
	if (BPF_CORE_READ(task, signal, live.counter))
		return 0;
	proc_id = t->proc_id;
	heap = bpf_map_lookup_elem(&memory_heaps, &proc_id);
	if (!heap || __sync_lock_test_and_set(&heap->ended, 1))
		return 0;
	count = heap_live(heap, &bytes);
	tree_drop(count, bytes);
	end_tell(CHANGE_END);
	return 0;
}

#endif
