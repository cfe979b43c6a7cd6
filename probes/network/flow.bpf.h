/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What one call or one operation of io_uring sent or received: by class of socket for the
 * process, and of UDP also by peer. (TCP's peers are charged from what the kernel counts.)
 */
#ifndef DWELL_NETWORK_FLOW_BPF_H
#define DWELL_NETWORK_FLOW_BPF_H

#include "socket.bpf.h"

#define EINTR 4
#define EAGAIN 11
#define ERESTART_FIRST 512 /* include/linux/errno.h: the call will be made again */
#define ERESTART_LAST 516
#define MSG_PEEK 2
#define MSG_ERRQUEUE 0x2000

/*
 * Functions that are not static are checked once by the verifier, not at each call; but before
 * 6.8 (2afae08c9dcb) also when nothing calls them, so with the probe off they must be empty.
 */
static __always_inline bool network_is_on(void)
{
	return network_cfg.on || (syscalls_cfg.roles & ROLE_NETWORK);
}

struct network_io {
	struct slot_owner who;
	__u64 sk;    /* struct sock * */
	__u64 name;  /* a struct sockaddr of the program's; 0: it gave none */
	__s64 bytes; /* or -errno */
	__u32 calls; /* 0: this is a further message of a call that was counted */
	__u32 sent;
};

struct network_sockaddr { /* struct sockaddr_in, sockaddr_in6 */
	__u16 family, port;
	__u32 addr4;
	__u32 addr6[4];
	__u32 scope;
};

/* The peer that a call names; where it names none, the one of the socket. */
static __always_inline __u16 network_named(const struct network_io *io,
					   struct network_peer_key *key)
{
	struct network_sockaddr name = {};
	struct sock *sk = (void *)io->sk; /* not in KREAD: it would relocate our own struct */
	__u16 port = KREAD(sk, __sk_common.skc_dport);
	__u32 *addr = (__u32 *)key->addr;

	if (io->name)
		bpf_probe_read_user(&name, sizeof(name), (void *)io->name);
	if (name.family == AF_INET) {
		key->family = AF_INET;
		addr[0] = name.addr4;
		return name.port;
	}
	if (name.family == AF_INET6 && network_is_mapped(name.addr6)) {
		key->family = AF_INET;
		addr[0] = name.addr6[3];
		return name.port;
	}
	if (name.family == AF_INET6) {
		key->family = AF_INET6;
		__builtin_memcpy(addr, name.addr6, sizeof(name.addr6));
		return name.port;
	}
	if (port)
		network_peer_addr(sk, key);
	return port;
}

/* Counts for the datagram's peer; returns the class that the peer's address makes of it. */
static __always_inline __u32 network_udp(const struct network_io *io, __u32 class)
{
	struct network_peer_key key = { .proc_id = io->who.proc_id };
	__u16 port = network_named(io, &key);
	struct sock *sk = (void *)io->sk;
	struct network_peer *p;

	key.role = NETWORK_UDP_OUT;
	key.port = __builtin_bswap16(port);
	if (BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks) & SOCK_BINDPORT_LOCK) {
		key.role = NETWORK_UDP_IN;
		key.port = KREAD(sk, __sk_common.skc_num);
	}
	p = network_peer_row(&key);
	if (p && io->sent) {
		slot_add(&p->sent_bytes, io->bytes);
		slot_add(&p->sent_messages, 1);
	} else if (p) {
		slot_add(&p->received_bytes, io->bytes);
		slot_add(&p->received_messages, 1);
	}
	if (key.family == AF_INET)
		return NETWORK_UDP4;
	return key.family == AF_INET6 ? NETWORK_UDP6 : class;
}

static __noinline int network_flow_failed(struct network_flow *f, __s64 err, __u32 sent)
{
	if (err == EAGAIN)
		slot_add(&f->would_block, 1);
	else if (err == EINTR || (err >= ERESTART_FIRST && err <= ERESTART_LAST))
		return 0;
	else if (sent)
		slot_add(&f->send_errors, 1);
	else
		slot_add(&f->receive_errors, 1);
	return 0;
}

__noinline int network_flow(const struct network_io *io)
{
	struct network_slot *s;
	struct network_flow *f;
	__u32 class;

	if (!io || !network_is_on())
		return 0;
	class = network_class((void *)io->sk);
	s = SLOT_ROW(network_slots, io->who.slot);
	if (io->bytes >= 0 && (class == NETWORK_UDP4 || class == NETWORK_UDP6))
		class = network_udp(io, class);
	if (!s || class >= NETWORK_CLASSES)
		return 0;
	f = &s->flows[class];
	if (io->bytes < 0)
		return network_flow_failed(f, -io->bytes, io->sent);
	if (io->sent) {
		slot_add_call(&f->sent_bytes, io->bytes);
		slot_add_call(&f->sent_calls, io->calls);
		slot_add_call(&f->sent_messages, 1);
	} else {
		slot_add_call(&f->received_bytes, io->bytes);
		slot_add_call(&f->received_calls, io->calls);
		slot_add_call(&f->received_messages, 1);
	}
	return 0;
}

