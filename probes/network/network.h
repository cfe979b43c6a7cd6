/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The network probe's records, shared by the kernel side and the reader.
 *
 * Bytes and calls are counted where the call returns, for who made it. What belongs to a
 * connection (segments, retransmissions, RTT) the kernel counts in its tcp_sock anyway; it is
 * read when the connection ends, and at each report, for the process that connected or
 * accepted.
 */
#ifndef DWELL_NETWORK_H
#define DWELL_NETWORK_H

#include <linux/types.h>

#include "slot.h"

/* A v6 socket that talks to an IPv4-mapped address is v4. */
enum network_class {
	NETWORK_TCP4,
	NETWORK_TCP6,
	NETWORK_UDP4,
	NETWORK_UDP6,
	NETWORK_UNIX_STREAM,
	NETWORK_UNIX_DGRAM, /* seqpacket as well */
	NETWORK_OTHER,      /* netlink, raw, packet, vsock, … */
	NETWORK_CLASSES
};

struct network_flow {
	__u64 sent_bytes, sent_calls, sent_messages;
	__u64 received_bytes, received_calls, received_messages;
	__u64 send_errors, receive_errors, would_block;
};

#define NETWORK_FLOW_SUMS (sizeof(struct network_flow) / 8)

struct network_slot {
	struct network_flow flows[NETWORK_CLASSES];
	__u64 opens, connected, connect_ns, connect_failures, abandoned;
	__u64 accepts, accepts_timed, accept_ns;
	__u64 segments_sent, segments_received, data_segments_sent, data_segments_received;
	__u64 retransmits, retransmitted_bytes;
	__u64 resets_sent, resets_received;
	__u64 listens, listen_drops;
	__u64 rtt_count, rtt_us; /* smoothed RTT of connections at their end */
	__u64 unix_connects, unix_connect_failures, unix_accepts;
	/* maxima */
	__u64 connect_max_ns, accept_max_ns;
	__u64 rtt_best; /* ~ of the smallest RTT in us; 0: none */
};

enum network_hist { NETWORK_HIST_CONNECT, NETWORK_HIST_ACCEPT, NETWORK_HIST_RTT, NETWORK_HISTS };

enum network_role {
	NETWORK_PEER_OTHER, /* all peers of a process for which the table had no room */
	NETWORK_TCP_OUT,    /* connected to; port: the peer's */
	NETWORK_TCP_IN,     /* accepted; port: our own */
	NETWORK_UDP_OUT,
	NETWORK_UDP_IN,
};

/* Key of network_peers. The port is the one that names the service. */
struct network_peer_key {
	__u32 proc_id;
	__u16 port;
	__u8 role;   /* enum network_role */
	__u8 family; /* AF_INET, AF_INET6; 0: the program did not ask who sent it */
	__u8 addr[16];
};

struct network_peer {
	__u64 connections, failures;
	__u64 sent_bytes, received_bytes;
	__u64 sent_messages, received_messages; /* of TCP: segments */
	__u64 retransmits;
	__u64 rtt_count, rtt_us;
	__u64 rtt_best; /* as in network_slot */
};

/* Key of network_errors, of value __u64. */
struct network_error_key {
	__u32 proc_id;
	__u32 err; /* positive errno */
};

enum network_sock_flag {
	NETWORK_ACTIVE = 1,
	NETWORK_ESTABLISHED = 2,
	NETWORK_LISTENS = 4,
	NETWORK_QUEUED = 8,    /* established, not yet accepted: nobody's */
	NETWORK_FAILED = 16,   /* its failure to connect has been counted */
	NETWORK_MEASURED = 32, /* its RTT has been noted */
	NETWORK_RESET = 64,    /* the other side has reset it while it was queued */
};

/* What the kernel has counted for a socket as far as it has been charged to the owner. */
struct network_charged {
	__u64 sent_bytes, received_bytes, retransmitted_bytes;
	__u32 segments_sent, segments_received;
	__u32 data_segments_sent, data_segments_received;
	__u32 retransmits, drops;
};

/* Value of network_socks: a TCP socket of the target, by its address in the kernel. */
struct network_sock {
	__u64 since_ns; /* SYN sent; of a queued one: established */
	struct slot_owner owner;
	__u32 flags;
	__u32 pad;
	struct network_peer_key peer;
	struct network_charged charged;
};

/* A row of the iterator network_live. */
struct network_live {
	struct network_sock sock;
	__u32 state; /* TCP_ESTABLISHED, … */
	__u32 srtt_us, rtt_min_us, cwnd;
	__u32 backlog, max_backlog;
	__u16 lport, rport;
	__u32 family; /* of the socket: one of v6 may talk v4 */
	__u8 laddr[16];
};

_Static_assert(sizeof(struct network_peer_key) == 24, "struct network_peer_key has holes");
_Static_assert(sizeof(struct network_charged) == 48, "struct network_charged has holes");
_Static_assert(sizeof(struct network_sock) == 96, "struct network_sock has holes");
_Static_assert(sizeof(struct network_live) == 144, "struct network_live has holes");

#endif
