/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * mappings: where each process of the target has code, as /proc/PID/maps would say, kept up to
 * date by the kernel side, so that a stack can be walked without looking at the address space
 * (no lock can be taken where stacks are) and says its places by file.
 *
 * Hooks: task_newtask (a copy for a new process), sched_process_exec (program, interpreter,
 *        vdso), the return of mmap, munmap, mremap, mprotect through probes/syscalls/, the last
 *        thread's exit; an iterator for processes that were there before.
 *        Cost: ~1 us a fork and exec, 0.5 us a call that touches code, else some ns.
 * Keeps: stacks_maps (proc_id -> mappings), STACKS_MAPPINGS each; stacks_file_ids (file ->
 *        number). What does not fit is counted: its frames are RAW or the walk ends there.
 *
 * Threads change the mappings at once: a list is built anew beside it and copied over it. The
 * order in which two calls return may differ from that in which they did their work; the
 * kernel's own mapping of this moment is what is taken in.
 */
#ifndef DWELL_STACKS_MAPPINGS_BPF_H
#define DWELL_STACKS_MAPPINGS_BPF_H

#include "pid.bpf.h"
#include "target.bpf.h"
#include "stacks_maps.h"

#define STACKS_VM_EXEC 4 /* include/linux/mm.h */
#define STACKS_PROT_EXEC 4
#define STACKS_MAP_FIXED 0x10
#define STACKS_MAP_FIXED_NOREPLACE 0x100000
#define STACKS_PAGE_SHIFT 12
#define STACKS_PAGE (1ULL << STACKS_PAGE_SHIFT)
/* Code without a file that lies so near is one mapping: a JIT changes its pages one by one. */
#define STACKS_JIT_GAP (64ULL << 20)

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct stacks_maps);
} stacks_maps SEC(".maps");

/* What a process starts from: zeroes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stacks_maps);
} stacks_blank SEC(".maps");

/* Lists while they are built: by who is in a hook, which nothing preempts, and the iterator. */
enum stacks_builder { STACKS_IN_HOOK, STACKS_IN_ITERATOR, STACKS_BUILDERS };

struct stacks_list {
	__u32 n, lost;
	struct stacks_mapping list[STACKS_MAPPINGS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STACKS_BUILDERS);
	__type(key, __u32);
	__type(value, struct stacks_list);
} stacks_lists SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct stacks_file_key);
	__type(value, __u32);
} stacks_file_ids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct stacks_file);
} stacks_files SEC(".maps");

/* ---- files ---- */

/* A mapping as the kernel has it now. */
struct stacks_found {
	__u64 start, end, offset, flags;
	__u64 file; /* address of its struct file; 0: none */
	__u32 vdso, builder;
	__u32 pid; /* whose it is; 0: the current target's */
	__u32 pad;
};

/* A number to the verifier, as which it can be passed on. */
static __always_inline __u64 mm_vdso(struct mm_struct *mm)
{
	__u64 vdso = 0;

	BPF_CORE_READ_INTO(&vdso, mm, context.vdso);
	return vdso;
}

static __always_inline void found_fill(struct stacks_found *f, struct vm_area_struct *vma)
{
	struct mm_struct *mm = KREAD_KNOWN(vma, vm_mm);

	f->start = vma->vm_start;
	f->end = vma->vm_end;
	f->offset = (__u64)vma->vm_pgoff << STACKS_PAGE_SHIFT;
	f->flags = vma->vm_flags;
	/* a number to the verifier, which else would not let it go as one */
	bpf_probe_read_kernel(&f->file, sizeof(f->file), &vma->vm_file);
	f->vdso = !f->file && mm_vdso(mm) == f->start;
}

/* struct inode: when it was last written to, in three layouts */
struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
} SLICE;

struct inode___spec { /* until 6.6 */
	struct timespec64 i_mtime;
} SLICE;

