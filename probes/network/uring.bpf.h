/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The network's part of io_uring: what an operation moved is known when it completes, in the
 * context of a thread of the program or of one that the kernel made for it.
 *
 * A multishot operation completes many times; only the last time the kernel names the
 * request. Its ring and user_data do, so a multishot request is remembered by these.
 */
#ifndef DWELL_NETWORK_URING_BPF_H
#define DWELL_NETWORK_URING_BPF_H

#include <linux/io_uring.h>

#include "flow.bpf.h"

struct network_shot_key {
	__u64 ring, user_data;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct network_shot_key);
	__type(value, __u64); /* struct io_kiocb * */
} network_shots SEC(".maps");

/* u64 since 6.9; what is looked at is in the lower half */
struct io_kiocb___flags {
	__u64 flags;
} SLICE;

struct io_sr_msg {
	unsigned int msg_flags;
} SLICE;

static __always_inline bool network_is_multishot(struct io_kiocb *req)
{
	__u32 flags = 0;

	if (!network_cfg.multishot)
		return false;
	bpf_probe_read_kernel(&flags, sizeof(flags),
			      (void *)req + bpf_core_field_offset(struct io_kiocb___flags, flags));
	return flags & network_cfg.multishot;
}

struct io_uring_cqe___kernel {
	__u64 user_data;
	__s32 res;
} SLICE;

static __always_inline bool network_op_sends(__u8 op)
{
	return op == IORING_OP_SEND || op == IORING_OP_SENDMSG || op == IORING_OP_WRITE ||
	       op == IORING_OP_WRITEV || op == IORING_OP_WRITE_FIXED || op == IORING_OP_SEND_ZC ||
	       op == IORING_OP_SENDMSG_ZC;
}

static __always_inline bool network_op_receives(__u8 op)
{
	return op == IORING_OP_RECV || op == IORING_OP_RECVMSG || op == IORING_OP_READ ||
	       op == IORING_OP_READV || op == IORING_OP_READ_FIXED;
}

/* Flags of a receive; they lie in the request behind the file (io_uring/net.c). */
static __always_inline bool network_op_looks(struct io_kiocb *req, __u8 op)
{
	struct io_sr_msg *msg = (void *)req;

	if (op != IORING_OP_RECV && op != IORING_OP_RECVMSG)
		return false;
	return KREAD(msg, msg_flags) & (MSG_PEEK | MSG_ERRQUEUE);
}

__noinline int network_op_done(__u64 addr, __s32 res)
{
	struct io_kiocb *req = (void *)addr;
	struct network_io io = { .bytes = res, .calls = 1 };
	struct target *t = network_is_on() ? network_target() : NULL;
	__u8 op;

	if (!t)
		return 0;
	op = KREAD(req, opcode);
	io.sent = network_op_sends(op);
	io.who = slot_owner(t);
	if (op == IORING_OP_ACCEPT) {
		if (res >= 0)
			io.sk = (__u64)network_sock_of(file_of_fd(bpf_get_current_task_btf(), res));
		return io.sk ? network_accepted(&io) : 0;
	}
	if (op != IORING_OP_CONNECT && !network_op_receives(op) && !io.sent)
		return 0;
	io.sk = (__u64)network_sock_of((void *)KREAD(req, file));
	if (!io.sk)
		return 0;
	if (op == IORING_OP_CONNECT)
		return network_connect_returned(&io);
	return network_op_looks(req, op) ? 0 : network_flow(&io);
}

static __noinline int network_completed(__u64 ring, __u64 req, __u64 user_data, __s32 res)
{
	struct network_shot_key key = { .ring = ring, .user_data = user_data };
	__u64 *shot;

	if (req && network_is_multishot((void *)req))
		bpf_map_delete_elem(&network_shots, &key);
	if (!req) {
		shot = bpf_map_lookup_elem(&network_shots, &key);
		if (!shot)
			return 0;
		req = *shot;
	}
	return network_op_done(req, res);
}

SEC_TP("io_uring_complete")
int network_uring_complete(__u64 *ctx)
{
	struct io_uring_cqe___kernel *cqe;

	if (network_cfg.complete_has_cqe) {
		cqe = (void *)ctx[2];
		return network_completed(ctx[0], ctx[1], BPF_CORE_READ(cqe, user_data),
					 BPF_CORE_READ(cqe, res));
	}
	return network_completed(ctx[0], ctx[1], ctx[2], ctx[3]);
}

static __always_inline int network_submitted(struct io_kiocb *req)
{
	struct network_shot_key key = {};
	__u64 value = (__u64)req;

	if (!network_is_multishot(req) || !network_target())
		return 0;
	key.ring = (__u64)KREAD(req, ctx);
	key.user_data = KREAD(req, cqe.user_data);
	bpf_map_update_elem(&network_shots, &key, &value, BPF_ANY);
	return 0;
}

SEC_TP("io_uring_submit_req")
int BPF_PROG(network_uring_req, struct io_kiocb *req)
{
	return network_submitted(req);
}

/* Its name before 6.3, ad1fe1b8a5b8 */
SEC_TP("io_uring_submit_sqe")
int BPF_PROG(network_uring_sqe, struct io_kiocb *req)
{
	return network_submitted(req);
}

#endif
