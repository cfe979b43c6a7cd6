/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What one operation on a descriptor did, for its process, its kind of file and its file: a
 * read, a write, an open, a seek, a sync; by a system call or handed to the kernel (aio.bpf.h).
 */
#ifndef DWELL_IO_MOVE_BPF_H
#define DWELL_IO_MOVE_BPF_H

#include "files.bpf.h"
#include "roles.bpf.h"

#define PAGE_SHIFT 12

static __always_inline __u64 io_pages(__u64 end, __u64 bytes)
{
	if (end < bytes) /* another thread has moved the position since: as from the start */
		end = bytes;
	return ((end - 1) >> PAGE_SHIFT) - ((end - bytes) >> PAGE_SHIFT) + 1;
}

/* ---- counting ---- */

static __always_inline bool io_failed(__s64 ret)
{
	return ret < 0 && ret >= -ERRNO_MAX;
}

static __always_inline void io_time(struct io_slot *s, __u32 op, __u32 hist, __u64 ns)
{
	if (!ns)
		return;
	if (op > IO_WRITE)
		slot_add(&s->ns[op], ns);
	slot_add(&s->timed[op], 1);
	slot_max(&s->max_ns[op], ns);
	hist_note(&io_hists, hist, ns);
}

#define IO_NO_POSITION (~0ULL) /* the file's own, which the call has moved on */
#define IO_NOT_CACHED (~1ULL)  /* none: its pages are not counted as the page cache's */

/* Where the data that was read ended, in its file. */
static __always_inline __u64 io_end(const struct io_found *found, __u64 position, __s64 ret)
{
	struct file *file = found->file;

	if (position == IO_NO_POSITION)
		return KREAD(file, f_pos);
	return position + ret;
}

static __always_inline void io_moved_add(struct io_moved *m, __s64 ret, __u64 ns)
{
	slot_add_call(&m->calls, 1);
	if (ret > 0)
		slot_add_call(&m->bytes, ret);
	if (ns)
		slot_add_call(&m->ns, ns);
}

/* A file's row is every CPU's. */
static __always_inline void io_file_moved(struct io_moved *m, __s64 ret, __u64 ns)
{
	slot_add(&m->calls, 1);
	if (ret > 0)
		slot_add(&m->bytes, ret);
	if (ns)
		slot_add(&m->ns, ns);
}

/* The file's part. */
static __always_inline int io_move_file(const struct io_found *found, const struct call_done *call,
					__u32 dir)
{
	struct io_file_key key;
	struct io_file *f;
	__s64 ret;

	if (!found || !call)
		return 0;
	barrier_var(dir);
	if (dir > IO_WRITE)
		return 0;
	key = found->key;
	f = io_file_row(&key, found->file, found->kind, call->who.proc_id);
	if (!f)
		return 0;
	ret = call->ret;
	io_file_moved(&f->moved[dir], ret, call->ns);
	if (io_failed(ret))
		slot_add(&f->errors, 1);
	return 0;
}

/* `fd` gave or took `ret` bytes. 1: and is known to be no socket. */
__noinline int io_move(const struct call_done *call, __u32 dir, __u32 fd, __u64 position)
{
	struct io_found found = {};
	struct io_slot *s;
	__u32 kind;
	__u64 end;
	__s64 ret;

	if (!call)
		return 0;
	s = SLOT_ROW(io_slots, call->who.slot);
	if (!s)
		return 0;
	ret = call->ret;
	io_look_at(&found, call_file(call, fd));
	kind = found.kind;
	/* what is compared is what is used: 6.1 forgets the bounds of what lay on the stack since */
	barrier_var(kind);
	barrier_var(dir);
	if (kind >= IO_KINDS || dir > IO_WRITE)
		return 0;
	io_moved_add(&s->moved[dir][kind], ret, call->ns);
	if (io_failed(ret)) {
		slot_add(&s->errors[dir], 1);
		slot_add(&s->kind_errors[kind], 1);
	}
	if (dir == IO_READ && ret > 0 && position != IO_NOT_CACHED && io_cached(&found)) {
		end = io_end(&found, position, ret);
		slot_add_call(&s->cached_pages, io_pages(end, ret));
	}
	io_time(s, dir, dir * IO_KINDS + kind, call->ns);
	if (io_has_row(kind)) /* last, so that kind and dir need not be kept meanwhile */
		io_move_file(&found, call, dir);
	return kind != IO_SOCKET;
}

