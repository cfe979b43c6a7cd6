/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * --alloc: the malloc family by uprobes. What lives is kept by process and address, so a
 * free is booked to whom the block was made for, whoever frees it. Of calls inside a call
 * (calloc that calls malloc, a wrapper that calls the real one) the outermost counts.
 *
 * A call is in progress while its return is awaited (sp, where its return address stands).
 * free has no hook at its return, which would double its cost: it is in progress as long as
 * its return address still stands where it was and the stack reaches beyond.
 */
#ifndef DWELL_MEMORY_ALLOC_BPF_H
#define DWELL_MEMORY_ALLOC_BPF_H

#include "heap.bpf.h"

/* ---- hooks ---- */

static __always_inline struct memory_thread *thread_of(struct task_struct *task,
						       const struct target *t)
{
	struct memory_thread *thread = task_map_get(&memory_threads, task);

	if (!thread)
		thread = task_map_create(&memory_threads, task, &no_call);
	if (!thread) {
		counter_add(COUNTER_LOST_CALL);
		return NULL;
	}
	if (thread->thread_id != t->thread_id) {
		*thread = (struct memory_thread){};
		thread->thread_id = t->thread_id;
	}
	return thread;
}

/* A call whose frames lie below that of the call in progress; at it: the caller jumped here. */
static __always_inline bool alloc_in_call(const struct memory_thread *thread, __u64 sp)
{
	return thread->sp && sp <= thread->sp && thread->sp - sp < CALL_DEPTH;
}

static __always_inline bool alloc_in_free(const struct memory_thread *thread, __u64 sp)
{
	__u64 word = 0;

	if (!thread->free_sp || sp > thread->free_sp || thread->free_sp - sp >= CALL_DEPTH)
		return false;
	bpf_probe_read_user(&word, sizeof(word), (void *)thread->free_sp);
	return word == thread->free_return;
}

/* The verifier wants each register read by itself, not through a pointer that was chosen. */
#define REGISTER(regs, name)                                                                       \
	({                                                                                         \
		__u64 __value = (regs)->name;                                                      \
		barrier_var(__value);                                                              \
		__value;                                                                           \
	})

static __always_inline __u64 asked_bytes(__u64 di, __u64 si, __u64 dx, __u32 function)
{
	switch (function) {
	case ALLOC_CALLOC:
		return di * si;
	case ALLOC_REALLOC:
	case ALLOC_ALIGNED_ALLOC:
	case ALLOC_MEMALIGN:
		return si;
	case ALLOC_REALLOCARRAY:
		return si * dx;
	case ALLOC_POSIX_MEMALIGN:
		return dx;
	}
	return di;
}

static __always_inline bool is_realloc(__u32 function)
{
	return function == ALLOC_REALLOC || function == ALLOC_REALLOCARRAY;
}

/* realloc's block may be another thread's before realloc returns: it is taken out at once. */
static __always_inline void take_old(struct memory_thread *thread, const struct memory_heap *heap,
				     __u64 address, __u32 proc_id)
{
	struct memory_block_key key = { .address = address, .proc_id = proc_id };

	thread->old_address = 0;
	thread->unknown_old = 0;
	if (!address)
		return;
	key.image = heap->image;
	if (block_take(&key, &thread->old))
		thread->old_address = address;
	else
		thread->unknown_old = cfg.sample_interval <= 1;
}

/* Now, as the return address stands where it belongs: then the hook at the return takes it. */
static __always_inline void take_stack(struct memory_thread *thread, const struct target *t,
				       const struct pt_regs *regs)
{
	__u64 hash = 0;

	if (memory_cfg.stacks && thread->weight)
		hash = stacks_user_at(STACKS_UPROBE, t, REGISTER(regs, ip), thread->sp,
				      REGISTER(regs, bp), thread->out);
	thread->stacked = !!hash;
	thread->stack = hash ? hash : thread->caller;
}

