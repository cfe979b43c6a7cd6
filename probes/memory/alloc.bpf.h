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

#include "../locks/mark.bpf.h"
#include "../stacks/walk.bpf.h"
#include "alloc.h"
#include "rss.bpf.h"

#define CALL_DEPTH 65536 /* bytes of stack that a call of the family takes at most */

struct memory_thread {
	__u64 sp; /* of the call in progress; 0: none */
	__u64 bytes, out;
	__u64 caller;      /* return address */
	__u64 stack;       /* its key: the stack's hash, else the return address */
	__u64 old_address; /* realloc: the block that it was given; 0: none is known */
	struct memory_block old;
	__u64 free_sp, free_return, freed;
	__u32 thread_id;
	__u32 function;
	__u32 weight;
	__u32 unknown_old; /* realloc: of a block that is not known */
	__u32 stacked;     /* stack is a hash */
	__u32 pad;
};

TASK_MAP(memory_threads, struct memory_thread);

static const struct memory_thread no_call SEC(".rodata.memory_call");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct memory_block_key);
	__type(value, struct memory_block);
} memory_blocks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct memory_caller_key);
	__type(value, struct memory_caller);
} memory_callers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct memory_heap);
} memory_heaps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct memory_heap_tree);
} memory_heap_tree SEC(".maps");

static const struct memory_heap no_heap SEC(".rodata.memory_heap");
static const struct memory_caller no_caller SEC(".rodata.memory_caller");

/* ---- processes ---- */

__noinline int heap_open(__u32 proc_id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct memory_heap *heap;
	__u32 key = proc_id; /* before 6.2 a map's key must be on the stack */

	if (bpf_map_update_elem(&memory_heaps, &key, &no_heap, BPF_NOEXIST))
		counter_add(COUNTER_OTHER_HEAP);
	heap = bpf_map_lookup_elem(&memory_heaps, &key);
	if (heap)
		heap->brk = BPF_CORE_READ(task, mm, brk);
	return 0;
}

/* The process's own row, made when there is none; else that of all who have none. */
static __always_inline struct memory_heap *heap_of(__u32 proc_id)
{
	struct memory_heap *heap = bpf_map_lookup_elem(&memory_heaps, &proc_id);

	if (heap)
		return heap;
	heap_open(proc_id);
	heap = bpf_map_lookup_elem(&memory_heaps, &proc_id);
	if (heap)
		return heap;
	proc_id = 0;
	return bpf_map_lookup_elem(&memory_heaps, &proc_id);
}

static __always_inline struct memory_heap_tree *heap_tree(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&memory_heap_tree, &zero);
}

static __always_inline void tree_live(struct memory_heap_tree *tree, __s64 bytes)
{
	__s64 now = bytes + __sync_fetch_and_add(&tree->live_bytes, bytes);

	if (bytes > 0 && now > 0)
		slot_max(&tree->live_peak_bytes, now);
}

/* ---- callers ---- */

/* What there is to know of a place is written where it stays: there is little stack for it. */
__noinline int caller_open(const struct memory_caller_key *which, __u64 address, __u32 stacked)
{
	struct memory_caller_key key; /* before 6.2 a map's key must be on the stack */
	struct memory_caller *caller;
	__s64 file = -1;

	if (!which)
		return 0;
	key = *which;
	if (bpf_map_update_elem(&memory_callers, &key, &no_caller, BPF_NOEXIST))
		counter_add(COUNTER_OTHER_CALLER);
	caller = bpf_map_lookup_elem(&memory_callers, &key);
	if (!caller)
		return 0;
	caller->address = address;
	caller->stacked = stacked;
	/* the mapping cannot be looked up while another thread changes one */
	for (int tries = 0; tries < MARK_TRIES && file == -1; tries++)
		file = mark_place(address, &caller->place);
	if (file != -1 && file)
		mark_file(&caller->place, file);
	return 0;
}

/* The row of the key, or `other`, which then is what the key says. */
static __always_inline struct memory_caller *caller_of(struct memory_caller_key *key, __u64 address,
						       __u32 stacked)
{
	struct memory_caller *caller = bpf_map_lookup_elem(&memory_callers, key);

	if (caller)
		return caller;
	caller_open(key, address, stacked);
	caller = bpf_map_lookup_elem(&memory_callers, key);
	if (caller)
		return caller;
	*key = (struct memory_caller_key){};
	return bpf_map_lookup_elem(&memory_callers, key);
}

/* ---- blocks ---- */

static __always_inline bool block_take(const struct memory_block_key *key, struct memory_block *to)
{
	struct memory_block *block = bpf_map_lookup_elem(&memory_blocks, key);
	struct memory_heap_tree *tree;

	if (!block)
		return false;
	*to = *block;
	if (bpf_map_delete_elem(&memory_blocks, key))
		return false; /* another thread has just freed it as well */
	tree = heap_tree();
	if (tree)
		__sync_fetch_and_add(&tree->blocks, -1);
	return true;
}