/* The position that a call has moved on at `address`, if it was given one. */
static __always_inline __u64 io_moved_to(__u64 address, __s64 ret)
{
	__u64 position;

	if (!address || bpf_probe_read_user(&position, sizeof(position), (void *)address))
		return IO_NO_POSITION;
	return position - ret;
}

/* From one descriptor to another: a read of the one and a write of the other. */
static __always_inline int io_copy(const struct call_done *call, __u32 from, __u32 to,
				   __u64 position)
{
	io_move(call, IO_READ, from, position ? io_moved_to(position, call->ret) : IO_NO_POSITION);
	io_move(call, IO_WRITE, to, 0);
	return 0;
}

__noinline int io_opened(const struct call_done *call)
{
	struct io_found found = {};
	struct io_slot *s;
	struct io_file *f;
	__u32 kind;

	if (!call)
		return 0;
	s = SLOT_ROW(io_slots, call->who.slot);
	if (!s)
		return 0;
	slot_add_call(&s->calls[IO_OPEN], 1);
	io_time(s, IO_OPEN, IO_HIST_CALL, call->ns);
	if (io_failed(call->ret)) {
		slot_add(&s->errors[IO_OPEN], 1);
		return 0;
	}
	io_look_at(&found, call_file(call, call->ret));
	kind = found.kind;
	barrier_var(kind);
	if (kind >= IO_KINDS)
		return 0;
	slot_add_call(&s->opens[kind], 1);
	if (!io_has_row(kind))
		return 0;
	f = io_file_row(&found.key, found.file, kind, call->who.proc_id);
	if (f)
		slot_add(&f->opens, 1);
	return 0;
}

/* A close, or a sync that names no file. */
__noinline int io_plain(const struct call_done *call, __u32 op, __u64 ns)
{
	struct io_slot *s;

	if (!call)
		return 0;
	barrier_var(op);
	if (op >= IO_OPS)
		return 0;
	s = SLOT_ROW(io_slots, call->who.slot);
	if (!s)
		return 0;
	slot_add_call(&s->calls[op], 1);
	if (io_failed(call->ret))
		slot_add_call(&s->errors[op], 1);
	io_time(s, op, IO_HIST_CALL + op - IO_OPEN, ns);
	return 0;
}

/* The file's part of a seek or a sync. */
static __always_inline void io_on_row(const struct io_found *found, const struct call_done *call,
				      __u32 op, __u64 ns)
{
	struct io_file_key key = found->key;
	struct io_file *f = io_file_row(&key, found->file, found->kind, call->who.proc_id);

	if (!f)
		return;
	slot_add(op == IO_SEEK ? &f->seeks : &f->syncs, 1);
	if (io_failed(call->ret))
		slot_add(&f->errors, 1);
	if (op != IO_SEEK && ns)
		slot_add(&f->sync_ns, ns);
}

/* A seek or a sync of the descriptor in the first argument. */
__noinline int io_on_file(const struct call_done *call, __u32 op, __u64 ns)
{
	struct io_found found = {};
	struct io_slot *s;
	__u32 kind;

	if (!call)
		return 0;
	io_plain(call, op, ns);
	io_look_at(&found, call_file(call, call->arg[0]));
	s = SLOT_ROW(io_slots, call->who.slot);
	kind = found.kind;
	barrier_var(kind);
	if (!s || kind >= IO_KINDS)
		return 0;
	if (op == IO_SEEK)
		slot_add_call(&s->seeks[kind], 1);
	else
		slot_add_call(&s->syncs[kind], 1);
	if (io_failed(call->ret))
		slot_add(&s->kind_errors[kind], 1);
	if (io_has_row(kind))
		io_on_row(&found, call, op, ns);
	return 0;
}

#endif