SEC("uprobe")
int memory_alloc_enter(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct target *t = target_of(task);
	struct memory_thread *thread;
	__u64 di = REGISTER(regs, di), sp = REGISTER(regs, sp);
	struct memory_heap *heap;
	__u32 function;

	if (!t || (t->flags & TARGET_PREEXEC))
		return 0;
	thread = thread_of(task, t);
	if (!thread || alloc_in_call(thread, sp))
		return 0;
	heap = heap_of(t->proc_id);
	if (!heap)
		return 0;
	function = bpf_get_attach_cookie(ctx);
	if (function >= ALLOC_FUNCTIONS)
		return 0;
	thread->sp = sp;
	thread->free_sp = 0;
	thread->function = function;
	thread->bytes = asked_bytes(di, REGISTER(regs, si), REGISTER(regs, dx), function);
	thread->out = di;
	thread->weight = sample_weight(SAMPLE_ALLOC);
	if (thread->weight)
		slot_add(&heap->calls[function], thread->weight);
	bpf_probe_read_user(&thread->caller, sizeof(thread->caller), (void *)sp);
	take_stack(thread, t, regs);
	take_old(thread, heap, is_realloc(function) ? di : 0, t->proc_id);
	return 0;
}

/* The block that was made; 0: none. */
static __always_inline __u64 result_of(const struct memory_thread *thread, __u64 ax)
{
	__u64 address = 0;

	if (thread->function != ALLOC_POSIX_MEMALIGN)
		return ax;
	if (!(__u32)ax)
		bpf_probe_read_user(&address, sizeof(address), (void *)thread->out);
	return address;
}

/* What has become of the block that realloc was given. */
static __noinline int old_done(struct memory_heap *heap, struct memory_thread *thread, bool kept,
			       __u32 proc_id)
{
	struct memory_block_key key = { .address = thread->old_address, .proc_id = proc_id };
	struct memory_block old = thread->old;

	if (thread->unknown_old && !kept)
		slot_add(&heap->frees_before, 1);
	if (!thread->old_address)
		return 0;
	key.image = heap->image;
	thread->old_address = 0;
	if (!kept)
		return block_freed(heap, &old, proc_id);
	block_put(&key, &old);
	return 0;
}

SEC("uretprobe")
int memory_alloc_return(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct target *t = target_of(task);
	struct memory_thread *thread = t ? task_map_get(&memory_threads, task) : NULL;
	__u64 address = REGISTER(regs, ax);
	struct memory_heap *heap;
	bool gone;

	if (!thread || !thread->sp || regs->sp != thread->sp + 8 ||
	    thread->thread_id != t->thread_id)
		return 0;
	thread->sp = 0;
	heap = heap_of(t->proc_id);
	if (!heap)
		return 0;
	address = result_of(thread, address);
	gone = is_realloc(thread->function) && thread->out && !thread->bytes; /* a free */
	if (thread->old_address || thread->unknown_old)
		old_done(heap, thread, !address && !gone, t->proc_id);
	if (!thread->weight)
		return 0;
	if (address)
		block_made(heap, thread, address, t->proc_id);
	else if (!gone)
		slot_add(&heap->failed, thread->weight);
	return 0;
}

SEC("uprobe")
int memory_alloc_free(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct target *t = target_of(task);
	struct memory_block_key key = {};
	struct memory_thread *thread;
	__u64 sp = REGISTER(regs, sp);
	struct memory_block block;
	struct memory_heap *heap;

	if (!t || (t->flags & TARGET_PREEXEC))
		return 0;
	thread = thread_of(task, t);
	if (!thread || alloc_in_call(thread, sp))
		return 0;
	heap = heap_of(t->proc_id);
	if (!heap)
		return 0;
	key.address = REGISTER(regs, di);
	key.proc_id = t->proc_id;
	key.image = heap->image;
	if (key.address && block_take(&key, &block))
		block_freed(heap, &block, t->proc_id);
	else if (alloc_in_free(thread, sp) &&
		 (sp < thread->free_sp || key.address == thread->freed) && key.address)
		return 0; /* a wrapper's, which has been counted */
	else if (!key.address)
		slot_add(&heap->frees_null, 1);
	else if (cfg.sample_interval <= 1)
		slot_add(&heap->frees_before, 1);
	thread->free_sp = sp;
	thread->freed = key.address;
	bpf_probe_read_user(&thread->free_return, sizeof(thread->free_return), (void *)sp);
	return 0;
}

#endif
