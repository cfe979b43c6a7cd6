/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Why a thread blocks and on what: from its state, the kernel lock it waits for, and the
 * system call in its saved registers. The objects of its last blocks stay in its account;
 * one that makes room goes to the table ledger_objects.
 */
#ifndef DWELL_LEDGER_BLOCK_BPF_H
#define DWELL_LEDGER_BLOCK_BPF_H

#include <asm/unistd.h>

#include "account.bpf.h"
#include "cause.h"
#include "object.bpf.h"

#define I386_RESTART_SYSCALL 0

const volatile struct cause_table causes SEC(".rodata.causes");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct object_key);
	__type(value, struct ledger_stat);
} ledger_objects SEC(".maps");

/* ---- objects ---- */

__noinline int object_flush(struct object_stat *o)
{
	struct ledger_stat *s, zero = {};
	struct ledger_other *other;
	struct object_key key; /* before 6.2 a map's key must be on the stack */
	__u32 state;

	if (!o || !o->stat.count)
		return 0;
	key = o->key;
	s = bpf_map_lookup_elem(&ledger_objects, &key);
	if (!s) {
		bpf_map_update_elem(&ledger_objects, &key, &zero, BPF_NOEXIST);
		s = bpf_map_lookup_elem(&ledger_objects, &key);
	}
	if (!s) {
		counter_add(COUNTER_OTHER_OBJECT);
		state = o->key.state;
		other = bpf_map_lookup_elem(&ledger_others, &state);
		if (!other)
			return 0;
		s = &other->objects;
	}
	__sync_fetch_and_add(&s->ns, o->stat.ns);
	__sync_fetch_and_add(&s->count, o->stat.count);
	if (o->stat.max_ns > s->max_ns)
		s->max_ns = o->stat.max_ns;
	return 0;
}

static __always_inline bool object_is(const struct object_stat *o, const struct object_key *key)
{
	return o->key.a == key->a && o->key.b == key->b && o->key.kind == key->kind &&
	       o->key.state == key->state;
}

/* The slot (+ 1) of the object that this block is on, making room for it if it is new. */
static __always_inline __u32 object_slot(struct ledger_thread *l, struct object_key *key,
					 struct file *file)
{
	__u32 victim;

	for (__u32 i = 0; i < LEDGER_OBJECTS; i++)
		if (object_is(&l->objects[i], key))
			return i + 1;
	victim = l->victim++ & (LEDGER_OBJECTS - 1);
	object_flush(&l->objects[victim]);
	l->seq++;
	barrier();
	key->proc_id = l->who.proc_id;
	l->objects[victim].key = *key;
	__builtin_memset(&l->objects[victim].stat, 0, sizeof(struct ledger_stat));
	barrier();
	l->seq++;
	if (file && key->kind != OBJECT_PIPE)
		object_named(key, (__u64)file);
	return victim + 1;
}

static __always_inline void object_add(struct ledger_thread *l, __u64 ns)
{
	__u32 slot = l->object;

	if (!slot)
		return;
	stat_add(&l->objects[(slot - 1) & (LEDGER_OBJECTS - 1)].stat, ns);
	l->object = 0;
}

/* ---- causes ---- */

/*
 * A stop or a freeze ends a sleep early, and the kernel goes on with it by a call of its own,
 * whose arguments say nothing: it is the last block again.
 */
static __always_inline __u32 resumed_cause(struct ledger_thread *l, struct object_key *key)
{
	if (l->last_object)
		*key = l->objects[(l->last_object - 1) & (LEDGER_OBJECTS - 1)].key;
	return l->last_state >= STATE_BLOCKED ? l->last_state : STATE_OTHER;
}

static __always_inline __u32 call_cause(struct ledger_thread *l, struct task_struct *task,
					struct object_key *key, struct file **file, bool iowait)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	long nr = regs->orig_ax;
	__u32 index = nr & (CAUSE_CALLS - 1), state, where;
	bool compat = task->thread_info.status & TS_COMPAT;

	if (nr < 0) /* no call: an exception, which blocks to bring in a page */
		return task->flags & PF_EXITING ? STATE_OTHER : STATE_PAGE_FAULT;
	if (nr == (compat ? I386_RESTART_SYSCALL : __NR_restart_syscall))
		return resumed_cause(l, key);
	state = compat ? causes.compat[index].state : causes.native[index].state;
	where = compat ? causes.compat[index].where : causes.native[index].where;
	if (where == WHERE_FUTEX) {
		key->a = compat ? (__u32)regs->bx : regs->di;
		key->kind = OBJECT_FUTEX;
	} else if (where == WHERE_SYSV) {
		key->a = (__u32)(compat ? regs->bx : regs->di);
		key->kind = OBJECT_SYSV;
	} else if (where == WHERE_FD0) {
		*file = file_of_fd(task, compat ? regs->bx : regs->di);
		if (*file)
			state = file_cause(*file, state, key);
	}
	if (state == CAUSE_BY_FILE) /* the descriptor was closed meanwhile */
		state = STATE_OTHER;
	if (iowait && state != STATE_IO_URING) {
		if (key->kind != OBJECT_FILE)
			key->kind = OBJECT_NONE;
		return STATE_DISK;
	}
	return state;
}

/* Why does `task` block? Fills the object's key and, where it has one, its file. */
static __always_inline __u32 cause_of(struct ledger_thread *l, struct task_struct *task, __u32 ts,
				      struct object_key *key, struct file **file)
{
	bool iowait = BPF_CORE_READ_BITFIELD(task, in_iowait);

	if ((ts & (TASK_STOPPED | TASK_TRACED | TASK_FROZEN)) ||
	    (task->jobctl & JOBCTL_TRAP_FREEZE))
		return STATE_STOPPED;
	if (l->lock) {
		key->a = l->lock;
		key->kind = OBJECT_KLOCK;
		return STATE_KERNEL_LOCK;
	}
	if (task->flags & PF_IO_WORKER)
		return iowait ? STATE_DISK : STATE_IO_URING;
	return call_cause(l, task, key, file, iowait);
}

static __always_inline __u32 block_task(struct ledger_thread *l, struct task_struct *task, __u32 ts)
{
	struct object_key key = {};
	struct file *file = NULL;
	__u32 state = cause_of(l, task, ts, &key, &file);

	if (key.kind != OBJECT_NONE) {
		key.state = state;
		l->object = object_slot(l, &key, file);
	}
	if (state != STATE_STOPPED && state != STATE_KERNEL_LOCK) {
		l->last_state = state;
		l->last_object = l->object;
	}
	return state;
}

/* At a switch the thread that leaves is still current. */
__noinline int block_current(struct ledger_thread *l, __u32 ts)
{
	return l ? block_task(l, bpf_get_current_task_btf(), ts) : STATE_OTHER;
}

#endif
