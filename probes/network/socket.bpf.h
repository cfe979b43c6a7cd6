/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The network probe's maps, and what a socket is: its class, its peer, and what the kernel
 * has counted for it.
 */
#ifndef DWELL_NETWORK_SOCKET_BPF_H
#define DWELL_NETWORK_SOCKET_BPF_H

#include "file.bpf.h"
#include "kread.bpf.h"
#include "network.h"
#include "slot.bpf.h"

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_UDPLITE 136
#define IPPROTO_MPTCP 262
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
/* include/net/tcp_states.h */
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE 7
#define TCP_LAST_ACK 9
#define TCP_LISTEN 10
/* include/net/sock.h */
#define SOCK_DONE_BIT (1UL << 1) /* a FIN was received */
#define SOCK_BINDPORT_LOCK 8     /* the port was asked for by bind() */
#define NO_RTT 0xffffffffU       /* tcp_sock.rtt_min before the first measurement */

const volatile struct {
	__u32 on;               /* in the object of the probe itself; elsewhere its role says so */
	__u32 complete_has_cqe; /* io_uring_complete gives a cqe, not its members */
	__u32 multishot;        /* bit of io_kiocb.flags; 0: not known */
} network_cfg SEC(".rodata.network");

SLOT_MAP(network_slots, struct network_slot);
HIST_MAP(network_hists);

/* TCP sockets of the target, by address; from connect, listen or handshake to destruction. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct network_sock);
} network_socks SEC(".maps");

/* Ports on which the target listens: whose handshakes are of interest before any accept(). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} network_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct network_peer_key);
	__type(value, struct network_peer);
} network_peers SEC(".maps");

/* Failed connects by errno. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct network_error_key);
	__type(value, __u64);
} network_errors SEC(".maps");

static const struct network_peer network_no_peer SEC(".rodata.fixed");
static const struct network_sock network_no_sock SEC(".rodata.fixed");

/* The target that is current; threads that io_uring makes in the kernel are born as others are. */
static __always_inline struct target *network_target(void)
{
	struct target *t = target_current();

	return t && !(t->flags & TARGET_PREEXEC) ? t : NULL;
}

static __always_inline bool network_is_mapped(const __u32 addr[4])
{
	return !addr[0] && !addr[1] && addr[2] == __builtin_bswap32(0xffff);
}

/* Does a v6 socket talk v4? */
static __always_inline bool network_talks_v4(struct sock *sk)
{
	__u32 third = KREAD(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[2]);

	return third == __builtin_bswap32(0xffff) &&
	       !KREAD(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[0]) &&
	       !KREAD(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[1]);
}

static __always_inline __u32 network_class(struct sock *sk)
{
	__u16 family = KREAD(sk, __sk_common.skc_family), type = KREAD(sk, sk_type), protocol;

	if (family == AF_UNIX)
		return type == SOCK_STREAM ? NETWORK_UNIX_STREAM : NETWORK_UNIX_DGRAM;
	if (family != AF_INET && family != AF_INET6)
		return NETWORK_OTHER;
	protocol = KREAD(sk, sk_protocol);
	if (family == AF_INET6 && network_talks_v4(sk))
		family = AF_INET;
	if (type == SOCK_STREAM && (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP))
		return family == AF_INET ? NETWORK_TCP4 : NETWORK_TCP6;
	if (type == SOCK_DGRAM && (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE))
		return family == AF_INET ? NETWORK_UDP4 : NETWORK_UDP6;
	return NETWORK_OTHER;
}

