/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Python frames of the current thread: from _PyRuntime to its thread state (the one that bears
 * its number in its own PID namespace), from there frame by frame. A frame leaves as the number
 * of its code object and the instruction; the code object is told once, with names and line
 * table, so that the process may be long gone when they are wanted.
 *
 * Hooks: none; called after the user's stack was taken.
 *        Cost: about 60 ns a frame; a code object's first time some us.
 * Keeps: stacks_python_codes, stacks_python_threads, stacks_python_procs: what falls out is
 *        found again.
 *
 * The reads are of a program that may be changing what is read (a sample on a CPU): each is
 * checked, nothing is followed without bound.
 */
#ifndef DWELL_STACKS_PYTHON_BPF_H
#define DWELL_STACKS_PYTHON_BPF_H

#include "python_layout.h"
#include "python_process.bpf.h"
#include "walk.bpf.h"

#define PYTHON_STATES 4096  /* thread states looked at to find one */
#define PYTHON_OWNER_LOOP 3 /* FRAME_OWNED_BY_CSTACK: stands for the entry itself */

struct python_thread {
	__u64 state;    /* 0: it has none */
	__u64 retry_ns; /* not looked for again before */
	__u32 misses;   /* how often it was looked for in vain */
	__u32 proc_id;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32); /* thread_id */
	__type(value, struct python_thread);
} stacks_python_threads SEC(".maps");

struct python_code_key {
	__u64 code;
	__u32 proc_id;
	__u32 pad;
};

struct python_code {
	struct python_strings check; /* another code object may come to lie there */
	__s32 first_line;            /* ditto, made of the same name and line table */
	__u32 number;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct python_code_key);
	__type(value, struct python_code);
} stacks_python_codes SEC(".maps");

/* What is being worked on, one for each level (enum stacks_level). */
struct python_work {
	struct python_layout at;
	struct python_strings strings;
	__u64 state, interp; /* the thread state, and its interpreter, being looked at */
	__u64 frame, code, code_type;
	__u32 tid, proc_id;
	__s32 first_line; /* of the code object */
	__u32 n, end;
	__u32 more; /* the frame before belongs to the same entry */
	__u32 level;
	__u8 raw[128]; /* PYTHON_FRAME_SIZE of it are read */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STACKS_LEVELS);
	__type(key, __u32);
	__type(value, struct python_work);
} stacks_python_works SEC(".maps");

/* Of each level: a sample may interrupt the telling of what a wait has met. */
struct python_draft {
	struct python_code_event event;
	__u8 lines[PYTHON_LINES];
	struct python_code_place place;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STACKS_LEVELS);
	__type(key, __u32);
	__type(value, struct python_draft);
} stacks_python_drafts SEC(".maps");

#define PYTHON_READ(to, from) bpf_probe_read_user(&(to), sizeof(to), (void *)(from))

/* ---- a code object is told ---- */

/* Reads a str: its last `room` bytes (a power of two) if it is longer. */
static __always_inline bool python_text(const struct python_layout *at, __u64 text,
					struct python_text *t, __u8 *bytes, __u32 room)
{
	__u64 size, data, bytes_size, skip;
	__u32 state, length;

	if (PYTHON_READ(size, text + at->text_size) || PYTHON_READ(state, text + at->text_state))
		return false;
	t->kind = state >> 2 & 7;
	/* compact: the characters follow; no str is larger */
	if (!(state & 1 << 5) || (t->kind != 1 && t->kind != 2 && t->kind != 4) || size >> 31)
		return false;
	data = text + (state & 1 << 6 ? at->text_ascii : at->text_data);
	bytes_size = size * t->kind;
	skip = bytes_size > room ? bytes_size - room : 0;
	length = bytes_size - skip;
	barrier_var(length);
	if (length > room)
		return false;
	t->size = size;
	t->length = length;
	return !bpf_probe_read_user(bytes, length, (void *)(data + skip));
}

static __always_inline bool python_draft_fill(struct python_draft *d, const struct python_work *w)
{
	const struct python_layout *at = &w->at;
	struct python_code_event *e = &d->event;
	__u32 length;
	__u64 size;

	e->first_line = w->first_line;
	if (!python_text(at, w->strings.name, &e->name, e->name_bytes, PYTHON_NAME) ||
	    !python_text(at, w->strings.path, &e->path, e->path_bytes, PYTHON_PATH) ||
	    PYTHON_READ(size, w->strings.lines + at->bytes_size) || size >> 31)
		return false;
	e->lines_size = size;
	length = size > PYTHON_LINES ? PYTHON_LINES : size;
	barrier_var(length);
	if (length > PYTHON_LINES)
		return false;
	return !bpf_probe_read_user(d->lines, length, (void *)(w->strings.lines + at->bytes_data));
}

/* Whether w->code is a code object: a frame that is being made, or gone, need not have one. */
static __always_inline bool python_is_code(const struct python_work *w)
{
	__u64 type;

	return !PYTHON_READ(type, w->code + sizeof(__u64)) && type == w->code_type;
}