struct inode___dunder { /* 6.7, 12cd44023651 */
	struct timespec64 __i_mtime;
} SLICE;

struct inode___sec { /* 6.11, 3aa63a569c64 */
	s64 i_mtime_sec;
	u32 i_mtime_nsec;
} SLICE;

static __always_inline __u64 inode_changed(struct inode *inode)
{
	struct inode___sec *sec = (void *)inode;
	struct inode___dunder *dunder = (void *)inode;
	struct inode___spec *spec = (void *)inode;

	if (bpf_core_field_exists(sec->i_mtime_sec))
		return BPF_CORE_READ(sec, i_mtime_sec) * 1000000000 +
		       BPF_CORE_READ(sec, i_mtime_nsec);
	if (bpf_core_field_exists(dunder->__i_mtime))
		return BPF_CORE_READ(dunder, __i_mtime.tv_sec) * 1000000000 +
		       BPF_CORE_READ(dunder, __i_mtime.tv_nsec);
	return BPF_CORE_READ(spec, i_mtime.tv_sec) * 1000000000 +
	       BPF_CORE_READ(spec, i_mtime.tv_nsec);
}

/* 0: not a target. */
static __always_inline __u32 current_pid(void)
{
	struct target *t = target_current();

	return t ? t->pid : 0;
}

/* Tells user space of a file that `pid` maps; again later when the ring is full. */
static __noinline int file_tell(struct stacks_file *entry, __u32 file, __u64 start, __u64 end,
				__u32 pid)
{
	struct stacks_file_event *e;

	if (!pid || __sync_lock_test_and_set(&entry->told, 1))
		return 0;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		counter_add(COUNTER_LATE_STACKS_FILE);
		entry->told = 0;
		return 0;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->head.kind = EVENT_STACKS_FILE;
	e->head.who.pid = pid;
	e->start = start;
	e->end = end;
	e->inode = entry->inode;
	e->changed = entry->changed;
	e->dev = entry->dev;
	e->file = file;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP); /* the process may end soon */
	return 0;
}

static __always_inline __u32 file_new(const struct stacks_file_key *key)
{
	__u32 file = counter_add(COUNTER_NEXT_STACKS_FILE) + FRAME_FILE_VDSO + 1, *known;
	struct stacks_file *entry = bpf_map_lookup_elem(&stacks_files, &file);

	if (entry) {
		entry->inode = key->inode;
		entry->changed = key->changed;
		entry->dev = key->dev;
	}
	if (!entry || (bpf_map_update_elem(&stacks_file_ids, key, &file, BPF_NOEXIST) &&
		       !bpf_map_lookup_elem(&stacks_file_ids, key))) {
		counter_add(COUNTER_LOST_STACKS_FILE);
		return 0;
	}
	known = bpf_map_lookup_elem(&stacks_file_ids, key); /* another CPU's, it may be */
	return known ? *known : 0;
}

/* The number of what is mapped there; 0: it has none. */
__noinline int stacks_file_number(const struct stacks_found *f)
{
	struct file *file = f ? (struct file *)f->file : NULL;
	struct inode *inode;
	struct stacks_file_key key = {};
	struct stacks_file *entry;
	__u32 number, *known;

	if (!file)
		return 0;
	inode = BPF_CORE_READ(file, f_inode);
	key.inode = BPF_CORE_READ(inode, i_ino);
	key.dev = BPF_CORE_READ(inode, i_sb, s_dev);
	key.generation = BPF_CORE_READ(inode, i_generation);
	key.changed = inode_changed(inode);
	known = bpf_map_lookup_elem(&stacks_file_ids, &key);
	number = known ? *known : file_new(&key);
	entry = number ? bpf_map_lookup_elem(&stacks_files, &number) : NULL;
	if (entry && !entry->told)
		file_tell(entry, number, f->start, f->end, f->pid ? f->pid : current_pid());
	return number;
}

/* ---- a list with something put in or cut out ---- */

