// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * locks: futex and semaphore calls, waits for locks inside the kernel, RCU stalls.
 *
 * Hooks: the calls as syscalls.bpf.c tells them (calls.bpf.h); contention_begin and _end
 *        (contention.bpf.h), rcu_stall_warning; with --lock-order uprobes (order.bpf.h).
 *        Cost: a futex call two table lookups; a wait for a kernel lock two clock reads.
 * Keeps: locks_slots by process; locks_futexes, locks_sysv, locks_sites, locks_pairs.
 */
#include "calls.bpf.h"
#include "contention.bpf.h"
#include "order.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} locks_stalls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct locks_name);
} locks_names SEC(".maps");

SEC_TP("contention_begin")
int BPF_PROG(locks_contention_begin, void *lock, unsigned int flags)
{
	return locks_begin((__u64)lock, flags);
}

SEC_TP("contention_end")
int BPF_PROG(locks_contention_end, void *lock)
{
	return locks_end(ctx, (__u64)lock);
}

/* Of the whole system: a stall is the kernel's, not a process's. */
SEC_TP("rcu_stall_warning")
int BPF_PROG(locks_rcu_stall)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&locks_stalls, &zero);

	if (n)
		__sync_fetch_and_add(n, 1);
	return 0;
}

/* Run by dwell: the kernel names its own functions, modules' too, in a microsecond each. */
SEC("syscall")
int locks_name(void *ctx)
{
	struct locks_name *n;
	__u32 zero = 0;
	__u64 address;

	n = bpf_map_lookup_elem(&locks_names, &zero);
	if (!n)
		return 0;
	address = n->address;
	return bpf_snprintf(n->name, sizeof(n->name), "%ps", &address, sizeof(address));
}