/* Tells where user space finds what could not be read. */
static __noinline int python_tell_place(struct python_draft *d, const struct python_work *w,
					__u32 number)
{
	struct python_code_place *e = &d->place;

	e->head.kind = EVENT_STACKS_CODE_AT;
	e->head.who.proc_id = w->proc_id;
	e->head.who.pid = current_pid();
	e->number = number;
	e->first_line = w->first_line;
	e->code = w->code;
	e->strings = w->strings;
	e->at = w->at;
	return !bpf_ringbuf_output(&events, e, sizeof(*e), BPF_RB_FORCE_WAKEUP);
}

/* Tells of the code object w->code under that number. */
static __noinline int python_tell(struct python_work *w, __u32 number)
{
	__u32 level = w->level, length;
	struct python_draft *d = bpf_map_lookup_elem(&stacks_python_drafts, &level);

	if (!d)
		return 0;
	if (!python_draft_fill(d, w))
		return python_tell_place(d, w, number);
	d->event.head.kind = EVENT_STACKS_CODE;
	d->event.head.who.proc_id = w->proc_id;
	d->event.number = number;
	length = d->event.lines_size;
	if (length > PYTHON_LINES)
		length = PYTHON_LINES;
	return !bpf_ringbuf_output(&events, &d->event, sizeof(d->event) + length,
				   event_wake_flags());
}

#define PYTHON_NO_CODE (-1U)

/* The number of w->code, a new one told first; 0: it could not be. */
static __noinline __u32 python_number(struct python_work *w)
{
	struct python_code_key key = { .code = w->code, .proc_id = w->proc_id };
	struct python_code *known;
	struct python_code new = { .check = w->strings, .first_line = w->first_line };

	known = bpf_map_lookup_elem(&stacks_python_codes, &key);
	if (known && known->check.path == w->strings.path && known->check.name == w->strings.name &&
	    known->check.lines == w->strings.lines && known->first_line == w->first_line)
		return known->number;
	if (!python_is_code(w))
		return PYTHON_NO_CODE;
	new.number = counter_add(COUNTER_NEXT_PYTHON_CODE) + 1;
	if (!python_tell(w, new.number)) {
		counter_add(COUNTER_LOST_PYTHON_CODE);
		return 0;
	}
	bpf_map_update_elem(&stacks_python_codes, &key, &new, BPF_ANY);
	return new.number;
}

/* ---- frames ---- */

static __always_inline void python_push(struct stacks_work *s, struct python_work *w, __u64 word)
{
	__u32 n = w->n;

	if (n >= STACK_FRAMES)
		return;
	s->body.frames[n] = (__u64)FRAME_PYTHON << FRAME_KIND_SHIFT | word;
	w->n = n + 1;
}

/* The frames pushed last were entered from C. */
static __always_inline void python_entered(struct stacks_work *s, struct python_work *w)
{
	__u32 before = w->n - 1;

	if (!w->more)
		python_push(s, w, PYTHON_ENTRY);
	else if (before < STACK_FRAMES)
		s->body.frames[before] |= PYTHON_ENTRY;
	w->more = 0;
}

/* An offset in a frame that the verifier believes. */
#define PYTHON_FRAME_U64(w, offset) (*(__u64 *)((w)->raw + ((w)->at.offset & 63)))
#define PYTHON_FRAME_U8(w, offset) ((w)->raw[(w)->at.offset & 127])

static __always_inline __u64 python_instr(struct python_work *w)
{
	__s64 bytes = PYTHON_FRAME_U64(w, frame_instr) - (w->code + w->at.code_instrs);

	return (bytes >> 1) & PYTHON_INSTR_MASK;
}

struct python_walk {
	struct python_work *w;
	struct stacks_work *s;
};

static long python_step(__u32 i, struct python_walk *c)
{
	struct python_work *w = c->w;
	__u64 number;

	if (!w->frame)
		return 1;
	if (i >= STACK_FRAMES || w->n >= STACK_FRAMES) {
		w->end = STACK_DEEP;
		return 1;
	}
	if (bpf_probe_read_user(w->raw, PYTHON_FRAME_SIZE, (void *)w->frame))
		goto unread;
	w->frame = PYTHON_FRAME_U64(w, frame_previous);
	w->code = PYTHON_FRAME_U64(w, frame_code);
	if (!w->at.frame_entry && PYTHON_FRAME_U8(w, frame_owner) == PYTHON_OWNER_LOOP) {
		python_entered(c->s, w);
		return 0;
	}
	if (PYTHON_READ(w->strings, w->code + w->at.code_strings) ||
	    PYTHON_READ(w->first_line, w->code + w->at.code_first_line))
		goto unread;
	number = python_number(w);
	if (number != PYTHON_NO_CODE) {
		python_push(c->s, w, number << PYTHON_NUMBER_SHIFT | python_instr(w));
		w->more = 1;
	}
	if (w->at.frame_entry && PYTHON_FRAME_U8(w, frame_entry))
		python_entered(c->s, w);
	return 0;
unread:
	w->end = STACK_UNREAD;
	return 1;
}