/*
 * Something could not be looked at: until user space has read the process's mappings anew, which
 * the next walk asks for, its stacks are not walked. In this order: see maps_publish().
 */
static __always_inline void maps_unsure(struct stacks_maps *maps)
{
	maps->asked = 0;
	barrier();
	maps->mm = 0;
}

/* What is being made of a process's list: without [start, end), and then with `add` there. */
struct stacks_edit {
	struct stacks_maps *maps;
	__u64 start, end, place;
	__u32 builder;
	__u32 add; /* still to be put in */
};

/*
 * The mappings that were there stay when the list is full, or the program's libraries, which lie
 * last, would go first: what is new may then only extend one (room 0).
 */
static __always_inline __u32 room_for_new(const struct stacks_edit *e)
{
	return e->maps->n < STACKS_MAPPINGS ? STACKS_MAPPINGS : 0;
}

/* Functions that are not static are checked once by the verifier, not at each call. */
__noinline int stacks_list_push(__u32 builder, __u64 start, __u64 end, __u64 place, __u32 room)
{
	struct stacks_list *to = bpf_map_lookup_elem(&stacks_lists, &builder);
	struct stacks_mapping *last;
	__u32 n, before;

	if (!to)
		return 0;
	n = to->n;
	before = n - 1;
	if (before < STACKS_MAPPINGS) {
		last = &to->list[before];
		if (place ? last->place && last->end == start &&
				    last->place + (start - last->start) == place
			  : !last->place && start - last->end < STACKS_JIT_GAP) {
			last->end = end;
			return 0;
		}
	}
	if (n >= STACKS_MAPPINGS || n >= room) {
		to->lost++;
		return 0;
	}
	to->list[n] = (struct stacks_mapping){ start, end, place };
	to->n = n + 1;
	return 0;
}

static __always_inline void list_put(struct stacks_edit *e)
{
	if (!e->add)
		return;
	e->add = 0;
	stacks_list_push(e->builder, e->start, e->end, e->place, room_for_new(e));
}

static long list_step(__u32 i, struct stacks_edit *e)
{
	struct stacks_mapping m;
	__u64 from;

	if (i >= STACKS_MAPPINGS || i >= e->maps->n)
		return 1;
	m = e->maps->list[i];
	if (m.end <= e->start) {
		stacks_list_push(e->builder, m.start, m.end, m.place, STACKS_MAPPINGS);
		return 0;
	}
	if (m.start < e->start)
		stacks_list_push(e->builder, m.start, e->start, m.place, STACKS_MAPPINGS);
	list_put(e);
	if (m.end <= e->end)
		return 0;
	from = m.start > e->end ? m.start : e->end;
	stacks_list_push(e->builder, from, m.end, m.place ? m.place + (from - m.start) : 0,
			 m.start < e->start ? room_for_new(e) : STACKS_MAPPINGS);
	return 0;
}

static long lock_step(__u32 i, struct stacks_maps **maps)
{
	return !__sync_val_compare_and_swap(&(*maps)->lock, 0, 1);
}

#define STACKS_LOCK_TRIES 20000 /* a writer takes some microseconds */

static __always_inline void list_take(struct stacks_maps *maps, struct stacks_list *from)
{
	__u32 n = from->n;

	barrier_var(n);
	if (n > STACKS_MAPPINGS)
		return;
	maps->seq++;
	barrier();
	bpf_probe_read_kernel(maps->list, n * sizeof(from->list[0]), from->list);
	maps->n = n;
	barrier();
	maps->seq++;
}

