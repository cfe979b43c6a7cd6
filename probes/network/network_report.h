/* SPDX-License-Identifier: BSD-2-Clause */
/* The network's part of a report: figures of the tree and of processes, and tables. */
#ifndef DWELL_NETWORK_REPORT_H
#define DWELL_NETWORK_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "absent.h"
#include "network.h"
#include "record.h"

struct errno_count;
struct hist_row;

/* A latency: of the tree with percentiles, of a process without. */
struct network_time {
	uint64_t count, ns, max_ns;
	uint64_t p50_ns, p95_ns, p99_ns;
	struct hist_row *hist;
	size_t nhist;
};

struct network_rtt {
	uint64_t count;
	uint64_t min_ns, mean_ns; /* 0: none was measured */
	uint64_t p50_ns, p95_ns, p99_ns;
	struct hist_row *hist;
	size_t nhist;
};

struct network_figures {
	struct network_slot counts;
	uint64_t connections_open;
	struct network_time connect, accept;
	struct network_rtt rtt;
	struct errno_count *errors; /* of failed connects, by count */
	size_t nerrors;
};

struct network_row {
	uint32_t pid, proc_id;
	char comm[COMM_LEN];
	struct network_figures figures;
};

struct network_peer_row {
	uint32_t pid, proc_id; /* 0: the row `other` */
	char comm[COMM_LEN];
	const char *protocol;  /* "tcp", "udp"; "other" */
	const char *direction; /* "out": it was called; "in": it called us */
	const char *address;   /* "*": not asked for by the program */
	uint32_t port;
	struct network_peer counts;
	uint64_t rtt_min_ns, rtt_mean_ns;
};

struct network_connection_row {
	uint32_t pid, proc_id;
	char comm[COMM_LEN];
	const char *direction, *state;
	const char *local, *peer; /* address:port */
	uint64_t sent_bytes, received_bytes, retransmits;
	uint64_t rtt_ns, rtt_min_ns; /* 0: not measured */
	uint32_t cwnd;
};

struct network_listener_row {
	uint32_t pid, proc_id;
	char comm[COMM_LEN];
	const char *local;
	uint32_t backlog, max_backlog; /* waiting to be accepted now, and how many may */
	uint64_t drops;
};

struct network_report {
	bool present;
	struct network_figures tree;
	struct network_row *processes; /* those that used sockets, in the ledger's order */
	size_t nprocesses;
	struct network_row **by_id;     /* the same, by proc_id, to be looked up */
	struct network_peer_row *peers; /* by bytes, descending; bounded */
	size_t npeers;
	uint64_t peers_cut;
	struct network_connection_row *connections; /* open ones, by bytes, descending; bounded */
	size_t nconnections;
	struct network_listener_row *listeners;
	size_t nlisteners;
	struct absent_list absent;
};

/* Bytes or messages of all classes of a kind together. */
static inline uint64_t network_tcp_sent(const struct network_slot *s)
{
	return s->flows[NETWORK_TCP4].sent_bytes + s->flows[NETWORK_TCP6].sent_bytes;
}

static inline uint64_t network_udp_messages(const struct network_slot *s)
{
	return s->flows[NETWORK_UDP4].sent_messages + s->flows[NETWORK_UDP6].sent_messages +
	       s->flows[NETWORK_UDP4].received_messages + s->flows[NETWORK_UDP6].received_messages;
}

#endif
