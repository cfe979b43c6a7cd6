/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The network probe's role in sys_exit (roles.h): what a call that returned has moved over a
 * socket, and whom it connected to. One place for all ways to send and receive, and the same
 * on every kernel.
 *
 * Limits: of a call whose descriptor another thread closed while it ran nothing is known.
 */
#ifndef DWELL_NETWORK_CALLS_BPF_H
#define DWELL_NETWORK_CALLS_BPF_H

#include <asm/unistd.h>

#include "flow.bpf.h"

/* struct mmsghdr; its first member is the name. */
#define NETWORK_MMSGHDR_SIZE 64
#define NETWORK_MMSGHDR_LEN 56

struct network_many {
	struct network_io io;
	__u64 at;
};

static long network_one_of_many(__u32 i, struct network_many *m)
{
	__u32 len = 0;

	if (bpf_probe_read_user(&len, sizeof(len), (void *)m->at + NETWORK_MMSGHDR_LEN))
		counter_add(COUNTER_LOST_MESSAGE);
	m->io.bytes = len;
	bpf_probe_read_user(&m->io.name, sizeof(m->io.name), (void *)m->at);
	network_flow(&m->io);
	m->io.calls = 0;
	m->at += NETWORK_MMSGHDR_SIZE;
	return 0;
}

static __always_inline __u64 network_msg_name(__u64 msghdr)
{
	__u64 name = 0; /* its first member */

	bpf_probe_read_user(&name, sizeof(name), (void *)msghdr);
	return name;
}

static __always_inline int network_splice(const struct call_done *call, struct network_io *io)
{
	io->sk = (__u64)network_sock_of(call_file(call, call->arg[0]));
	if (io->sk)
		network_flow(io);
	io->sk = (__u64)network_sock_of(call_file(call, call->arg[2]));
	io->sent = 1;
	return io->sk ? network_flow(io) : 0;
}

static __always_inline int network_accept(const struct call_done *call, struct network_io *io)
{
	if (call->ret >= 0)
		io->sk = (__u64)network_sock_of(call_file(call, call->ret));
	return io->sk ? network_accepted(io) : 0;
}

/* Whether the call only looks, or reads messages that no peer has sent. */
static __always_inline bool network_only_looks(const struct call_done *call)
{
	__u64 flags;

	if (call->nr == __NR_recvmsg)
		flags = call->arg[2];
	else if (call->nr == __NR_recvfrom || call->nr == __NR_recvmmsg)
		flags = call->arg[3];
	else
		return false;
	return flags & (MSG_PEEK | MSG_ERRQUEUE);
}

static __always_inline bool network_sends(__u32 nr)
{
	return nr == __NR_write || nr == __NR_sendto || nr == __NR_sendmsg || nr == __NR_writev ||
	       nr == __NR_sendfile || nr == __NR_sendmmsg || nr == __NR_pwritev2;
}

/* Called for calls with ROLE_NETWORK, of a target, after they returned. */
static __always_inline int network_call(const struct call_done *call)
{
	struct network_many m = {};
	struct network_io *io = &m.io;
	__u32 nr;

	if (!call || !network_is_on())
		return 0;
	io->who = call->who;
	io->bytes = call->ret;
	io->calls = 1;
	nr = call->nr;
	if (nr == __NR_accept || nr == __NR_accept4)
		return network_accept(call, io);
	if (nr == __NR_splice)
		return network_splice(call, io);
	io->sk = (__u64)network_sock_of(call_file(call, call->arg[0]));
	if (!io->sk)
		return 0;
	if (nr == __NR_connect) {
		io->name = call->arg[1];
		return network_connect_returned(io);
	}
	if (network_only_looks(call))
		return 0;
	io->sent = network_sends(nr);
	if (nr == __NR_sendto || nr == __NR_recvfrom) {
		io->name = call->arg[4];
	} else if (nr == __NR_sendmsg || nr == __NR_recvmsg) {
		io->name = network_msg_name(call->arg[1]);
	} else if ((nr == __NR_sendmmsg || nr == __NR_recvmmsg) && call->ret > 0) {
		/* they return a number of messages, of which each tells its length */
		m.at = call->arg[1];
		bpf_loop(call->ret, network_one_of_many, &m, 0);
		return 0;
	}
	return network_flow(io);
}

#endif
