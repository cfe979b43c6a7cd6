/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * place: one step of a walk (walk.bpf.h): which file and row of its table an address is, and
 * from there to the caller (step.h).
 *
 * A step is cheap when it calls nothing: each call and each return costs, where the processor
 * is told to mistrust returns, as much as all else. So addresses that a CPU has found lately it
 * finds again in a table of its own, and words of the target's stack are read many at once.
 */
#ifndef DWELL_STACKS_PLACE_BPF_H
#define DWELL_STACKS_PLACE_BPF_H

#include "mappings.bpf.h"

enum stacks_level {
	STACKS_CALL,   /* process context: return of a system call, fork, exec */
	STACKS_SWITCH, /* sched_switch, sched_waking */
	STACKS_SAMPLE, /* perf_event */
	STACKS_UPROBE, /* may be preempted by another thread's */
	STACKS_LEVELS
};

#define WINDOW_WORDS 128 /* of the target's stack, read at once */

/* A walk under way, and what it found. In a map: the verifier need not follow its values. */
struct stacks_work {
	struct stacks_regs r;
	__u64 hash;
	__u32 at;    /* mapping of the last frame */
	__u32 busy;  /* taken, at STACKS_UPROBE */
	__u32 raw;   /* a frame is RAW: the hash is this process's */
	__u32 late;  /* the walk ended at a file whose table is not made yet */
	__u32 child; /* the task has not come back from the call that made it */
	__u32 pad;
	__u64 pc, sp, bp, di; /* where it began */
	__u64 window_from;    /* address of the first word there */
	__u64 window_bytes;
	__u64 window[WINDOW_WORDS];
	union {
		struct stacks_body body;
		__u64 space[sizeof(struct stacks_body) / 8 + STACK_FRAMES + 1];
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STACKS_LEVELS);
	__type(key, __u32);
	__type(value, struct stacks_work);
} stacks_works SEC(".maps");

/*
 * Addresses that were found: of a list of mappings that has not changed since, and of a table
 * that was there, which stays.
 */
struct stacks_known {
	__u64 pc; /* and KNOWN_EXACT */
	__u32 proc_id;
	__u32 seq; /* struct stacks_maps's */
	__u64 frame;
	struct unwind_row row;
};

#define KNOWN_EXACT (1ULL << 63)
#define KNOWN_SHIFT 8

#define KNOWN_STACKS 64

struct stacks_knowns {
	struct stacks_known list[1 << KNOWN_SHIFT];
	__u64 told[KNOWN_STACKS]; /* hashes of stacks, of those in stacks_seen */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STACKS_LEVELS);
	__type(key, __u32);
	__type(value, struct stacks_knowns);
} stacks_known SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << 19); /* 256 MB of code, 4 MB */
	__type(key, __u32);
	__type(value, struct unwind_page);
} stacks_pages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 3072); /* 3 million rows, 24 MB */
	__type(key, __u32);
	__type(value, struct stacks_block);
} stacks_blocks SEC(".maps");

static __always_inline struct stacks_work *stacks_work_of(__u32 level)
{
	return bpf_map_lookup_elem(&stacks_works, &level);
}

static __always_inline __u64 hash_mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

/* Of a walk: what a step is given. On the stack, for it holds pointers into maps. */
struct stacks_walk {
	struct stacks_work *work;
	struct stacks_maps *maps;
	struct stacks_knowns *known;
	__u32 proc_id;
	__u32 seq; /* of the maps, as the walk began */
};

static __always_inline int walk_end(struct stacks_work *w, __u32 end)
{
	w->r.end = end;
	return 1;
}

static __always_inline void walk_push(struct stacks_work *w, __u32 i, __u64 frame)
{
	if (w->r.exact)
		frame |= FRAME_EXACT;
	if (i < STACK_FRAMES)
		w->body.frames[i] = frame;
	w->body.n = i + 1;
	w->hash = hash_mix(w->hash, frame);
}

static __always_inline void walk_push_raw(struct stacks_work *w, __u32 i)
{
	w->raw = 1;
	walk_push(w, i, (__u64)FRAME_RAW << FRAME_KIND_SHIFT | (w->r.pc & FRAME_RAW_MASK));
}

/* ---- where an address is ---- */

static __always_inline struct stacks_mapping *walk_mapping(struct stacks_walk *c, __u64 pc)
{
	struct stacks_maps *maps = c->maps;
	struct stacks_mapping *m;
	__u32 at = c->work->at;

	if (at < STACKS_MAPPINGS) {
		m = &maps->list[at];
		if (pc >= m->start && pc < m->end)
			return m;
	}
	at = maps_after(maps, pc);
	barrier_var(at);
	if (at >= STACKS_MAPPINGS || at >= maps->n)
		return NULL;
	c->work->at = at;
	m = &maps->list[at];
	return pc >= m->start && pc < m->end ? m : NULL;
}

