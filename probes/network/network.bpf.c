// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * network: connections from their first packet to their end, for who made or accepted them.
 *
 * Hooks: inet_sock_set_state, tcp_destroy_sock, tcp_send_reset, tcp_receive_reset: some a
 *        connection, none a packet; io_uring_complete and io_uring_submit_req (6.3) or _sqe
 *        where io_uring is used; and a role in sys_exit (calls.bpf.h).
 * Keeps: network_slots, network_hists; network_socks, from which a packet that comes in an
 *        interrupt finds whom it belongs to: `current` is then whoever happened to run.
 *        Segments, retransmissions and RTT are read from the kernel's tcp_sock when the
 *        connection ends and at each report.
 *
 * Limits: the kernel counts a SYN on the listening socket, a SYN-ACK on none. A connection
 * that its process leaves to the kernel to finish is charged up to the close; what follows
 * when the process is gone is in the tree's figures only. Not MPTCP's subflows.
 */
#include "socket.bpf.h"
#include "uring.bpf.h"

static __always_inline void network_forget(struct sock *sk)
{
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&network_socks, &key);
}

/* connect() has chosen the peer and is about to send a SYN; current is who called it. */
static __noinline int network_syn_sent(struct sock *sk)
{
	struct network_sock e = { .flags = NETWORK_ACTIVE };
	struct target *t = network_target();
	struct network_slot *s;
	__u64 key = (__u64)sk;

	if (!t) { /* what a socket of ours may have left under this address */
		network_forget(sk);
		return 0;
	}
	e.owner = slot_owner(t);
	e.since_ns = bpf_ktime_get_ns();
	e.peer.proc_id = t->proc_id;
	e.peer.role = NETWORK_TCP_OUT;
	e.peer.port = __builtin_bswap16(KREAD(sk, __sk_common.skc_dport));
	network_peer_addr(sk, &e.peer);
	network_counted(sk, &e.charged);
	s = SLOT_OF(network_slots, t);
	if (s)
		slot_add(&s->opens, 1);
	if (bpf_map_update_elem(&network_socks, &key, &e, BPF_ANY))
		counter_add(COUNTER_LOST_SOCKET);
	return 0;
}

static __noinline int network_listen(struct sock *sk)
{
	struct network_sock e = { .flags = NETWORK_LISTENS };
	struct target *t = network_target();
	struct network_slot *s;
	__u64 key = (__u64)sk;
	__u32 port = KREAD(sk, __sk_common.skc_num), one = 1;

	if (!t) {
		network_forget(sk);
		return 0;
	}
	e.owner = slot_owner(t);
	network_counted(sk, &e.charged);
	s = SLOT_OF(network_slots, t);
	if (s)
		slot_add(&s->listens, 1);
	if (port)
		bpf_map_update_elem(&network_ports, &port, &one, BPF_ANY);
	if (bpf_map_update_elem(&network_socks, &key, &e, BPF_ANY))
		counter_add(COUNTER_LOST_SOCKET);
	return 0;
}

/* The handshake of a connection to one of our ports is done: it waits to be accepted. */
static __always_inline void network_queued(struct sock *sk)
{
	struct network_sock e = { .flags = NETWORK_QUEUED | NETWORK_ESTABLISHED };
	__u32 port = KREAD(sk, __sk_common.skc_num);
	__u64 key = (__u64)sk;

	if (!bpf_map_lookup_elem(&network_ports, &port))
		return;
	e.since_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&network_socks, &key, &e, BPF_ANY))
		counter_add(COUNTER_LOST_SOCKET);
}

