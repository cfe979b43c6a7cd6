/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * futex and System V semaphores, from the calls as they return (probes/syscalls/roles.h):
 * what was asked for and what came back, by process and by lock. The time waited is the
 * ledger's, which has it by address too; it is not measured here.
 */
#ifndef DWELL_LOCKS_CALLS_BPF_H
#define DWELL_LOCKS_CALLS_BPF_H

#include "locks.h"
#include "mark.bpf.h"

/* asm-generic/errno*.h, linux/errno.h */
enum {
	E_INTR = 4,
	E_AGAIN = 11,
	E_TIMEDOUT = 110,
	E_RESTART_FIRST = 512, /* ERESTARTSYS to ERESTART_RESTARTBLOCK: a signal came */
	E_RESTART_LAST = 516,
};

enum asked { ASKED_OTHER, ASKED_WAIT, ASKED_WAKE, ASKED_REQUEUE };

SLOT_MAP(locks_slots, struct locks_slot);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct locks_key);
	__type(value, struct locks_row);
} locks_futexes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct locks_key);
	__type(value, struct locks_sems);
} locks_sysv SEC(".maps");

static __always_inline bool locks_interrupted(__s64 ret)
{
	return ret == -E_INTR || (ret <= -E_RESTART_FIRST && ret >= -E_RESTART_LAST);
}

static __always_inline enum asked locks_asked(const struct call_done *call, __u32 op)
{
	switch (call->nr) {
	case __NR_futex:
		break;
	case LOCKS_NR_FUTEX_WAITV:
	case LOCKS_NR_FUTEX_WAIT:
		return ASKED_WAIT;
	case LOCKS_NR_FUTEX_WAKE:
		return ASKED_WAKE;
	case LOCKS_NR_FUTEX_REQUEUE:
		return ASKED_REQUEUE;
	}
	switch (op) {
	case OP_WAIT:
	case OP_WAIT_BITSET:
	case OP_LOCK_PI:
	case OP_LOCK_PI2:
	case OP_WAIT_REQUEUE_PI:
		return ASKED_WAIT;
	case OP_WAKE:
	case OP_WAKE_OP:
	case OP_WAKE_BITSET:
	case OP_UNLOCK_PI:
		return ASKED_WAKE;
	case OP_REQUEUE:
	case OP_CMP_REQUEUE:
	case OP_CMP_REQUEUE_PI:
		return ASKED_REQUEUE;
	}
	return ASKED_OTHER;
}

static __always_inline void locks_failed(struct locks_calls *c, enum asked asked, __s64 ret)
{
	if (asked == ASKED_WAIT && ret == -E_TIMEDOUT)
		slot_add(&c->timeouts, 1);
	else if (asked == ASKED_WAIT && ret == -E_AGAIN)
		slot_add(&c->value_changed, 1);
	else if (locks_interrupted(ret))
		slot_add(&c->interrupted, 1);
	else
		slot_add(&c->errors, 1);
}

static __always_inline void locks_count(struct locks_calls *c, enum asked asked, __s64 ret)
{
	if (asked == ASKED_WAIT) {
		slot_add(&c->waits, 1);
		if (ret >= 0)
			slot_add(&c->waits_woken, 1);
	} else if (asked == ASKED_WAKE) {
		slot_add(&c->wakes, 1);
		if (ret > 0)
			slot_add(&c->woken, ret);
	} else if (asked == ASKED_REQUEUE) {
		slot_add(&c->requeues, 1);
		if (ret > 0)
			slot_add(&c->requeued, ret);
	}
	if (ret < 0)
		locks_failed(c, asked, ret);
}

static const struct locks_row locks_no_row SEC(".rodata.fixed");

/* NULL: the table is full. The key is on the stack. */
static __noinline struct locks_row *locks_row_make(const struct locks_key *key)
{
	struct locks_row *row;

	bpf_map_update_elem(&locks_futexes, key, &locks_no_row, BPF_NOEXIST);
	row = bpf_map_lookup_elem(&locks_futexes, key);
	if (!row)
		counter_add(COUNTER_OTHER_LOCK);
	return row;
}

/* The row of a lock, made when it is new. */
static __always_inline struct locks_row *locks_row_of(const struct locks_key *key)
{
	struct locks_row *row = bpf_map_lookup_elem(&locks_futexes, key);

	return row ? row : locks_row_make(key);
}

static __always_inline void locks_futex(const struct call_done *call, struct locks_slot *slot)
{
	struct locks_key key = { .address = call->arg[0], .proc_id = call->who.proc_id };
	__u32 op = call->nr == __NR_futex ? (__u32)call->arg[1] & OP_MASK : OP_WAIT_BITSET;
	enum asked asked = locks_asked(call, op);
	struct locks_row *row;

	locks_count(&slot->futex, asked, call->ret);
	/* these two name their futexes in memory, several at once */
	if (call->nr == LOCKS_NR_FUTEX_WAITV || call->nr == LOCKS_NR_FUTEX_REQUEUE)
		return;
	row = locks_row_of(&key);
	if (!row)
		return;
	locks_count(&row->calls, asked, call->ret);
	if (asked == ASKED_WAIT && row->marked < MARK_TRIES && call->ret != -E_AGAIN)
		row->marked =
			mark_lock(&key, op, (__u32)call->arg[2]) ? MARK_TRIES : row->marked + 1;
}

static __always_inline void locks_sems_count(struct locks_sems *s, __s64 ret)
{
	slot_add(&s->operations, 1);
	if (ret >= 0)
		return;
	if (ret == -E_AGAIN)
		slot_add(&s->refused, 1);
	else if (locks_interrupted(ret))
		slot_add(&s->interrupted, 1);
	else
		slot_add(&s->errors, 1);
}

static __always_inline void locks_semop(const struct call_done *call, struct locks_slot *slot)
{
	struct locks_key key = { .address = (__u32)call->arg[0], .proc_id = call->who.proc_id };
	struct locks_sems *s, zero = {};

	locks_sems_count(&slot->sysv, call->ret);
	s = bpf_map_lookup_elem(&locks_sysv, &key);
	if (!s) {
		bpf_map_update_elem(&locks_sysv, &key, &zero, BPF_NOEXIST);
		s = bpf_map_lookup_elem(&locks_sysv, &key);
	}
	if (s)
		locks_sems_count(s, call->ret);
	else
		counter_add(COUNTER_OTHER_LOCK);
}

__noinline int locks_call(const struct call_done *call)
{
	struct locks_slot *slot;

	if (!call)
		return 0;
	slot = SLOT_ROW(locks_slots, call->who.slot); /* current's own: it has not been handed on */
	if (!slot)
		return 0;
	if (call->nr == __NR_semop || call->nr == __NR_semtimedop)
		locks_semop(call, slot);
	else
		locks_futex(call, slot);
	return 0;
}

#endif