/* Cuts [start, end) out; with `add` it then lies there, at the frame `place`. */
__noinline int stacks_edit(struct stacks_maps *maps, const struct stacks_found *f, __u64 place,
			   __u32 add)
{
	struct stacks_edit e = { .maps = maps, .place = place, .add = add };
	struct stacks_list *to;

	if (!maps || !f)
		return 0;
	e.start = f->start;
	e.end = f->end;
	e.builder = f->builder;
	to = bpf_map_lookup_elem(&stacks_lists, &e.builder);
	if (!to)
		return 0;
	if (bpf_loop(STACKS_LOCK_TRIES, lock_step, &maps, 0) == STACKS_LOCK_TRIES) {
		maps_unsure(maps);
		return 0;
	}
	to->n = to->lost = 0;
	bpf_loop(STACKS_MAPPINGS, list_step, &e, 0);
	list_put(&e);
	if (to->lost)
		counter_add(COUNTER_LOST_MAPPING);
	list_take(maps, to);
	maps->lock = 0;
	return 0;
}

/* 1 if a >= b, both < 2^63, without a branch: a search has one way through for the verifier. */
static __always_inline __u32 not_below(__u64 a, __u64 b)
{
	return ~(a - b) >> 63;
}

/* The first mapping that ends beyond `start`, a user address; n: none. */
static __always_inline __u32 maps_after(const struct stacks_maps *maps, __u64 start)
{
	__u32 at = 0, next, n = maps->n, i;

#pragma unroll
	for (__u32 step = STACKS_MAPPINGS; step; step >>= 1) {
		next = at + step;
		i = next - 1;
		barrier_var(i); /* the mask stays: 6.1 knows no other bound */
		i &= STACKS_MAPPINGS - 1;
		at += step & -(not_below(n, next) & not_below(start, maps->list[i].end));
	}
	return at;
}

/* Whether code that we know of lies in [start, end). */
__noinline int stacks_touch(const struct stacks_maps *maps, __u64 start, __u64 end)
{
	__u32 i;

	if (!maps)
		return 0;
	i = maps_after(maps, start);
	return i < STACKS_MAPPINGS && i < maps->n && maps->list[i].start < end;
}

/* Whether the list says of [start, end) already what is there. */
static __always_inline bool maps_say(struct stacks_maps *maps, const struct stacks_found *f,
				     __u64 place)
{
	__u32 i = maps_after(maps, f->start);
	struct stacks_mapping *m;

	if (i >= STACKS_MAPPINGS || i >= maps->n)
		return false;
	m = &maps->list[i];
	return m->start <= f->start && m->end >= f->end &&
	       (place ? m->place && m->place + (f->start - m->start) == place : !m->place);
}

/* Takes in what is mapped there, if it is code. */
__noinline int stacks_take(struct stacks_maps *maps, const struct stacks_found *f)
{
	__u64 place = 0, file;

	if (!maps || !f)
		return 0;
	if (!(f->flags & STACKS_VM_EXEC))
		return stacks_edit(maps, f, 0, 0);
	if (f->vdso) {
		place = (__u64)FRAME_FILE_VDSO << FRAME_FILE_SHIFT;
	} else if (f->file) {
		file = (__u32)stacks_file_number(f);
		place = file << FRAME_FILE_SHIFT | (f->offset & FRAME_OFFSET_MASK);
		if (!file)
			place = 0;
	}
	return maps_say(maps, f, place) ? 0 : stacks_edit(maps, f, place, 1);
}

/* ---- by process ---- */

static __always_inline struct stacks_maps *maps_of(__u32 proc_id)
{
	return bpf_map_lookup_elem(&stacks_maps, &proc_id);
}

static __always_inline struct stacks_maps *maps_open(__u32 proc_id)
{
	struct stacks_maps *maps = maps_of(proc_id), *blank;
	__u32 zero = 0;

	if (maps)
		return maps;
	blank = bpf_map_lookup_elem(&stacks_blank, &zero);
	if (blank)
		bpf_map_update_elem(&stacks_maps, &proc_id, blank, BPF_NOEXIST);
	maps = maps_of(proc_id);
	if (!maps)
		counter_add(COUNTER_LOST_MAPS);
	return maps;
}

#endif