static __noinline int network_established(struct sock *sk)
{
	__u64 key = (__u64)sk, ns;
	struct network_sock *e = bpf_map_lookup_elem(&network_socks, &key);
	struct network_slot *s;
	struct network_peer *p;

	if (!e || !(e->flags & NETWORK_ACTIVE)) {
		network_queued(sk);
		return 0;
	}
	ns = bpf_ktime_get_ns() - e->since_ns;
	e->flags |= NETWORK_ESTABLISHED;
	s = SLOT_OWNED(network_slots, &e->owner);
	if (!s)
		return 0;
	slot_add(&s->connected, 1);
	slot_add(&s->connect_ns, ns);
	slot_max(&s->connect_max_ns, ns);
	hist_note(&network_hists, NETWORK_HIST_CONNECT, ns);
	p = network_peer_row(&e->peer);
	if (p)
		slot_add(&p->connections, 1);
	return 0;
}

static __noinline int network_failed(struct network_sock *e, __u32 err)
{
	struct network_slot *s = SLOT_OWNED(network_slots, &e->owner);
	struct network_peer *p;

	e->flags |= NETWORK_FAILED;
	if (s)
		slot_add(&s->connect_failures, 1);
	network_error(e->owner.proc_id, err);
	p = network_peer_row(&e->peer);
	if (p)
		slot_add(&p->failures, 1);
	return 0;
}

/*
 * The end of a connection, or of an attempt. sk_err is set before the state where the peer or
 * the network refused it; where connect() itself did, its return tells (calls.bpf.h).
 */
static __noinline int network_closed(struct sock *sk, struct network_sock *e)
{
	int err = KREAD(sk, sk_err);

	network_charge(sk, e);
	if (e->flags & NETWORK_ESTABLISHED)
		return network_measure(sk, e);
	if ((e->flags & (NETWORK_ACTIVE | NETWORK_FAILED)) == NETWORK_ACTIVE && err)
		network_failed(e, err);
	return 0;
}

SEC_TP("inet_sock_set_state")
int BPF_PROG(network_state, struct sock *sk, int old, int new)
{
	struct network_sock *e;
	__u64 key = (__u64)sk;

	if (KREAD(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	if (new == TCP_SYN_SENT)
		return network_syn_sent(sk);
	if (new == TCP_LISTEN)
		return network_listen(sk);
	if (new == TCP_ESTABLISHED)
		return network_established(sk);
	/* close() by the owner (FIN_WAIT1, LAST_ACK): charge it while it is there */
	if (new != TCP_FIN_WAIT1 &&new != TCP_LAST_ACK &&new != TCP_CLOSE)
		return 0;
	e = bpf_map_lookup_elem(&network_socks, &key);
	return e ? network_closed(sk, e) : 0;
}

SEC_TP("tcp_destroy_sock")
int BPF_PROG(network_destroy, struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct network_sock *e = bpf_map_lookup_elem(&network_socks, &key);
	struct network_slot *s;

	if (!e)
		return 0;
	network_charge(sk, e);
	if (e->flags & NETWORK_ESTABLISHED)
		network_measure(sk, e);
	if ((e->flags & (NETWORK_ACTIVE | NETWORK_ESTABLISHED | NETWORK_FAILED)) ==
	    NETWORK_ACTIVE) {
		s = SLOT_OWNED(network_slots, &e->owner);
		if (s)
			slot_add(&s->abandoned, 1);
	}
	network_forget(sk);
	return 0;
}

/* The slot of a socket's owner; NULL: nobody of ours. */
static __always_inline struct network_slot *network_slot_of(const struct network_sock *e)
{
	return e && e->owner.proc_id ? SLOT_OWNED(network_slots, &e->owner) : NULL;
}

/*
 * sk: NULL or no full socket where a packet met none of ours. A close that aborts sends the
 * reset between the state's change and the clearing of the socket's counts: it is charged here.
 */
SEC_TP("tcp_send_reset")
int BPF_PROG(network_send_reset, struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct network_sock *e = sk ? bpf_map_lookup_elem(&network_socks, &key) : NULL;
	struct network_slot *s = network_slot_of(e);

	if (!e || !s)
		return 0;
	slot_add(&s->resets_sent, 1);
	network_charge(sk, e);
	return 0;
}

SEC_TP("tcp_receive_reset")
int BPF_PROG(network_receive_reset, struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct network_sock *e = bpf_map_lookup_elem(&network_socks, &key);
	struct network_slot *s = network_slot_of(e);

	if (s)
		slot_add(&s->resets_received, 1);
	else if (e)
		e->flags |= NETWORK_RESET; /* counted for who will accept it */
	return 0;
}

/* ---- what lives, for a report ---- */

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
} SLICE;

static __always_inline void network_show_addr(struct sock *sk, struct network_live *row)
{
	row->lport = KREAD(sk, __sk_common.skc_num);
	row->rport = __builtin_bswap16(KREAD(sk, __sk_common.skc_dport));
	if (KREAD(sk, __sk_common.skc_family) == AF_INET)
		*(__u32 *)row->laddr = KREAD(sk, __sk_common.skc_rcv_saddr);
	else
		for (int i = 0; i < 4; i++)
			((__u32 *)row->laddr)[i] =
				KREAD(sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i]);
}