/* The row in force at `at`, bytes from the table's base on; *row stays as it is: none. */
static __always_inline void row_find(const struct stacks_file *f, __u64 at, struct unwind_row *row)
{
	__u32 page = at >> UNWIND_PAGE_SHIFT, block, low, n, next, found, i;
	struct unwind_page *p;
	struct stacks_block *b;

	if (at >> 32 || page >= f->npages)
		return;
	page += f->page;
	p = bpf_map_lookup_elem(&stacks_pages, &page);
	if (!p || p->low >= p->high)
		return;
	low = p->low;
	n = p->high - low;
	block = low >> STACKS_BLOCK_SHIFT;
	b = bpf_map_lookup_elem(&stacks_blocks, &block);
	if (!b)
		return;
	found = 0;
#pragma unroll
	for (__u32 step = UNWIND_PAGE; step; step >>= 1) {
		next = found + step;
		i = low + next - 1;
		barrier_var(i);
		i &= STACKS_BLOCK - 1;
		found += step & -(not_below(n, next) & not_below(at, b->rows[i].pc));
	}
	if (found)
		*row = b->rows[(low + found - 1) & (STACKS_BLOCK - 1)];
}

/* Bytes from the table's base on, of a place in the file; -1: in no segment of it. */
static __always_inline __u64 file_at(const struct stacks_file *f, __u64 offset)
{
	for (__u32 i = 0; i < STACKS_SEGMENTS && i < f->nsegments; i++)
		if (offset - f->segments[i].offset < f->segments[i].size)
			return offset - f->segments[i].offset + f->segments[i].at;
	return -1ULL;
}

#define UPROBE_AREA 0x7fffffffe000ULL /* the kernel's first choice for its mapping */
#define UPROBE_SLOT 128               /* UPROBE_XOL_SLOT_BYTES */
#define UPROBE_TRAMPOLINE 64          /* bytes that it may push */
#define UPROBE_RETURNS 16             /* innermost ones that are looked at */

/* The function that returns to the trampoline with this stack: back to its caller. */
static __always_inline int walk_return(struct stacks_work *w, struct return_instance *r)
{
	__u64 stack;

	for (int i = 0; i < UPROBE_RETURNS && r; i++) {
		stack = KREAD(r, stack) + 8;
		if (w->r.exact ? stack - w->r.sp <= UPROBE_TRAMPOLINE : stack == w->r.sp) {
			w->r.pc = KREAD(r, orig_ret_vaddr);
			w->r.sp = stack;
			w->r.exact = 0;
			return 1;
		}
		r = KREAD(r, next);
	}
	return 0;
}

/*
 * Uprobes, ours (--alloc) or anybody's: at a function's return the kernel's trampoline comes
 * first, and an instruction under a probe may run in another place. Neither is in a mapping that
 * is known. 1: the registers are now as they were without the probe.
 */
static __noinline int walk_uprobe(struct stacks_work *w)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct uprobe_task *u;
	__u64 slot;

	if (!bpf_core_field_exists(task->utask))
		return 0;
	u = KREAD_KNOWN(task, utask);
	if (!u)
		return 0;
	slot = KREAD(u, xol_vaddr);
	if (w->r.exact && slot && w->r.pc - slot < UPROBE_SLOT) {
		w->r.pc = KREAD(u, vaddr) + (w->r.pc - slot);
		return 1;
	}
	if (walk_return(w, KREAD(u, return_instances)))
		return 1;
	/* the trampoline once it is through: two registers, and where it will return to */
	if (!w->r.exact || (w->r.pc & -STACKS_PAGE) != UPROBE_AREA ||
	    bpf_probe_read_user(&w->r.pc, sizeof(w->r.pc), (void *)(w->r.sp + 16)))
		return 0;
	w->r.sp += 24;
	w->r.exact = 0;
	return 1;
}

/*
 * Where is pc: writes the frame and finds its row (UNWIND_NONE: none). 1: the walk ends.
 */
