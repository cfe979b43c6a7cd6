/* SPDX-License-Identifier: BSD-2-Clause */
/* See network_tables.h. */
#include "network_tables.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "err.h"
#include "session.h"

#define PEERS_SHOWN 64
#define CONNECTIONS_SHOWN 64
#define LISTENERS_SHOWN 64
#define ADDR_LEN (INET6_ADDRSTRLEN + 10)

void network_lives_add(void *ctx, const void *data, size_t size)
{
	struct network_lives *lives = ctx;
	size_t n = size / sizeof(*lives->rows);

	if (lives->n + n > lives->room) {
		lives->room = (lives->n + n) * 2;
		lives->rows = reallocarray(lives->rows, lives->room, sizeof(*lives->rows));
		if (!lives->rows)
			abort();
	}
	memcpy(lives->rows + lives->n, data, n * sizeof(*lives->rows));
	lives->n += n;
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = (*(struct network_row *const *)a)->proc_id;
	uint32_t y = (*(struct network_row *const *)b)->proc_id;

	return (x > y) - (x < y);
}

void network_index_rows(struct report *r)
{
	struct network_report *n = &r->network;

	n->by_id = report_alloc(r, (n->nprocesses + 1) * sizeof(struct network_row *));
	for (size_t i = 0; i < n->nprocesses; i++)
		n->by_id[i] = &n->processes[i];
	qsort(n->by_id, n->nprocesses, sizeof(struct network_row *), by_id);
}

struct network_row *network_row_of(const struct report *r, uint32_t proc_id)
{
	const struct network_report *n = &r->network;
	const struct network_row wanted = { .proc_id = proc_id }, *key = &wanted;
	struct network_row **found =
		bsearch(&key, n->by_id, n->nprocesses, sizeof(struct network_row *), by_id);

	return found ? *found : NULL;
}

static uint32_t name_process(const struct probe *p, uint32_t proc_id, char comm[COMM_LEN])
{
	const struct process *found = tree_find(&p->session->tree, proc_id);

	if (!found)
		return 0;
	memcpy(comm, found->comm, COMM_LEN);
	return found->pid;
}

static bool is_mapped(const uint8_t addr[16])
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(addr, prefix, sizeof(prefix));
}

/* "1.2.3.4:80", "[::1]:80" */
static const char *address(struct report *r, int family, const uint8_t addr[16], uint32_t port)
{
	char text[INET6_ADDRSTRLEN];

	if (family == AF_INET6 && is_mapped(addr)) {
		family = AF_INET;
		addr += 12;
	}
	if (!inet_ntop(family, addr, text, sizeof(text)))
		return "*";
	return report_printf(r, family == AF_INET ? "%s:%u" : "[%s]:%u", text, port);
}

/* ---- live sockets ---- */

static const char *state_name(uint32_t state)
{
	/* include/net/tcp_states.h, with the names of ss */
	static const char *const names[] = {
		"?",         "established", "syn-sent",   "syn-recv", "fin-wait-1", "fin-wait-2",
		"time-wait", "close",       "close-wait", "last-ack", "listen",     "closing",
	};

	return state < sizeof(names) / sizeof(*names) ? names[state] : names[0];
}

static uint64_t bytes_of(const struct network_live *l)
{
	return l->sock.charged.sent_bytes + l->sock.charged.received_bytes;
}

static int by_bytes(const void *a, const void *b)
{
	uint64_t x = bytes_of(a), y = bytes_of(b);

	return x > y ? -1 : x < y;
}

static const char *direction(uint8_t role)
{
	return role == NETWORK_TCP_IN || role == NETWORK_UDP_IN ? "in" : "out";
}

static void show_connection(struct probe *p, struct report *r, const struct network_live *l)
{
	struct network_connection_row *row = &r->network.connections[r->network.nconnections++];

	row->proc_id = l->sock.owner.proc_id;
	row->pid = name_process(p, row->proc_id, row->comm);
	row->direction = direction(l->sock.peer.role);
	row->state = state_name(l->state);
	row->local = address(r, (int)l->family, l->laddr, l->lport);
	row->peer = address(r, l->sock.peer.family, l->sock.peer.addr, l->rport);
	row->sent_bytes = l->sock.charged.sent_bytes;
	row->received_bytes = l->sock.charged.received_bytes;
	row->retransmits = l->sock.charged.retransmits;
	row->rtt_ns = (uint64_t)l->srtt_us * 1000;
	row->rtt_min_ns = l->rtt_min_us == UINT32_MAX ? 0 : (uint64_t)l->rtt_min_us * 1000;
	row->cwnd = l->cwnd;
}

