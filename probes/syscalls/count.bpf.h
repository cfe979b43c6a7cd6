/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counting a call: in its thread's record what is the first of its kind there, in syscalls_rare
 * what has no place in a record, in the tree's spill what has none in that table either.
 */
#ifndef DWELL_SYSCALLS_COUNT_BPF_H
#define DWELL_SYSCALLS_COUNT_BPF_H

#include "final.bpf.h"
#include "syscalls.h"
#include "target.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct rare_key);
	__type(value, __u64);
} syscalls_rare SEC(".maps");

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

/* First use of a slot (count 1): list it. Its 2^32nd (count 0): carry, so that 0 means unused. */
__noinline int count_first(struct syscalls_thread *c, __u32 slot, __u32 proc_id)
{
	struct rare_key key = { .proc_id = proc_id, .nr = slot_call(slot) };
	__u32 n;

	if (!c || slot >= CALL_SLOTS)
		return 0;
	n = c->nused;
	if (!c->counts[slot]) {
		c->counts[slot] = 1;
		return rare_add(&key, 0xffffffff);
	}
	if (n < CALLS_USED)
		c->used[n] = slot;
	c->nused = n + 1;
	return 0;
}

struct error_search {
	const struct syscalls_thread *in;
	__u32 slot, err;
	__u32 at; /* CALL_ERRORS: not found */
};

static long error_step(__u32 i, struct error_search *s)
{
	const struct call_error *e;

	if (i >= CALL_ERRORS)
		return 1;
	e = &s->in->errors[i];
	if (e->slot != s->slot || e->err != s->err)
		return 0;
	s->at = i;
	return 1;
}

/* A loop of its own the verifier would follow to every end: a seventh of what it does here. */
__noinline int count_error(struct syscalls_thread *c, __u32 slot, __u32 err, __u32 proc_id)
{
	struct rare_key key = { .proc_id = proc_id, .nr = slot_call(slot), .err = err };
	struct error_search search = { c, slot, err, CALL_ERRORS };
	__u32 n;

	if (!c)
		return 0;
	n = c->nerrors;
	bpf_loop(n, error_step, &search, 0);
	if (search.at < CALL_ERRORS) {
		if (++c->errors[search.at].count)
			return 0;
		c->errors[search.at].count = 1;
		return rare_add(&key, 0xffffffff);
	}
	if (n >= CALL_ERRORS)
		return rare_add(&key, 1);
	c->errors[n] = (struct call_error){ .count = 1, .slot = slot, .err = err };
	c->nerrors = n + 1;
	return 0;
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

/* No memory for a record: the call is known for the tree only. */
static __noinline int count_unrecorded(const struct call *call)
{
	__u32 entry = call->abi == ABI_NATIVE ? call_slot(call->nr) : SPILL_OTHER;

	spill_add(entry, 1, failed(call->ret));
	counter_add(COUNTER_LOST_SYSCALLS);
	return 0;
}

#endif