/* ---- the thread state ---- */

static __always_inline __u32 python_tid(void)
{
	/* a number to the verifier, which to 6.1 adds none that it does not know to a struct pid */
	struct pid *pid = BPF_CORE_READ(bpf_get_current_task_btf(), thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	struct upid *own = (void *)pid + bpf_core_field_offset(struct pid, numbers);

	if (level > PID_LEVELS)
		return 0;
	own = (void *)own + level * bpf_core_type_size(struct upid);
	return BPF_CORE_READ(own, nr);
}

static long python_state_step(__u32 i, struct python_work **work)
{
	struct python_work *w = *work;
	__u64 id;

	if (!w->state) { /* on to the next interpreter */
		if (!w->interp || PYTHON_READ(w->state, w->interp + w->at.interp_threads) ||
		    PYTHON_READ(w->interp, w->interp + w->at.interp_next)) {
			w->state = 0;
			return 1;
		}
		return 0;
	}
	if (PYTHON_READ(id, w->state + w->at.thread_native_id))
		goto none;
	if (id == w->tid)
		return 1;
	if (!PYTHON_READ(w->state, w->state + w->at.thread_next))
		return 0;
none:
	w->state = 0;
	return 1;
}

/* A thread that has no state is looked for ever less often: most never get one. */
#define PYTHON_RETRY_NS 250000ULL
#define PYTHON_RETRIES 64

static __noinline int python_search(struct python_work *w, __u32 thread_id, __u64 runtime)
{
	struct python_thread *known, new = { .proc_id = w->proc_id };
	__u64 now = bpf_ktime_get_ns();

	w->state = 0;
	known = bpf_map_lookup_elem(&stacks_python_threads, &thread_id);
	if (known && !known->state) {
		if (now < known->retry_ns)
			return 0;
		new.misses = known->misses < PYTHON_RETRIES ? known->misses + 1 : PYTHON_RETRIES;
	}
	if (PYTHON_READ(w->interp, runtime + w->at.head))
		return 0;
	if (bpf_loop(PYTHON_STATES, python_state_step, &w, 0) == PYTHON_STATES)
		w->state = 0;
	new.state = w->state;
	new.retry_ns = now + new.misses *PYTHON_RETRY_NS;
	bpf_map_update_elem(&stacks_python_threads, &thread_id, &new, BPF_ANY);
	return 0;
}

/* Whether the state that the thread had is still its own. */
static __always_inline bool python_state_known(struct python_work *w, __u32 thread_id)
{
	struct python_thread *known = bpf_map_lookup_elem(&stacks_python_threads, &thread_id);
	__u64 id;

	if (!known || !known->state || known->proc_id != w->proc_id ||
	    PYTHON_READ(id, known->state + w->at.thread_native_id) || id != w->tid)
		return false;
	w->state = known->state;
	return true;
}

static __always_inline void python_frame_first(struct python_work *w)
{
	w->frame = 0;
	if (PYTHON_READ(w->frame, w->state + w->at.thread_frame))
		w->end = STACK_UNREAD;
	else if (w->at.cframe_frame && w->frame &&
		 PYTHON_READ(w->frame, w->frame + w->at.cframe_frame - 1))
		w->end = STACK_UNREAD;
}

/* Of frames that mean something in this process only. */
static __always_inline __u64 python_hash(const struct stacks_work *s, const struct python_work *w)
{
	__u64 hash = w->proc_id;

	for (__u32 i = 0; i < STACK_FRAMES && i < w->n; i++)
		hash = hash_mix(hash, s->body.frames[i]);
	return hash;
}

/*
 * Tells the Python frames of the current thread `t`, after its user's stack has been told at
 * the same level; their hash, 0: it runs no Python.
 */
static __noinline __u64 stacks_python(__u32 level, const struct target *t)
{
	struct python_work *w = bpf_map_lookup_elem(&stacks_python_works, &level);
	struct python_walk c = { w, stacks_work_of(level) };
	const struct python_file *file;
	struct python_proc *p;

	if (!w || !c.s)
		return 0;
	p = python_process(t->proc_id);
	file = p ? bpf_map_lookup_elem(&stacks_python_files, &p->file) : NULL;
	if (!file)
		return 0;
	w->at = file->layout;
	w->proc_id = t->proc_id;
	w->code_type = p->code_type;
	w->tid = python_tid();
	w->level = level;
	w->n = w->more = 0;
	w->end = STACK_WHOLE;
	if (!python_state_known(w, t->thread_id))
		python_search(w, t->thread_id, p->runtime);
	if (!w->state)
		return 0;
	python_frame_first(w);
	bpf_loop(STACK_FRAMES + 1, python_step, &c, 0);
	if (!w->n)
		return 0;
	c.s->body.head.who = *t;
	return stacks_tell(level, w->n, w->end, python_hash(c.s, w));
}

#endif
