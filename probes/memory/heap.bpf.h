/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* --alloc: what is kept of processes, of those who allocate and of blocks that live. */
#ifndef DWELL_MEMORY_HEAP_BPF_H
#define DWELL_MEMORY_HEAP_BPF_H

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

static const struct memory_thread no_call SEC(".rodata.fixed");

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

static const struct memory_heap no_heap SEC(".rodata.fixed");
static const struct memory_caller no_caller SEC(".rodata.fixed");

/* ---- processes ---- */

__noinline int heap_open(__u32 proc_id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct memory_heap *heap;
	__u32 key = proc_id; /* before 6.2 a map's key must be on the stack */

	/* another thread may have made it meanwhile */
	bpf_map_update_elem(&memory_heaps, &key, &no_heap, BPF_NOEXIST);
	heap = bpf_map_lookup_elem(&memory_heaps, &key);
	if (heap)
		heap->brk = BPF_CORE_READ(task, mm, brk);
	else
		counter_add(COUNTER_OTHER_HEAP);
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
	bpf_map_update_elem(&memory_callers, &key, &no_caller, BPF_NOEXIST);
	caller = bpf_map_lookup_elem(&memory_callers, &key);
	if (!caller) {
		counter_add(COUNTER_OTHER_CALLER);
		return 0;
	}
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

	if (!block)
		return false;
	*to = *block;
	/* refused: another thread has just freed it as well */
	return !bpf_map_delete_elem(&memory_blocks, key);
}

static __always_inline bool block_put(const struct memory_block_key *key,
				      const struct memory_block *block)
{
	return !bpf_map_update_elem(&memory_blocks, key, block, BPF_ANY);
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

#endif
