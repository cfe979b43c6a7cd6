/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * walk: the user stack of the current task, from its registers to the thread's start, over the
 * mappings (mappings.bpf.h) and tables (stacks_files, _pages, _blocks; filled by files.c).
 *
 * Use, in any program whose current task is the one in question:
 *	hash = stacks_user(STACKS_SWITCH, t);               registers saved at the kernel's entry
 *	hash = stacks_user_at(STACKS_UPROBE, t, ip, sp, bp, di);                   registers given
 * Either walks, tells the stack through `events` if it is new, and returns its hash; 0: none
 * was taken (counted). A level is a place where a walk may interrupt another on its CPU.
 *	work = stacks_work_of(level); fill work->body.frames; hash = stacks_tell(level, t, n, end)
 * does the same for frames that come from elsewhere (kernel stacks). At STACKS_UPROBE there is no
 * hash either while a table on the way is still being made.
 *
 * Cost: docs/benchmarks.md. Limits: STACK_FRAMES frames; code without a table is crossed by
 * frame pointers, which may leave out a function that keeps none.
 */
#ifndef DWELL_STACKS_WALK_BPF_H
#define DWELL_STACKS_WALK_BPF_H

#include <asm/unistd.h>

#include "place.bpf.h"

#define CLONE_ARGS_STACK 40 /* struct clone_args: stack, stack_size */

/* Hashes of stacks that user space knows. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u8);
} stacks_seen SEC(".maps");

/* ---- a walk ---- */

/*
 * No mappings of the current process are known: asks user space for them, once. Returns how
 * the walk ends: of the command before its first exec none are wanted.
 */
static __noinline int maps_ask(__u32 proc_id)
{
	struct target *t = target_current();
	struct event_head *e;
	struct stacks_maps *maps;

	if (!t)
		return STACK_NO_USER;
	maps = maps_open(proc_id);
	if (maps && (t->flags & TARGET_PREEXEC)) { /* the exec will find this */
		maps->mm = STACKS_MM_OLD;
		return STACK_NO_USER;
	}
	if (!maps || __sync_lock_test_and_set(&maps->asked, 1))
		return STACK_NO_PROCESS;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		maps->asked = 0; /* again at the next stack */
		return STACK_NO_PROCESS;
	}
	*e = (struct event_head){ .kind = EVENT_STACKS_PROCESS, .who = *t };
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return STACK_NO_PROCESS;
}

static __always_inline int walk_frames(struct stacks_work *w, struct stacks_maps *maps, __u32 level,
				       __u32 proc_id, bool newborn)
{
	__u32 seq = *(volatile __u32 *)&maps->seq;
	struct stacks_walk c = {
		.work = w,
		.maps = maps,
		.known = bpf_map_lookup_elem(&stacks_known, &level),
		.proc_id = proc_id,
		.seq = seq,
	};

	if (!c.known)
		return 0;
	bpf_loop(newborn ? 1 : 2 * (STACK_FRAMES + 1), walk_step, &c, 0);
	if (newborn)
		w->r.end = STACK_WHOLE;
	if ((seq & 1) || seq != *(volatile __u32 *)&maps->seq) { /* changed under the walk */
		w->hash = w->raw = w->late = w->body.n = 0;
		w->r.end = STACK_NO_PROCESS;
	}
	return 0;
}

/*
 * A thread that has not come back from the call that made it, on a stack of its own: there is
 * nothing on it yet, or what was there before. clone3's arguments may be gone by now, but not
 * those of a child that goes on where its parent was: it has a copy, or the parent waits for it.
 */
static __noinline int is_newborn(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 stack[2] = {}; /* of struct clone_args: lowest address and size */

	if (regs->orig_ax == __NR_clone)
		return regs->si && regs->si == regs->sp;
	return bpf_probe_read_user(stack, sizeof(stack), (void *)(regs->di + CLONE_ARGS_STACK)) ||
	       stack[0] || stack[1];
}

/* The user stack of the current task from work->r on: into work->body. */
static __always_inline int walk_user(struct stacks_work *w, __u32 level, __u32 proc_id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 mm = (__u64)KREAD_KNOWN(task, mm);
	struct stacks_maps *maps;

	walk_begin(w, STEP_PASS);
	w->window_bytes = 0;
	w->r.end = STACK_NO_USER;
	if (!mm || (task->flags & (PF_KTHREAD | PF_IO_WORKER | PF_EXITING)))
		return 0;
	maps = maps_of(proc_id);
	if (!maps || !maps->mm) {
		w->r.end = maps_ask(proc_id);
		return 0;
	}
	if (maps->mm == mm) /* else in an exec, between the two programs */
		walk_frames(w, maps, level, proc_id, w->child && is_newborn(task));
	/* a new thread's could not be read, or is at the end of its memory */
	if (w->r.end == STACK_UNREAD && w->body.n == 1 &&
	    (w->child || !(w->sp & (STACKS_PAGE - 1))))
		w->r.end = STACK_WHOLE;
	if (w->raw)
		w->hash = hash_mix(w->hash, proc_id);
	return 0;
}

