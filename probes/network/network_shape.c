/* SPDX-License-Identifier: BSD-2-Clause */
/* See network_shape.h. One table of figures serves the tree and the processes. */
#include "network_shape.h"

#include "names.h"
#include "summary_shape.h"

static const char *errno_key(const void *row, size_t i)
{
	static char buf[CALL_LABEL_LEN];

	return errno_label(((const struct errno_count *)row)->err, buf);
}

static const struct shape flow_shape[] = {
	SHAPE_IS(U64, network_flow, sent_bytes, UNIT_BYTES, COUNTER,
		 "bytes that its calls sent, by whatever call (also sendfile, splice, io_uring)"),
	SHAPE_IS(U64, network_flow, received_bytes, UNIT_BYTES, COUNTER,
		 "bytes that its calls received; a look with MSG_PEEK does not count"),
	SHAPE_IS(U64, network_flow, sent_calls, UNIT_COUNT, COUNTER,
		 "calls and io_uring operations that sent"),
	SHAPE_IS(U64, network_flow, received_calls, UNIT_COUNT, COUNTER,
		 "calls and io_uring operations that received, the end of a stream included"),
	SHAPE_IS(U64, network_flow, sent_messages, UNIT_COUNT, COUNTER,
		 "messages sent, for UDP datagrams: a sendmmsg sends several. One that the "
		 "kernel cuts (UDP_SEGMENT) is one, as in /proc/net/snmp"),
	SHAPE_IS(U64, network_flow, received_messages, UNIT_COUNT, COUNTER,
		 "messages received, for UDP datagrams: a recvmmsg receives several"),
	SHAPE_IS(U64, network_flow, would_block, UNIT_COUNT, COUNTER,
		 "calls that failed with EAGAIN: nothing there yet, or no room"),
	SHAPE_IS(U64, network_flow, send_errors, UNIT_COUNT, COUNTER,
		 "calls to send that failed for another reason"),
	SHAPE_IS(U64, network_flow, receive_errors, UNIT_COUNT, COUNTER,
		 "calls to receive that failed for another reason"),
	{},
};

static bool has_quantiles(const void *base)
{
	return ((const struct network_time *)base)->nhist;
}

static bool rtt_quantiles(const void *base)
{
	return ((const struct network_rtt *)base)->nhist;
}

static bool rtt_measured(const void *base)
{
	return ((const struct network_rtt *)base)->count;
}

static bool rtt_has_min(const void *base)
{
	return ((const struct network_rtt *)base)->min_ns;
}

/* clang-format off */
#define QUANTILE(struct_, key_, present_, help_)					\
	{ .key = #key_, .type = SHAPE_U64, .unit = UNIT_NS, .kind = METRIC_GAUGE,	\
	  .offset = offsetof(struct struct_, key_), .size = 8, .optional = true,	\
	  .present = present_, .help = help_ }
#define HISTOGRAM(struct_, present_, help_)						\
	{ .key = "histogram", .type = SHAPE_LIST, .optional = true, .present = present_, \
	  .offset = offsetof(struct struct_, hist), .size = sizeof(struct hist_row),	\
	  .count_offset = offsetof(struct struct_, nhist), .sub = bucket_shape,		\
	  .help = help_ }
/* clang-format on */

static const struct shape time_shape[] = {
	SHAPE_IS(U64, network_time, count, UNIT_COUNT, COUNTER, "how many were timed"),
	SHAPE_IS(U64, network_time, ns, UNIT_NS, COUNTER, "their sum"),
	SHAPE_IS(U64, network_time, max_ns, UNIT_NS, GAUGE, "the longest"),
	QUANTILE(network_time, p50_ns, has_quantiles, "median, within 7 %; of the tree only"),
	QUANTILE(network_time, p95_ns, has_quantiles, "95 % were not longer; of the tree only"),
	QUANTILE(network_time, p99_ns, has_quantiles, "99 % were not longer; of the tree only"),
	HISTOGRAM(network_time, has_quantiles, "of the tree only: the buckets that are not empty"),
	{},
};

static const struct shape rtt_shape[] = {
	SHAPE_IS(U64, network_rtt, count, UNIT_COUNT, GAUGE,
		 "connections that had one: smoothed RTT at the end, of open ones that of now"),
	QUANTILE(network_rtt, min_ns, rtt_has_min,
		 "smallest that the kernel measured on any of them (its rtt_min: the least of "
		 "the last five minutes of a connection)"),
	QUANTILE(network_rtt, mean_ns, rtt_measured, "mean of the connections' smoothed RTTs"),
	QUANTILE(network_rtt, p50_ns, rtt_quantiles, "median connection; of the tree only"),
	QUANTILE(network_rtt, p95_ns, rtt_quantiles, "95 % were not longer; of the tree only"),
	QUANTILE(network_rtt, p99_ns, rtt_quantiles, "99 % were not longer; of the tree only"),
	HISTOGRAM(network_rtt, rtt_quantiles, "of the tree only: connections by smoothed RTT"),
	{},
};