static void show_listener(struct probe *p, struct report *r, const struct network_live *l)
{
	struct network_listener_row *row = &r->network.listeners[r->network.nlisteners++];

	row->proc_id = l->sock.owner.proc_id;
	row->pid = name_process(p, row->proc_id, row->comm);
	row->local = address(r, (int)l->family, l->laddr, l->lport);
	row->backlog = l->backlog;
	row->max_backlog = l->max_backlog;
	row->drops = l->sock.charged.drops;
}

void network_fill_sockets(struct probe *p, struct report *r, const struct network_lives *lives)
{
	struct network_report *n = &r->network;

	qsort(lives->rows, lives->n, sizeof(*lives->rows), by_bytes);
	n->connections = report_alloc(r, CONNECTIONS_SHOWN * sizeof(*n->connections));
	n->listeners = report_alloc(r, LISTENERS_SHOWN * sizeof(*n->listeners));
	for (size_t i = 0; i < lives->n; i++) {
		const struct network_live *l = &lives->rows[i];
		struct network_row *row;

		if (l->sock.flags & NETWORK_LISTENS) {
			if (n->nlisteners < LISTENERS_SHOWN)
				show_listener(p, r, l);
			continue;
		}
		/* closed by the program, or not yet there: not open */
		if (!(l->sock.flags & NETWORK_ESTABLISHED) ||
		    strcmp(state_name(l->state), "established"))
			continue;
		n->tree.connections_open++;
		row = network_row_of(r, l->sock.owner.proc_id);
		if (row)
			row->figures.connections_open++;
		if (n->nconnections < CONNECTIONS_SHOWN)
			show_connection(p, r, l);
	}
}

/* ---- peers ---- */

struct peer_entry {
	struct network_peer_key key;
	struct network_peer counts;
};

static uint64_t peer_bytes(const struct peer_entry *e)
{
	return e->counts.sent_bytes + e->counts.received_bytes;
}

static int by_peer_bytes(const void *a, const void *b)
{
	uint64_t x = peer_bytes(a), y = peer_bytes(b);

	if (x != y)
		return x > y ? -1 : 1;
	return memcmp(a, b, sizeof(struct network_peer_key));
}

static bool peer_seen(const struct peer_entry *e)
{
	static const struct network_peer none;

	return memcmp(&e->counts, &none, sizeof(none));
}

static void show_peer(struct probe *p, struct report *r, const struct peer_entry *e)
{
	struct network_peer_row *row = &r->network.peers[r->network.npeers++];
	const struct network_peer *c = &e->counts;
	char text[INET6_ADDRSTRLEN];

	row->counts = *c;
	row->rtt_min_ns = c->rtt_best ? ~c->rtt_best * 1000 : 0;
	row->rtt_mean_ns = c->rtt_count ? c->rtt_us * 1000 / c->rtt_count : 0;
	if (e->key.role == NETWORK_PEER_OTHER) {
		row->protocol = row->direction = row->address = "other";
		return;
	}
	row->proc_id = e->key.proc_id;
	row->pid = name_process(p, row->proc_id, row->comm);
	row->protocol = e->key.role <= NETWORK_TCP_IN ? "tcp" : "udp";
	row->direction = direction(e->key.role);
	row->port = e->key.port;
	row->address = "*";
	if (e->key.family && inet_ntop(e->key.family, e->key.addr, text, sizeof(text)))
		row->address = report_printf(r, "%s", text);
}

struct peer_list {
	struct peer_entry *all;
	size_t n, room;
};