SEC("iter/bpf_map_elem")
int network_live(struct bpf_iter__bpf_map_elem *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct network_live row = {};
	struct network_sock *e;
	struct tcp_sock *tp;
	struct sock *sk;
	__u64 *at = ctx->key, key;

	if (!at)
		return 0;
	key = *at;
	e = bpf_map_lookup_elem(&network_socks, &key);
	if (!e || !e->owner.proc_id)
		return 0;
	sk = (void *)key;
	tp = (void *)key;
	network_charge(sk, e);
	row.sock = *e;
	row.state = KREAD(sk, __sk_common.skc_state);
	row.srtt_us = KREAD(tp, srtt_us) >> 3;
	row.rtt_min_us = KREAD(tp, rtt_min.s[0].v);
	row.cwnd = KREAD(tp, snd_cwnd);
	row.backlog = KREAD(sk, sk_ack_backlog);
	row.max_backlog = KREAD(sk, sk_max_ack_backlog);
	row.family = KREAD(sk, __sk_common.skc_family);
	network_show_addr(sk, &row);
	bpf_seq_write(seq, &row, sizeof(row));
	return 0;
}

/* ---- sockets that are there when dwell attaches ---- */

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} SLICE;

/* What has been counted before is not charged. Who is found first with it is the owner. */
SEC("iter/task_file")
int network_seed(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct network_sock e = {};
	struct target *t;
	struct sock *sk;
	__u32 port, one = 1;
	__u64 key;

	if (!task || !ctx->file)
		return 0;
	t = target_of(task);
	sk = t ? network_sock_of(ctx->file) : NULL;
	if (!sk || network_class(sk) > NETWORK_TCP6 || KREAD(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	key = (__u64)sk;
	port = KREAD(sk, __sk_common.skc_num);
	e.owner = slot_owner(t);
	switch (KREAD(sk, __sk_common.skc_state)) {
	case TCP_LISTEN:
		e.flags = NETWORK_LISTENS;
		bpf_map_update_elem(&network_ports, &port, &one, BPF_ANY);
		break;
	case TCP_CLOSE:
	case TCP_SYN_SENT: /* when its SYN went out is not known */
		return 0;
	default:
		e.flags = NETWORK_ESTABLISHED;
	}
	e.peer.proc_id = t->proc_id;
	e.peer.port = __builtin_bswap16(KREAD(sk, __sk_common.skc_dport));
	e.peer.role = NETWORK_TCP_OUT;
	if (bpf_map_lookup_elem(&network_ports, &port)) {
		e.peer.role = NETWORK_TCP_IN;
		e.peer.port = port;
	}
	network_peer_addr(sk, &e.peer);
	network_counted(sk, &e.charged);
	if (bpf_map_update_elem(&network_socks, &key, &e, BPF_NOEXIST) &&
	    !bpf_map_lookup_elem(&network_socks, &key))
		counter_add(COUNTER_LOST_SOCKET);
	return 0;
}