static const struct shape error_shape[] = {
	SHAPE_IS(U64, errno_count, count, UNIT_COUNT, COUNTER, "connects that failed with it"),
	{},
};

#define COUNT(key_, help_)                                                                         \
	SHAPE_AS(#key_, U64, network_figures, counts.key_, UNIT_COUNT, COUNTER, help_)
#define FLOW(key_, class_, help_)                                                                  \
	SHAPE_SUB(key_, network_figures, counts.flows[class_], flow_shape, help_)

static const struct shape figures_shape[] = {
	SHAPE_AS("connects", U64, network_figures, counts.opens, UNIT_COUNT, COUNTER,
		 "TCP connections that it tried to open"),
	COUNT(connected, "of these, established"),
	COUNT(connect_failures, "of these, failed: refused, timed out, no route, no port"),
	COUNT(abandoned, "of these, closed by the program before there was an answer"),
	{ .key = "connect_errors",
	  .type = SHAPE_DICT,
	  .offset = offsetof(struct network_figures, errors),
	  .size = sizeof(struct errno_count),
	  .count_offset = offsetof(struct network_figures, nerrors),
	  .row_key = errno_key,
	  .lone = true,
	  .sub = error_shape,
	  .help = "failed connects by errno, also those that were told later, to a program that "
		  "did not wait" },
	SHAPE_SUB("connect_latency", network_figures, connect, time_shape,
		  "from the SYN to the established connection"),
	COUNT(listens, "sockets that began to listen"),
	COUNT(accepts, "TCP connections that it accepted"),
	SHAPE_SUB("accept_latency", network_figures, accept, time_shape,
		  "from the established connection to the return of accept(): time in the queue; "
		  "not of those that waited before the listening socket was known"),
	COUNT(listen_drops,
	      "SYNs and last steps of handshakes that its listening sockets dropped: queue "
	      "full, or no memory; a client that tries again counts again"),
	SHAPE_AS("connections_open", U64, network_figures, connections_open, UNIT_COUNT, GAUGE,
		 "established now"),
	FLOW("tcp4", NETWORK_TCP4, "TCP over IPv4, IPv4-mapped addresses included"),
	FLOW("tcp6", NETWORK_TCP6, "TCP over IPv6"),
	FLOW("udp4", NETWORK_UDP4,
	     "UDP over IPv4, IPv4-mapped addresses included where the call "
	     "or the socket names the peer"),
	FLOW("udp6", NETWORK_UDP6, "UDP over IPv6"),
	FLOW("unix_stream", NETWORK_UNIX_STREAM, "unix stream sockets"),
	FLOW("unix_dgram", NETWORK_UNIX_DGRAM, "unix datagram and sequenced packet sockets"),
	FLOW("other", NETWORK_OTHER, "netlink, raw, packet and other sockets"),
	COUNT(segments_sent, "TCP segments that its connections sent, as the kernel counts them "
			     "for each socket; resent ones included"),
	COUNT(segments_received, "TCP segments that its connections and listening sockets got"),
	COUNT(data_segments_sent, "of those sent, with data"),
	COUNT(data_segments_received, "of those received, with data"),
	COUNT(retransmits, "TCP segments sent again"),
	SHAPE_AS("retransmitted_bytes", U64, network_figures, counts.retransmitted_bytes,
		 UNIT_BYTES, COUNTER, "bytes sent again"),
	COUNT(resets_sent, "connections that its side reset"),
	COUNT(resets_received, "connections that the other side reset or refused"),
	SHAPE_SUB("rtt", network_figures, rtt, rtt_shape, "round trip time of TCP connections"),
	COUNT(unix_connects, "unix stream connections opened"),
	COUNT(unix_connect_failures, "unix stream connections that failed"),
	COUNT(unix_accepts, "unix stream connections accepted"),
	{},
};

static const struct shape process_shape[] = {
	SHAPE_IS(U32, network_row, pid, UNIT_NONE, INFO, "process ID; 0: not visible to dwell"),
	SHAPE_IS(U32, network_row, proc_id, UNIT_NONE, INFO,
		 "number of the process in this report"),
	SHAPE_IS(CHARS, network_row, comm, UNIT_NONE, INFO, "its command's name"),
	SHAPE_FLAT(network_row, figures, figures_shape),
	{},
};

static bool peer_has_rtt(const void *base)
{
	return ((const struct network_peer_row *)base)->rtt_mean_ns;
}

#define PEER(key_, unit_, help_)                                                                   \
	SHAPE_AS(#key_, U64, network_peer_row, counts.key_, unit_, COUNTER, help_)

static const struct shape peer_shape[] = {
	SHAPE_IS(U32, network_peer_row, pid, UNIT_NONE, INFO, "whose peer it is"),
	SHAPE_IS(U32, network_peer_row, proc_id, UNIT_NONE, INFO,
		 "number of that process in this report; 0: the row other"),
	SHAPE_IS(CHARS, network_peer_row, comm, UNIT_NONE, INFO, "that process's command's name"),
	SHAPE_IS(STR, network_peer_row, protocol, UNIT_NONE, INFO,
		 "tcp or udp; other: peers for which the table had no room"),
	SHAPE_IS(STR, network_peer_row, direction, UNIT_NONE, INFO,
		 "out: connected or sent to; in: it came to a port of ours"),
	SHAPE_IS(STR, network_peer_row, address, UNIT_NONE, INFO,
		 "the peer's; *: the program did not ask who sent it"),
	SHAPE_IS(U32, network_peer_row, port, UNIT_NONE, INFO,
		 "of the service: the peer's when it was called, ours when it called"),
	PEER(connections, UNIT_COUNT, "TCP connections established with it"),
	PEER(failures, UNIT_COUNT, "connects to it that failed"),
	PEER(sent_bytes, UNIT_BYTES,
	     "bytes sent to it, each once; those still in the socket's queue are not yet sent"),
	PEER(received_bytes, UNIT_BYTES, "bytes that came from it"),
	PEER(sent_messages, UNIT_COUNT, "UDP datagrams or TCP segments sent to it"),
	PEER(received_messages, UNIT_COUNT, "UDP datagrams or TCP segments that came from it"),
	PEER(retransmits, UNIT_COUNT, "TCP segments sent again"),
	QUANTILE(network_peer_row, rtt_min_ns, peer_has_rtt, "smallest RTT of ended connections"),
	QUANTILE(network_peer_row, rtt_mean_ns, peer_has_rtt,
		 "mean of the smoothed RTT of ended connections"),
	{},
};

#define CONNECTION(type_, member_, unit_, kind_, help_)                                            \
	SHAPE_IS(type_, network_connection_row, member_, unit_, kind_, help_)

static const struct shape connection_shape[] = {
	CONNECTION(U32, pid, UNIT_NONE, INFO, "who connected or accepted"),
	CONNECTION(U32, proc_id, UNIT_NONE, INFO, "number of that process in this report"),
	CONNECTION(CHARS, comm, UNIT_NONE, INFO, "that process's command's name"),
	CONNECTION(STR, direction, UNIT_NONE, INFO, "out: connected; in: accepted"),
	CONNECTION(STR, local, UNIT_NONE, INFO, "own address and port"),
	CONNECTION(STR, peer, UNIT_NONE, INFO, "the peer's address and port"),
	CONNECTION(STR, state, UNIT_NONE, INFO, "as ss names it"),
	CONNECTION(U64, sent_bytes, UNIT_BYTES, COUNTER,
		   "bytes sent since it began, also before the attach; each once"),
	CONNECTION(U64, received_bytes, UNIT_BYTES, COUNTER, "bytes received since it began"),
	CONNECTION(U64, retransmits, UNIT_COUNT, COUNTER, "segments sent again"),
	CONNECTION(U64, rtt_ns, UNIT_NS, GAUGE, "smoothed RTT; 0: not measured yet"),
	CONNECTION(U64, rtt_min_ns, UNIT_NS, GAUGE, "smallest RTT; 0: not measured yet"),
	CONNECTION(U32, cwnd, UNIT_COUNT, GAUGE, "congestion window, in segments"),
	{},
};

static const struct shape listener_shape[] = {
	SHAPE_IS(U32, network_listener_row, pid, UNIT_NONE, INFO, "who called listen()"),
	SHAPE_IS(U32, network_listener_row, proc_id, UNIT_NONE, INFO,
		 "number of that process in this report"),
	SHAPE_IS(CHARS, network_listener_row, comm, UNIT_NONE, INFO,
		 "that process's command's name"),
	SHAPE_IS(STR, network_listener_row, local, UNIT_NONE, INFO, "address and port"),
	SHAPE_IS(U32, network_listener_row, backlog, UNIT_COUNT, GAUGE,
		 "connections that wait to be accepted"),
	SHAPE_IS(U32, network_listener_row, max_backlog, UNIT_COUNT, GAUGE, "as many may wait"),
	SHAPE_IS(U64, network_listener_row, drops, UNIT_COUNT, COUNTER,
		 "connections that it refused: queue full, or no memory"),
	{},
};

const struct shape network_tick_shape[] = {
	SHAPE_FLAT(report, network.tree, figures_shape),
	{},
};

const struct shape network_shape[] = {
	SHAPE_FLAT(report, network.tree, figures_shape),
	SHAPE_ROWS("peers", report, network.peers, network.npeers, peer_shape,
		   "with whom, by process, those with most bytes first"),
	SHAPE_AS("peers_cut", U64, report, network.peers_cut, UNIT_COUNT, GAUGE,
		 "peers that are not shown"),
	SHAPE_ROWS("connections", report, network.connections, network.nconnections,
		   connection_shape, "open TCP connections, those with most bytes first"),
	SHAPE_ROWS("listeners", report, network.listeners, network.nlisteners, listener_shape,
		   "listening TCP sockets"),
	SHAPE_ROWS("processes", report, network.processes, network.nprocesses, process_shape,
		   "by process, those that used sockets"),
	SHAPE_ABSENT(network.absent),
	{},
};