static void take_peer(void *ctx, const void *key, const void *value)
{
	struct peer_list *list = ctx;
	struct peer_entry *e;

	if (list->n == list->room) {
		list->room = list->room ? 2 * list->room : 64;
		list->all = reallocarray(list->all, list->room, sizeof(*list->all));
		if (!list->all)
			abort();
	}
	e = &list->all[list->n];
	memcpy(&e->key, key, sizeof(e->key));
	memcpy(&e->counts, value, sizeof(e->counts));
	list->n += peer_seen(e);
}

int network_fill_peers(struct probe *p, struct report *r)
{
	struct network_data *d = p->data;
	struct peer_list list = { 0 };

	harvest_each(&d->peers, p, take_peer, &list);
	if (list.n)
		qsort(list.all, list.n, sizeof(*list.all), by_peer_bytes);
	r->network.peers = report_alloc(r, PEERS_SHOWN * sizeof(*r->network.peers));
	for (size_t i = 0; i < list.n && i < PEERS_SHOWN; i++)
		show_peer(p, r, &list.all[i]);
	r->network.peers_cut = list.n - r->network.npeers;
	free(list.all);
	return 0;
}

static uint64_t peer_weight(const void *value)
{
	const struct network_peer *c = value;

	return c->sent_bytes + c->received_bytes;
}

static void peer_add(void *to, const void *value)
{
	struct network_peer *sum = to;
	const struct network_peer *c = value;
	uint64_t best = sum->rtt_best > c->rtt_best ? sum->rtt_best : c->rtt_best;
	uint64_t *words = to;

	for (size_t i = 0; i < sizeof(*c) / sizeof(*words); i++)
		words[i] += ((const uint64_t *)value)[i];
	sum->rtt_best = best;
}

/* The peer of all dead processes; then no peer at all. */
static bool peer_fold(void *key, const void *value)
{
	struct network_peer_key *k = key;

	(void)value;
	if (!k->proc_id || k->role == NETWORK_PEER_OTHER)
		memset(k, 0, sizeof(*k));
	k->proc_id = 0;
	return true;
}

const struct harvest_class network_peers_class = {
	.map = "network_peers",
	.key_size = sizeof(struct network_peer_key),
	.value_size = sizeof(struct network_peer),
	.proc_id_at = offsetof(struct network_peer_key, proc_id),
	.kept = 1024,
	.full = COUNTER_OTHER_PEER,
	.weight = peer_weight,
	.add = peer_add,
	.fold = peer_fold,
};

/* ---- failed connects by errno ---- */

static void errno_add(struct report *r, struct network_figures *f, int err, uint64_t count)
{
	struct errno_count *grown;

	for (size_t i = 0; i < f->nerrors; i++) {
		if (f->errors[i].err != err)
			continue;
		f->errors[i].count += count;
		return;
	}
	grown = report_alloc(r, (f->nerrors + 1) * sizeof(*grown));
	if (f->nerrors)
		memcpy(grown, f->errors, f->nerrors * sizeof(*grown));
	grown[f->nerrors++] = (struct errno_count){ .err = err, .count = count };
	f->errors = grown;
}

static void take_error(void *ctx, const void *key, const void *value)
{
	const struct network_error_key *k = key;
	struct report *r = ctx;
	struct network_row *row = network_row_of(r, k->proc_id);

	errno_add(r, &r->network.tree, (int)k->err, *(const uint64_t *)value);
	if (row)
		errno_add(r, &row->figures, (int)k->err, *(const uint64_t *)value);
}

int network_fill_errors(struct probe *p, struct report *r)
{
	struct network_data *d = p->data;

	harvest_each(&d->errors, p, take_error, r);
	return 0;
}

static uint64_t error_weight(const void *value)
{
	return *(const uint64_t *)value;
}

static void error_add(void *to, const void *value)
{
	*(uint64_t *)to += *(const uint64_t *)value;
}

static bool error_fold(void *key, const void *value)
{
	(void)value;
	((struct network_error_key *)key)->proc_id = 0;
	return true;
}

const struct harvest_class network_errors_class = {
	.map = "network_errors",
	.key_size = sizeof(struct network_error_key),
	.value_size = sizeof(uint64_t),
	.proc_id_at = offsetof(struct network_error_key, proc_id),
	.kept = 1024,
	.full = COUNTER_LOST_CONNECT,
	.weight = error_weight,
	.add = error_add,
	.fold = error_fold,
};