/* The socket behind a file; NULL: it is none. */
static __always_inline struct sock *network_sock_of(struct file *file)
{
	struct inode *inode;
	struct socket *socket;

	if (!file)
		return NULL;
	inode = KREAD(file, f_inode);
	if ((KREAD(inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = KREAD(file, private_data);
	return KREAD(socket, sk);
}

/* ---- peers ---- */

static __always_inline void network_peer_addr(struct sock *sk, struct network_peer_key *key)
{
	__u32 *addr = (__u32 *)key->addr;

	key->family = AF_INET;
	if (KREAD(sk, __sk_common.skc_family) == AF_INET6) {
		if (network_talks_v4(sk)) {
			addr[0] = KREAD(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[3]);
			return;
		}
		key->family = AF_INET6;
		for (int i = 0; i < 4; i++)
			addr[i] = KREAD(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[i]);
		return;
	}
	addr[0] = KREAD(sk, __sk_common.skc_daddr);
}

/* The row of a peer, made when it is new; when the table is full the row `other`. */
static __noinline struct network_peer *network_peer_row(const struct network_peer_key *wanted)
{
	struct network_peer_key key = *wanted;
	struct network_peer *row = bpf_map_lookup_elem(&network_peers, &key);

	if (row)
		return row;
	bpf_map_update_elem(&network_peers, &key, &network_no_peer, BPF_NOEXIST);
	row = bpf_map_lookup_elem(&network_peers, &key);
	if (row)
		return row;
	counter_add(COUNTER_OTHER_PEER);
	__builtin_memset(&key, 0, sizeof(key)); /* made by user space: there is always room */
	return bpf_map_lookup_elem(&network_peers, &key);
}

/* A failed connect; where the table is full it is known by its process only. */
static __noinline int network_error(__u32 proc_id, __u32 err)
{
	struct network_error_key key = { .proc_id = proc_id, .err = err };
	__u64 *n = bpf_map_lookup_elem(&network_errors, &key), zero = 0;

	if (!n) {
		bpf_map_update_elem(&network_errors, &key, &zero, BPF_NOEXIST);
		n = bpf_map_lookup_elem(&network_errors, &key);
	}
	if (n)
		slot_add(n, 1);
	else
		counter_add(COUNTER_LOST_CONNECT);
	return 0;
}

/* ---- what the kernel counts for a TCP socket ---- */

static __always_inline void network_counted(struct sock *sk, struct network_charged *now)
{
	struct tcp_sock *tp = (void *)sk;

	now->retransmitted_bytes = KREAD(tp, bytes_retrans);
	now->sent_bytes = KREAD(tp, bytes_sent) - now->retransmitted_bytes;
	now->received_bytes = KREAD(tp, bytes_received);
	if (now->received_bytes && (KREAD(sk, __sk_common.skc_flags) & SOCK_DONE_BIT))
		now->received_bytes--; /* the FIN's place in the sequence */
	now->segments_sent = KREAD(tp, segs_out);
	now->segments_received = KREAD(tp, segs_in);
	now->data_segments_sent = KREAD(tp, data_segs_out);
	now->data_segments_received = KREAD(tp, data_segs_in);
	now->retransmits = KREAD(tp, total_retrans);
	now->drops = KREAD(sk, sk_drops.counter);
}

/*
 * Since the last time. Two CPUs may charge the same socket at once: whoever exchanges later
 * takes the (perhaps negative) rest, so the sum stays right.
 */
#define NETWORK_SINCE64(member)                                                                    \
	((now.member) - __sync_lock_test_and_set(&e->charged.member, now.member))
#define NETWORK_SINCE32(member)                                                                    \
	((__s64)(__s32)((now.member) - __sync_lock_test_and_set(&e->charged.member, now.member)))

/* tcp_disconnect() has set the counts to zero; what was there has been charged. */
static __always_inline bool network_was_cleared(const struct network_charged *now)
{
	return !now->segments_sent && !now->segments_received;
}

/* Charges the owner with what the kernel has counted for the socket since the last time. */
static __noinline int network_charge(struct sock *sk, struct network_sock *e)
{
	struct network_charged now;
	struct network_slot *s;
	struct network_peer *p;
	__u64 bytes, retransmits, sent, received;

	if (!e->owner.proc_id)
		return 0;
	s = SLOT_OWNED(network_slots, &e->owner);
	if (!s)
		return 0;
	network_counted(sk, &now);
	if (network_was_cleared(&now) && !(e->flags & NETWORK_LISTENS))
		return 0;
	retransmits = NETWORK_SINCE32(retransmits);
	sent = NETWORK_SINCE32(segments_sent);
	received = NETWORK_SINCE32(segments_received);
	slot_add(&s->segments_sent, sent);
	slot_add(&s->segments_received, received);
	slot_add(&s->data_segments_sent, NETWORK_SINCE32(data_segments_sent));
	slot_add(&s->data_segments_received, NETWORK_SINCE32(data_segments_received));
	slot_add(&s->retransmits, retransmits);
	slot_add(&s->retransmitted_bytes, NETWORK_SINCE64(retransmitted_bytes));
	if (e->flags & NETWORK_LISTENS) {
		slot_add(&s->listen_drops, NETWORK_SINCE32(drops));
		return 0;
	}
	p = network_peer_row(&e->peer);
	if (!p)
		return 0;
	bytes = NETWORK_SINCE64(sent_bytes);
	slot_add(&p->sent_bytes, bytes);
	bytes = NETWORK_SINCE64(received_bytes);
	slot_add(&p->received_bytes, bytes);
	slot_add(&p->sent_messages, sent);
	slot_add(&p->received_messages, received);
	slot_add(&p->retransmits, retransmits);
	return 0;
}

/* The RTT of a connection, once, when it ends. */
static __noinline int network_measure(struct sock *sk, struct network_sock *e)
{
	struct tcp_sock *tp = (void *)sk;
	__u32 srtt = KREAD(tp, srtt_us) >> 3, best = KREAD(tp, rtt_min.s[0].v);
	struct network_slot *s = SLOT_OWNED(network_slots, &e->owner);
	struct network_peer *p;

	if (!s || !srtt || !e->owner.proc_id || (e->flags & NETWORK_MEASURED))
		return 0;
	e->flags |= NETWORK_MEASURED;
	slot_add(&s->rtt_count, 1);
	slot_add(&s->rtt_us, srtt);
	if (best != NO_RTT)
		slot_max(&s->rtt_best, ~(__u64)best);
	hist_note(&network_hists, NETWORK_HIST_RTT, (__u64)srtt * 1000);
	p = network_peer_row(&e->peer);
	if (!p)
		return 0;
	slot_add(&p->rtt_count, 1);
	slot_add(&p->rtt_us, srtt);
	if (best != NO_RTT)
		slot_max(&p->rtt_best, ~(__u64)best);
	return 0;
}

#endif
