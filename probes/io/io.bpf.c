// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * io: what is read and written, by kind of file and by file; what the page cache had; what
 * went to block devices and how long it took.
 *
 * Hooks: system calls by the one program on sys_exit (calls.bpf.h); page cache
 *        (cache.bpf.h); block layer (block.bpf.h); io_uring_complete; sys_enter_fsync and
 *        _fdatasync. Cost: see docs/benchmarks.md.
 * Keeps: io_slots by process, io_files by path, io_devices by disk: cumulative.
 */
#include <linux/io_uring.h>

#include "block.bpf.h"
#include "cache.bpf.h"
#include "calls.bpf.h"

/* As a call that has returned, but for its time. */
static __always_inline struct call_done io_uring_call(const struct target *t, struct io_kiocb *req)
{
	return (struct call_done){ .who = slot_owner(t), .ret = KREAD(req, cqe.res) };
}

static __always_inline void io_uring_move(struct io_slot *s, const struct io_found *found,
					  const struct call_done *call, __u32 dir)
{
	__u32 kind = found->kind;

	barrier_var(kind);
	if (kind >= IO_KINDS)
		return;
	io_moved_add(&s->moved[dir][kind], call->ret, 0);
	if (call->ret < 0) {
		slot_add(&s->errors[dir], 1);
		slot_add(&s->kind_errors[kind], 1);
	}
	if (io_has_row(kind))
		io_move_file(found, call, dir);
}

static __always_inline void io_uring_sync(struct io_slot *s, const struct io_found *found,
					  const struct call_done *call)
{
	__u32 kind = found->kind;

	slot_add(&s->calls[IO_FSYNC], 1);
	if (call->ret < 0)
		slot_add(&s->errors[IO_FSYNC], 1);
	barrier_var(kind);
	if (kind >= IO_KINDS)
		return;
	slot_add(&s->syncs[kind], 1);
	if (call->ret < 0)
		slot_add(&s->kind_errors[kind], 1);
	if (io_has_row(kind))
		io_on_row(found, call, IO_FSYNC, 0);
}

/* Its file as a number: what a function that is not static takes. */
static __always_inline struct file *io_uring_file(struct io_kiocb *req)
{
	struct pt_regs *at = (void *)req + bpf_core_field_offset(struct io_kiocb, file);

	return (struct file *)KREAD(at, r15); /* a member as wide as a pointer, at 0 */
}

static __noinline int io_uring_op(struct io_kiocb *req, struct target *t)
{
	struct call_done call = io_uring_call(t, req);
	struct io_slot *s = SLOT_OF(io_slots, t);
	__u8 op = KREAD(req, opcode);
	struct io_found found = {};

	if (!s)
		return 0;
	io_look_at(&found, io_uring_file(req));
	switch (op) {
	case IORING_OP_READV:
	case IORING_OP_READ_FIXED:
	case IORING_OP_READ:
		io_uring_move(s, &found, &call, IO_READ);
		break;
	case IORING_OP_WRITEV:
	case IORING_OP_WRITE_FIXED:
	case IORING_OP_WRITE:
		io_uring_move(s, &found, &call, IO_WRITE);
		break;
	case IORING_OP_FSYNC:
		io_uring_sync(s, &found, &call);
		break;
	}
	return 0;
}

/* Completed in the context of one of the process's threads, be it a worker of io_uring. */
SEC_TP("io_uring_complete")
int BPF_PROG(io_uring_done, void *ring, struct io_kiocb *req)
{
	struct target *t = req ? target_current() : NULL;

	return t ? io_uring_op(req, t) : 0;
}