/* ---- connect and accept, as they return ---- */

#define EISCONN 106
#define EALREADY 114
#define EINPROGRESS 115

static __noinline int network_unix_connect(const struct slot_owner *who, __s64 ret)
{
	struct network_slot *s = SLOT_ROW(network_slots, who->slot);

	if (!s || ret == -EAGAIN || ret == -EINTR || ret <= -ERESTART_FIRST)
		return 0;
	if (ret)
		slot_add(&s->unix_connect_failures, 1);
	else
		slot_add(&s->unix_connects, 1);
	return 0;
}

/* Whom it wanted, as the call says; of an operation of io_uring that is not known any more. */
static __noinline int network_peer_failed(const struct network_io *io)
{
	struct network_peer_key key = { .proc_id = io->who.proc_id, .role = NETWORK_TCP_OUT };
	struct network_peer *p;

	if (!io->name)
		return 0;
	key.port = __builtin_bswap16(network_named(io, &key));
	p = network_peer_row(&key);
	if (p)
		slot_add(&p->failures, 1);
	return 0;
}

/* A connect() that failed before a SYN was sent: no route, no port. Others are counted. */
__noinline int network_connect_returned(const struct network_io *io)
{
	const struct slot_owner *who;
	struct network_sock *e;
	struct network_slot *s;
	__u64 key;
	__s64 ret;
	__u32 class;

	if (!io || !network_is_on())
		return 0;
	who = &io->who;
	ret = io->bytes;
	key = io->sk;
	class = network_class((void *)io->sk);
	if (class == NETWORK_UNIX_STREAM)
		return network_unix_connect(who, ret);
	if (class > NETWORK_TCP6 || !ret || ret == -EINPROGRESS || ret == -EALREADY ||
	    ret == -EISCONN || ret == -EINTR || ret <= -ERESTART_FIRST)
		return 0;
	e = bpf_map_lookup_elem(&network_socks, &key);
	s = SLOT_ROW(network_slots, who->slot);
	if (e && (e->flags & NETWORK_FAILED))
		return 0;
	if (e && (e->flags & NETWORK_ESTABLISHED))
		return 0;
	if (e)
		e->flags |= NETWORK_FAILED;
	else if (s)
		slot_add(&s->opens, 1);
	if (s)
		slot_add(&s->connect_failures, 1);
	network_peer_failed(io);
	return network_error(who->proc_id, -ret);
}

/* An entry for a connection whose handshake was not seen: the listener was there before us. */
static __noinline struct network_sock *network_accept_late(const struct network_peer_key *peer,
							   __u64 key)
{
	__u32 port = peer->port, one = 1;

	/* from now on its handshakes are known */
	bpf_map_update_elem(&network_ports, &port, &one, BPF_ANY);
	if (bpf_map_update_elem(&network_socks, &key, &network_no_sock, BPF_ANY))
		counter_add(COUNTER_LOST_SOCKET);
	return bpf_map_lookup_elem(&network_socks, &key);
}

/* io->sk is the accepted one: from now on it is the acceptor's. */
__noinline int network_accepted(const struct network_io *io)
{
	struct network_peer_key peer = { .role = NETWORK_TCP_IN };
	struct network_slot *s;
	struct network_sock *e;
	struct network_peer *p;
	struct sock *sk;
	__u32 class;
	__u64 ns;

	if (!io || !network_is_on())
		return 0;
	s = SLOT_ROW(network_slots, io->who.slot);
	sk = (void *)io->sk;
	ns = io->sk; /* the key */
	class = network_class(sk);
	if (!s)
		return 0;
	if (class == NETWORK_UNIX_STREAM)
		slot_add(&s->unix_accepts, 1);
	if (class > NETWORK_TCP6)
		return 0;
	slot_add(&s->accepts, 1);
	peer.proc_id = io->who.proc_id;
	peer.port = KREAD(sk, __sk_common.skc_num);
	network_peer_addr(sk, &peer);
	p = network_peer_row(&peer);
	if (p)
		slot_add(&p->connections, 1);
	e = bpf_map_lookup_elem(&network_socks, &ns);
	if (!e || !(e->flags & NETWORK_QUEUED))
		e = network_accept_late(&peer, ns);
	if (!e)
		return 0;
	if (e->flags & NETWORK_RESET)
		slot_add(&s->resets_received, 1);
	e->peer = peer;
	e->owner = io->who;
	e->flags = NETWORK_ESTABLISHED;
	if (!e->since_ns)
		return 0;
	ns = bpf_ktime_get_ns() - e->since_ns;
	slot_add(&s->accepts_timed, 1);
	slot_add(&s->accept_ns, ns);
	slot_max(&s->accept_max_ns, ns);
	hist_note(&network_hists, NETWORK_HIST_ACCEPT, ns);
	return 0;
}

#endif