/* Bytes of the stack that could be copied. A page that is not there ends it. */
static __always_inline __u32 copy_stack(struct stacks_copy *e, __u64 sp)
{
	__u32 at = 0, size;

#pragma unroll
	for (int i = 0; i < STACKS_COPY_BYTES / STACKS_COPY_PAGE + 1; i++) {
		size = STACKS_COPY_PAGE - ((sp + at) & (STACKS_COPY_PAGE - 1));
		barrier_var(at);
		if (at > STACKS_COPY_BYTES - STACKS_COPY_PAGE)
			break;
		if (bpf_probe_read_user(e->stack + at, size, (void *)(sp + at)))
			break;
		at += size;
	}
	return at;
}

/*
 * Who walks the copy cannot ask for what uprobes have put in the place of return addresses:
 * they are put back.
 */
static __always_inline int copy_returns(struct stacks_copy *e, __u64 sp)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct uprobe_task *u = NULL;
	struct return_instance *r;
	__u64 at;

	if (bpf_core_field_exists(task->utask))
		u = KREAD_KNOWN(task, utask);
	r = u ? KREAD(u, return_instances) : NULL;
	for (int i = 0; i < UPROBE_RETURNS && r; i++) {
		at = KREAD(r, stack) - sp;
		barrier_var(at);
		if (at < STACKS_COPY_BYTES)
			*(__u64 *)(e->stack + (at & (STACKS_COPY_BYTES - 8))) =
				KREAD(r, orig_ret_vaddr);
		r = KREAD(r, next);
	}
	return 0;
}

/* The process's mappings, as they are at one moment. */
static __always_inline bool copy_list(struct stacks_copy *e, struct stacks_maps *maps)
{
	__u32 seq = *(volatile __u32 *)&maps->seq, n = maps->n;

	barrier_var(n);
	if ((seq & 1) || n > STACKS_MAPPINGS ||
	    bpf_probe_read_kernel(e->list, n * sizeof(e->list[0]), maps->list))
		return false;
	e->n = n;
	return seq == *(volatile __u32 *)&maps->seq;
}

/* Has the level's stack walked by user space. Returns the hash that it will have; 0: none. */
__noinline __u64 stacks_send_copy(__u32 level, __u32 proc_id)
{
	struct stacks_work *w = stacks_work_of(level);
	struct stacks_maps *maps = maps_of(proc_id);
	struct stacks_copy *e;

	if (!w || !maps)
		return 0;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		counter_add(COUNTER_LOST_STACK_COPY);
		return 0;
	}
	if (!copy_list(e, maps)) {
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
		counter_add(COUNTER_LOST_STACK_COPY);
		return 0;
	}
	e->head = (struct event_head){ .kind = EVENT_STACKS_COPY, .who = w->body.head.who };
	e->hash = hash_mix(hash_mix(bpf_ktime_get_ns(), bpf_get_current_pid_tgid()), w->sp) | 1;
	e->pc = w->pc;
	e->sp = w->sp;
	e->bp = w->bp;
	e->di = w->di;
	e->known = w->r.known;
	__builtin_memcpy(e->gp, w->r.gp, sizeof(e->gp));
	e->bytes = copy_stack(e, w->sp);
	copy_returns(e, w->sp);
	w->hash = e->hash;
	event_submit(e);
	return w->hash;
}

/*
 * Tells the n frames in the level's body, unless user space knows them; returns their hash.
 * `seed`: 0, or what else makes them differ. Functions that are not static are checked once
 * by the verifier, not at each call.
 */
__noinline __u64 stacks_tell(__u32 level, __u32 n, __u32 end, __u64 seed)
{
	struct stacks_knowns *known = bpf_map_lookup_elem(&stacks_known, &level);
	struct stacks_work *w = stacks_work_of(level);
	__u64 hash = seed, *told;
	__u8 one = 1;

	if (!w || !known || n > STACK_FRAMES)
		return 0;
	hash = hash_mix(hash_mix(hash, n), end);
	hash = hash ? hash : 1;
	told = &known->told[hash & (KNOWN_STACKS - 1)];
	if (*told == hash)
		return hash;
	if (bpf_map_lookup_elem(&stacks_seen, &hash)) {
		*told = hash;
		return hash;
	}
	w->body.head.kind = EVENT_STACKS_BODY;
	w->body.head.flags = 0;
	w->body.hash = hash;
	w->body.n = n;
	w->body.end = end;
	w->body.pad = 0;
	if (bpf_ringbuf_output(&events, &w->body, sizeof(w->body) + n * sizeof(w->body.frames[0]),
			       event_wake_flags()))
		counter_add(COUNTER_LATE_STACK);
	else if (bpf_map_update_elem(&stacks_seen, &hash, &one, BPF_ANY))
		counter_add(COUNTER_LOST_STACK);
	return hash;
}