static __always_inline bool block_put(const struct memory_block_key *key,
				      const struct memory_block *block)
{
	struct memory_heap_tree *tree = heap_tree();

	if (bpf_map_update_elem(&memory_blocks, key, block, BPF_ANY))
		return false;
	if (tree)
		__sync_fetch_and_add(&tree->blocks, 1);
	return true;
}

static __noinline int block_freed(struct memory_heap *heap, const struct memory_block *block,
				  __u32 proc_id)
{
	__u64 bytes = block->bytes * block->weight, now = bpf_ktime_get_ns();
	struct memory_heap_tree *tree = heap_tree();
	struct memory_caller_key key = {};
	struct memory_caller *caller;

	slot_add(&heap->frees, block->weight);
	slot_add(&heap->freed_bytes, bytes);
	if (tree)
		tree_live(tree, -(__s64)bytes);
	if (block->stack) {
		key.stack = block->stack;
		key.proc_id = proc_id;
		key.image = heap->image;
	}
	caller = bpf_map_lookup_elem(&memory_callers, &key);
	if (!caller)
		return 0;
	slot_add(&caller->frees, block->weight);
	slot_add(&caller->freed_bytes, bytes);
	if (now > block->ns)
		slot_add(&caller->lived_ns, (now - block->ns) * block->weight);
	return 0;
}

/* ---- what was made ---- */

static __always_inline __u32 size_class(__u64 bytes)
{
	__u32 bits = 0;

	if (bytes >> 32) {
		bits = 32;
		bytes >>= 32;
	}
	for (__u32 step = 16; step; step >>= 1) {
		if (bytes >> step) {
			bits += step;
			bytes >>= step;
		}
	}
	bits += !!bytes;
	return bits < ALLOC_SIZES ? bits : ALLOC_SIZES - 1;
}

static __always_inline void note_size(__u64 bytes, __u32 weight)
{
	struct memory_heap_tree *tree = heap_tree();
	__u32 class = size_class(bytes);

	if (!tree || class >= ALLOC_SIZES)
		return;
	slot_add(&tree->sizes[class], weight);
	slot_add(&tree->size_bytes[class], bytes * weight);
	tree_live(tree, bytes * weight);
}

/* Not exact to the byte when several threads are here at once. */
static __always_inline void note_peaks(struct memory_heap *heap, struct memory_caller *caller)
{
	__s64 live = heap->bytes - heap->freed_bytes - heap->unknown_bytes - heap->cleared_bytes;

	if (live > 0)
		slot_max(&heap->live_peak_bytes, live);
	live = caller->bytes - caller->freed_bytes - caller->unknown_bytes;
	if (live > 0)
		slot_max(&caller->live_peak_bytes, live);
}

static __noinline int block_made(struct memory_heap *heap, struct memory_thread *thread,
				 __u64 address, __u32 proc_id)
{
	struct memory_block_key at = { .address = address, .proc_id = proc_id };
	struct memory_caller_key key = { .stack = thread->stack, .proc_id = proc_id };
	struct memory_block block = {}, unseen;
	struct memory_caller *caller;
	__u64 bytes = thread->bytes * thread->weight;
	struct memory_heap_tree *tree;

	at.image = key.image = heap->image;
	if (block_take(&at, &unseen)) {
		slot_add(&heap->reused, unseen.weight);
		block_freed(heap, &unseen, proc_id);
	}
	caller = caller_of(&key, thread->caller, thread->stacked);
	if (!caller)
		return 0;
	slot_add(&heap->allocs, thread->weight);
	slot_add(&heap->bytes, bytes);
	slot_add(&caller->allocs, thread->weight);
	slot_add(&caller->bytes, bytes);
	note_size(thread->bytes, thread->weight);
	block.bytes = thread->bytes;
	block.stack = key.stack;
	block.ns = bpf_ktime_get_ns();
	block.weight = thread->weight;
	if (!block_put(&at, &block)) {
		counter_add(COUNTER_LOST_BLOCK);
		slot_add(&heap->unknown, thread->weight);
		slot_add(&heap->unknown_bytes, bytes);
		slot_add(&caller->unknown, thread->weight);
		slot_add(&caller->unknown_bytes, bytes);
		tree = heap_tree();
		if (tree)
			tree_live(tree, -(__s64)bytes);
	}
	note_peaks(heap, caller);
	return 0;
}

/* ---- hooks ---- */

static __always_inline struct memory_thread *thread_of(struct task_struct *task,
						       const struct target *t)
{
	struct memory_thread *thread = task_map_get(&memory_threads, task);

	if (!thread)
		thread = task_map_create(&memory_threads, task, &no_call);
	if (thread && thread->thread_id != t->thread_id) {
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
	heap = thread ? heap_of(t->proc_id) : NULL;
	if (!heap || alloc_in_call(thread, sp))
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
	heap = thread ? heap_of(t->proc_id) : NULL;
	if (!heap || alloc_in_call(thread, sp))
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
