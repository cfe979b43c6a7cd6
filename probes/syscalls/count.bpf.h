/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counting a call: in the row of its process, in syscalls_rare what has no place there, in the
 * tree's spill what has none in that table either.
 */
#ifndef DWELL_SYSCALLS_COUNT_BPF_H
#define DWELL_SYSCALLS_COUNT_BPF_H

#include "slot.bpf.h"
#include "syscalls.h"

SLOT_MAP(syscalls_rows, struct syscalls_row);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct rare_key);
	__type(value, __u64);
} syscalls_rare SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SPILL_ENTRIES);
	__type(key, __u32);
	__type(value, struct spill);
} syscalls_spill SEC(".maps");

struct call {
	__u64 nr;
	__s64 ret;
	__u32 abi;
	__u32 proc_id;
};

static __always_inline bool failed(__s64 ret)
{
	return (__u64)ret >= (__u64)-ERRNO_MAX;
}

static __always_inline void spill_add(__u32 entry, __u64 calls, __u64 errors)
{
	struct spill *s = bpf_map_lookup_elem(&syscalls_spill, &entry);

	if (!s)
		return;
	s->calls += calls;
	s->errors += errors;
}

/* The table is full: the tree's total stays exact, the process and the name are lost. */
static __noinline int rare_refused(const struct rare_key *key, __u64 n)
{
	__u32 entry = key->abi == ABI_NATIVE ? call_slot(key->nr) : SPILL_OTHER;

	if (key->err) {
		spill_add(entry, 0, n);
		counter_add(COUNTER_LOST_ERRNO);
		return 0;
	}
	spill_add(key->abi == ABI_URING ? SPILL_URING : entry, n, 0);
	counter_add(COUNTER_LOST_SYSCALLS);
	return 0;
}

/* Functions that are not static are checked once by the verifier, not at each call. */
__noinline int rare_add(const struct rare_key *wanted, __u64 n)
{
	struct rare_key key; /* before 6.2 a map's key must be on the stack */
	__u64 *v;

	if (!wanted)
		return 0;
	key = *wanted;
	v = bpf_map_lookup_elem(&syscalls_rare, &key);
	if (!v) {
		__u64 zero = 0;

		bpf_map_update_elem(&syscalls_rare, &key, &zero, BPF_NOEXIST);
		v = bpf_map_lookup_elem(&syscalls_rare, &key);
	}
	if (!v)
		return rare_refused(&key, n);
	__sync_fetch_and_add(v, n);
	return 0;
}

#define ERROR_PLACES 4 /* that a (call, errno) may have */

/* A call has failed. A place is empty, its own, or that of another (call, errno). */
__noinline int count_error(struct syscalls_row *row, __u32 slot, __u32 err, __u32 proc_id)
{
	struct rare_key key = { .proc_id = proc_id, .nr = slot_call(slot), .err = err };
	__u64 mine = call_error_key(slot, err), found;
	struct call_error *e;

	if (!row)
		return 0;
#pragma unroll
	for (__u32 i = 0; i < ERROR_PLACES; i++) {
		e = &row->errors[(slot * 7 + err + i) & (CALL_ERRORS - 1)];
		found = e->key;
		if (!found)
			found = __sync_val_compare_and_swap(&e->key, 0, mine) ?: mine;
		if (found != mine)
			continue;
		slot_add_call(&e->count, 1);
		return 0;
	}
	return rare_add(&key, 1);
}

/* A number without a slot, or of another convention. */
static __noinline int count_rare(const struct call *call)
{
	struct rare_key key = { .proc_id = call->proc_id, .nr = call->nr, .abi = call->abi };

	rare_add(&key, 1);
	if (!failed(call->ret))
		return 0;
	key.err = -call->ret;
	return rare_add(&key, 1);
}

#endif