/* A kernel stack, n addresses in the level's body. */
__noinline __u64 stacks_tell_kernel(__u32 level, __u32 n)
{
	struct stacks_work *w = stacks_work_of(level);

	if (!w || n > STACK_FRAMES)
		return 0;
	w->hash = 0;
	for (__u32 i = 0; i < STACK_FRAMES && i < n; i++)
		w->hash = hash_mix(w->hash, w->body.frames[i]);
	return stacks_tell(level, n, n == STACK_FRAMES ? STACK_DEEP : STACK_WHOLE, w->hash);
}

/* Walks from work->r on and tells. */
__noinline __u64 stacks_walk_tell(__u32 level, __u32 proc_id)
{
	struct stacks_work *w = stacks_work_of(level);
	__u64 hash;

	if (!w)
		return 0;
	walk_user(w, level, proc_id);
	if (w->late && level == STACKS_UPROBE) /* so many of them that copies would fill the ring */
		return 0;
	if (w->late) {
		hash = stacks_send_copy(level, proc_id);
		if (hash)
			return hash;
	}
	return stacks_tell(level, w->body.n, w->r.end, w->hash);
}

/* A level's work, for registers to be put in. NULL: it is taken (counted). */
static __always_inline struct stacks_work *walk_take(__u32 level)
{
	struct stacks_work *w = stacks_work_of(level);

	if (w && level == STACKS_UPROBE && __sync_lock_test_and_set(&w->busy, 1)) {
		counter_add(COUNTER_BUSY_STACK);
		return NULL;
	}
	if (w) {
		w->r.known = STEP_KNOWN_NONE;
		w->child = 0;
	}
	return w;
}

static __always_inline __u64 walk_from(struct stacks_work *w, __u32 level, const struct target *t,
				       __u64 ip, __u64 sp, __u64 bp, __u64 di)
{
	__u64 hash;

	w->body.head.who = *t;
	w->pc = ip;
	w->sp = sp;
	w->bp = bp;
	w->di = di;
	hash = stacks_walk_tell(level, t->proc_id);
	if (level == STACKS_UPROBE)
		w->busy = 0;
	return hash;
}

/* From these registers. */
static __always_inline __u64 stacks_user_at(__u32 level, const struct target *t, __u64 ip, __u64 sp,
					    __u64 bp, __u64 di)
{
	struct stacks_work *w = walk_take(level);

	return w ? walk_from(w, level, t, ip, sp, bp, di) : 0;
}

/* All registers, by DWARF's numbers, of a struct pt_regs or a sample's. */
#define WALK_REGISTERS(w, regs)                                                                    \
	do {                                                                                       \
		(w)->r.gp[0] = (regs)->ax;                                                         \
		(w)->r.gp[1] = (regs)->dx;                                                         \
		(w)->r.gp[2] = (regs)->cx;                                                         \
		(w)->r.gp[3] = (regs)->bx;                                                         \
		(w)->r.gp[4] = (regs)->si;                                                         \
		(w)->r.gp[5] = (regs)->di;                                                         \
		(w)->r.gp[8] = (regs)->r8;                                                         \
		(w)->r.gp[9] = (regs)->r9;                                                         \
		(w)->r.gp[10] = (regs)->r10;                                                       \
		(w)->r.gp[11] = (regs)->r11;                                                       \
		(w)->r.gp[12] = (regs)->r12;                                                       \
		(w)->r.gp[13] = (regs)->r13;                                                       \
		(w)->r.gp[14] = (regs)->r14;                                                       \
		(w)->r.gp[15] = (regs)->r15;                                                       \
		(w)->r.known = STEP_KNOWN_ALL;                                                     \
	} while (0)

/*
 * From those that the current task had when it came into the kernel. A call's leaf is found by
 * rsp: of its other registers rbx is enough.
 */
static __always_inline __u64 stacks_user(__u32 level, const struct target *t)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct stacks_work *w = walk_take(level);

	if (!w)
		return 0;
	if ((__s64)regs->orig_ax < 0) {
		WALK_REGISTERS(w, regs);
	} else {
		w->r.gp[STEP_RBX] = regs->bx;
		w->r.known = STEP_KNOWN_RBX;
		w->child =
			!regs->ax && (regs->orig_ax == __NR_clone || regs->orig_ax == __NR_clone3);
	}
	return walk_from(w, level, t, regs->ip, regs->sp, regs->bp, regs->di);
}

#endif
