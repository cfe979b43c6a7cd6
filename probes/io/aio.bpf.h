/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Linux AIO (io_submit): what an operation did is known when io_getevents hands it over; the
 * program's own control block then still says what it was and of which descriptor. Not timed,
 * and not in the page cache's figures.
 *
 * Limits: a program may take completions from the ring in its memory without a call: what was
 * submitted and is not told of is said (aio_submitted, aio_told).
 */
#ifndef DWELL_IO_AIO_BPF_H
#define DWELL_IO_AIO_BPF_H

#include <linux/aio_abi.h>
#include <stddef.h>

#include "move.bpf.h"

struct io_reaping {
	struct call_done
		*call; /* in turn as if each operation were one: there is no stack for a copy */
	__u64 at;      /* struct io_event of the program's */
};

/* struct io_event from obj on */
struct io_result {
	__u64 obj;
	__s64 res;
};

/* struct iocb from aio_lio_opcode on */
struct io_control {
	__u16 opcode, priority;
	__u32 fd;
};

static __always_inline int io_reaped_as(const struct call_done *call, __u16 opcode)
{
	switch (opcode) {
	case IOCB_CMD_PREAD:
	case IOCB_CMD_PREADV:
		return io_move(call, IO_READ, call->arg[0], IO_NOT_CACHED);
	case IOCB_CMD_PWRITE:
	case IOCB_CMD_PWRITEV:
		return io_move(call, IO_WRITE, call->arg[0], 0);
	case IOCB_CMD_FSYNC:
		return io_on_file(call, IO_FSYNC, 0);
	case IOCB_CMD_FDSYNC:
		return io_on_file(call, IO_FDATASYNC, 0);
	}
	return 0;
}

static long io_reaped_one(__u32 i, struct io_reaping *r)
{
	__u64 at = r->at + i * sizeof(struct io_event) + offsetof(struct io_event, obj);
	struct call_done *call = r->call;
	struct io_control control;
	struct io_result result;
	struct io_slot *s;

	if (bpf_probe_read_user(&result, sizeof(result), (void *)at) ||
	    bpf_probe_read_user(&control, sizeof(control),
				(void *)result.obj + offsetof(struct iocb, aio_lio_opcode)))
		return 0;
	call->ret = result.res;
	call->arg[0] = control.fd;
	io_reaped_as(call, control.opcode);
	s = SLOT_ROW(io_slots, call->who.slot);
	if (s)
		slot_add(&s->aio_told, 1);
	return 0;
}

/* io_getevents or io_pgetevents has returned; no other probe has a role in them. */
static __always_inline int io_reaped(struct call_done *call)
{
	struct io_reaping r = { .call = call, .at = call->arg[3] };

	call->ns = 0;
	if (call->ret > 0)
		bpf_loop(call->ret, io_reaped_one, &r, 0);
	return 0;
}

static __always_inline int io_submitted(const struct call_done *call)
{
	struct io_slot *s = SLOT_ROW(io_slots, call->who.slot);

	if (s && call->ret > 0)
		slot_add(&s->aio_submitted, call->ret);
	return 0;
}

#endif