static __noinline int walk_place(__u32 i, struct stacks_walk *c, struct stacks_known *k)
{
	struct stacks_work *w = c->work;
	__u64 pc = w->r.exact ? w->r.pc : w->r.pc - 1, frame;
	struct stacks_mapping *m = walk_mapping(c, pc);
	struct unwind_row row = {};
	struct stacks_file *f;
	__u32 file;

	k->pc = 0;
	k->row = row;
	if (!m && walk_uprobe(w)) {
		if (!w->body.n) { /* also of a copy that is made of it */
			w->pc = w->r.pc;
			w->sp = w->r.sp;
		}
		pc = w->r.exact ? w->r.pc : w->r.pc - 1;
		m = walk_mapping(c, pc);
	}
	if (!m) {
		if (w->r.guess) /* not taken for a frame */
			return walk_end(w, STACK_NO_ROW);
		walk_push_raw(w, i);
		return walk_end(w, STACK_NO_MAPPING);
	}
	frame = m->place + (pc - m->start);
	file = frame >> FRAME_FILE_SHIFT;
	f = m->place ? bpf_map_lookup_elem(&stacks_files, &file) : NULL;
	if (!f || (f->flags & (STACKS_FILE_READY | STACKS_FILE_CODE)) == STACKS_FILE_READY) {
		walk_push_raw(w, i);
		return 0;
	}
	walk_push(w, i, frame + !w->r.exact);
	if (!(f->flags & STACKS_FILE_READY)) {
		if (!f->told)
			file_tell(f, file, m->start, m->end, current_pid());
		w->late = 1;
		return walk_end(w, STACK_NO_TABLE);
	}
	if (f->flags & STACKS_FILE_NO_TABLE)
		return walk_end(w, f->flags & STACKS_FILE_NO_ROOM ? STACK_NO_ROOM : STACK_NO_FILE);
	row_find(f, file_at(f, frame & FRAME_OFFSET_MASK), &row);
	k->frame = frame + !w->r.exact;
	k->row = row;
	k->proc_id = c->proc_id;
	k->seq = c->seq;
	k->pc = w->r.pc | (w->r.exact ? KNOWN_EXACT : 0);
	return 0;
}

/* ---- to the caller ---- */

/* Reads on from an address: to the end of its page, for the next one may not be there. */
static __noinline int window_read(struct stacks_work *w, __u64 from)
{
	__u32 size = STACKS_PAGE - (from & (STACKS_PAGE - 1));

	if (size > sizeof(w->window))
		size = sizeof(w->window);
	barrier_var(size);
	if (size > sizeof(w->window) || size < sizeof(w->window[0]))
		return -1;
	w->window_from = from;
	w->window_bytes = size;
	if (!bpf_probe_read_user(w->window, size, (void *)from))
		return 0;
	w->window_bytes = 0;
	return -1;
}

/* A word of the target's stack. */
static __always_inline int window_word(struct stacks_work *w, __u64 *to, __u64 from)
{
	__u64 at = from - w->window_from;

	if ((at & 7) || at >= w->window_bytes) { /* which is a multiple of 8 */
		if (window_read(w, from))
			return -1;
		at = 0;
	}
	*to = w->window[at >> 3 & (WINDOW_WORDS - 1)];
	return 0;
}

#define STEP_READ(to, size, from) bpf_probe_read_user(to, size, (void *)(from))
#define STEP_WORD(r, to, from) window_word((struct stacks_work *)(r), to, from)
#include "step.h"

static __always_inline void walk_begin(struct stacks_work *w, __u32 follow)
{
	w->hash = w->raw = w->late = w->body.n = 0;
	w->at = STACKS_MAPPINGS;
	w->r.pc = w->pc;
	w->r.sp = w->sp;
	w->r.bp = w->bp;
	w->r.di = w->di;
	step_begin(&w->r, follow);
}

/* A step that is not like most. */
static __always_inline int walk_other(struct stacks_work *w, const struct unwind_row *row)
{
	if (!step_up(&w->r, row))
		return 0;
	if (w->r.end != STEP_AGAIN)
		return 1;
	walk_begin(w, STEP_FOLLOW);
	return 0;
}

static long walk_step(__u32 i, struct stacks_walk *c)
{
	struct stacks_work *w = c->work;
	__u32 n = w->body.n;
	__u64 pc = w->r.pc | (w->r.exact ? KNOWN_EXACT : 0);
	struct stacks_known *k;
	struct unwind_row row;

	if (n >= STACK_FRAMES)
		return walk_end(w, STACK_DEEP);
	k = &c->known->list[pc * 0x9e3779b97f4a7c15ULL >> (64 - KNOWN_SHIFT)];
	if (k->pc == pc && k->proc_id == c->proc_id && k->seq == c->seq)
		walk_push(w, n, k->frame);
	else if (walk_place(n, c, k))
		return 1;
	row = k->row;
	if (row.rule == UNWIND_RSP || row.rule == UNWIND_RBP)
		return step_framed(&w->r, &row);
	return walk_other(w, &row);
}

#endif
