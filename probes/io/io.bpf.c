// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * io: what is read and written, by kind of file and by file; what the page cache had; what
 * went to block devices and how long it took.
 *
 * Hooks: system calls by the one program on sys_exit (calls.bpf.h); page cache
 *        (cache.bpf.h); block layer (block.bpf.h); io_uring_complete; sys_enter_fsync and
 *        _fdatasync. Cost: see docs/benchmarks.md.
 * Keeps: io_slots by process, io_files by file, io_devices by disk: cumulative.
 */
#include <linux/io_uring.h>

#include "block.bpf.h"
#include "cache.bpf.h"
#include "calls.bpf.h"

static __always_inline void io_uring_move(struct io_slot *s, struct io_kiocb *req, __u32 dir)
{
	struct file *file = (struct file *)KREAD(req, file);
	struct inode *inode = KREAD(file, f_inode);
	struct super_block *sb = KREAD(inode, i_sb);
	__u32 kind = io_kind(KREAD(inode, i_mode), KREAD(sb, s_magic), inode);
	__s32 ret = KREAD(req, cqe.res);

	barrier_var(kind);
	if (kind >= IO_KINDS)
		return;
	slot_add(&s->moved[dir][kind].calls, 1);
	if (ret < 0)
		slot_add(&s->errors[dir], 1);
	else
		slot_add(&s->moved[dir][kind].bytes, ret);
}

/* Completed in the context of one of the process's threads, be it a worker of io_uring. */
SEC_TP("io_uring_complete")
int BPF_PROG(io_uring_done, void *ring, struct io_kiocb *req)
{
	struct target *t = req ? target_current() : NULL;
	struct io_slot *s = t ? SLOT_OF(io_slots, t) : NULL;

	if (!s)
		return 0;
	switch (KREAD(req, opcode)) {
	case IORING_OP_READV:
	case IORING_OP_READ_FIXED:
	case IORING_OP_READ:
		io_uring_move(s, req, IO_READ);
		break;
	case IORING_OP_WRITEV:
	case IORING_OP_WRITE_FIXED:
	case IORING_OP_WRITE:
		io_uring_move(s, req, IO_WRITE);
		break;
	case IORING_OP_FSYNC:
		slot_add(&s->calls[IO_FSYNC], 1);
		if (KREAD(req, cqe.res) < 0)
			slot_add(&s->errors[IO_FSYNC], 1);
		break;
	}
	return 0;
}
