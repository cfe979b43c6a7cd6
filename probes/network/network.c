/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network probe: descriptor and reader. The kernel side counts by process in slots; what
 * the kernel itself counts for each TCP socket is charged when it ends, and for those that
 * live by the iterator that each report runs first.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "hist.h"
#include "kernel_btf.h"
#include "network_shape.h"
#include "network_tables.h"
#include "session.h"
#include "sum.h"

#define HOOKS "network_state", "network_destroy"
#define EXTRA                                                                                      \
	"network_send_reset", "network_receive_reset", "network_uring_complete",                   \
		"network_uring_req", "network_uring_sqe"

static const struct source network_sources[] = {
	{ "tp_btf", { HOOKS }, { EXTRA }, false },
	{ "raw_tp", { HOOKS }, { EXTRA }, true },
	{ 0 },
};

static const uint16_t maxima[] = {
	offsetof(struct network_slot, connect_max_ns),
	offsetof(struct network_slot, accept_max_ns),
	offsetof(struct network_slot, rtt_best),
};

static int network_configure(struct probe *p, struct bpf_object *obj)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, ".rodata.network");
	struct {
		uint32_t on, complete_has_cqe, multishot;
	} cfg = { 1, kernel_btf_uring_complete_args() == 3, 0 };
	int bit = kernel_btf_uring_multishot();
	int err;

	(void)p;
	if (bit > 0 && bit < 32)
		cfg.multishot = 1U << bit;
	err = map ? bpf_map__set_initial_value(map, &cfg, sizeof(cfg)) : -ENOENT;
	return err ? err_set(err, "cannot configure network") : 0;
}

static int network_start(struct probe *p)
{
	static const struct network_peer_key other;
	static const struct network_peer none;
	struct network_data *d = calloc(1, sizeof(*d));
	int fd = probe_map_fd(p, "network_peers");

	if (!d)
		return err_set(-ENOMEM, "no memory");
	p->data = d;
	d->peers.class = &network_peers_class;
	d->errors.class = &network_errors_class;
	/* made first, so that there is always room for it */
	if (bpf_map_update_elem(fd, &other, &none, BPF_ANY))
		return err_set(-errno, "cannot make the row 'other' of peers");
	return 0;
}

static void network_poll(struct probe *p)
{
	struct network_data *d = p->data;

	harvest_poll(&d->peers, p);
	harvest_poll(&d->errors, p);
}

static void network_free(struct probe *p)
{
	struct network_data *d = p->data;

	if (!d)
		return;
	harvest_free(&d->peers);
	harvest_free(&d->errors);
	free(d);
	p->data = NULL;
}

/* ---- the report ---- */

static void fill_time(struct network_time *t, uint64_t count, uint64_t ns, uint64_t max_ns)
{
	t->count = count;
	t->ns = ns;
	t->max_ns = max_ns;
}

static void fill_figures(struct network_figures *f, const struct network_slot *counts)
{
	f->counts = *counts;
	fill_time(&f->connect, counts->connected, counts->connect_ns, counts->connect_max_ns);
	fill_time(&f->accept, counts->accepts_timed, counts->accept_ns, counts->accept_max_ns);
	f->rtt.count = counts->rtt_count;
	f->rtt.min_ns = counts->rtt_best ? ~counts->rtt_best * 1000 : 0;
	f->rtt.mean_ns = counts->rtt_count ? counts->rtt_us * 1000 / counts->rtt_count : 0;
}

static void time_quantiles(struct probe *p, struct report *r, unsigned which,
			   struct network_time *t)
{
	uint64_t hist[HIST_BUCKETS];

	slots_hist(p, which, hist);
	t->p50_ns = hist_quantile(hist, 0.50, 0, t->max_ns);
	t->p95_ns = hist_quantile(hist, 0.95, 0, t->max_ns);
	t->p99_ns = hist_quantile(hist, 0.99, 0, t->max_ns);
	t->hist = report_hist(r, hist, &t->nhist);
}

static void rtt_add(struct network_figures *f, const struct network_live *live)
{
	uint64_t ns = (uint64_t)live->srtt_us * 1000, best = (uint64_t)live->rtt_min_us * 1000;
	struct network_rtt *rtt = &f->rtt;

	rtt->mean_ns = (rtt->mean_ns * rtt->count + ns) / (rtt->count + 1);
	rtt->count++;
	if (live->rtt_min_us != UINT32_MAX && (!rtt->min_ns || best < rtt->min_ns))
		rtt->min_ns = best;
}

/* Connections that have ended, and those that are open, as they are now. */
static void fill_rtt(struct probe *p, struct report *r, const struct network_lives *lives)
{
	struct network_rtt *rtt = &r->network.tree.rtt;
	uint64_t hist[HIST_BUCKETS];

	slots_hist(p, NETWORK_HIST_RTT, hist);
	for (size_t i = 0; i < lives->n; i++) {
		const struct network_live *live = &lives->rows[i];
		struct network_row *row;

		if (!live->srtt_us || !(live->sock.flags & NETWORK_ESTABLISHED) ||
		    (live->sock.flags & NETWORK_MEASURED))
			continue;
		rtt_add(&r->network.tree, live);
		row = network_row_of(r, live->sock.owner.proc_id);
		if (row)
			rtt_add(&row->figures, live);
		hist[hist_bucket((uint64_t)live->srtt_us * 1000)]++;
	}
	rtt->p50_ns = hist_quantile(hist, 0.50, 0, UINT64_MAX);
	rtt->p95_ns = hist_quantile(hist, 0.95, 0, UINT64_MAX);
	rtt->p99_ns = hist_quantile(hist, 0.99, 0, UINT64_MAX);
	rtt->hist = report_hist(r, hist, &rtt->nhist);
}

static bool used_sockets(const struct network_slot *s)
{
	const uint64_t *v = (const uint64_t *)s;

	for (size_t i = 0; i < sizeof(*s) / sizeof(*v); i++)
		if (v[i])
			return true;
	return false;
}

static void fill_processes(struct probe *p, struct report *r)
{
	struct network_report *n = &r->network;

	n->processes = report_alloc(r, (r->ledger.nprocesses + 1) * sizeof(*n->processes));
	for (size_t i = 0; r->final && i < r->ledger.nprocesses; i++) {
		const struct process_row *from = &r->ledger.processes[i];
		const struct network_slot *counts = slots_process(p, from->proc_id);
		struct network_row *row = &n->processes[n->nprocesses];

		if (!counts || !used_sockets(counts))
			continue;
		row->pid = from->pid;
		row->proc_id = from->proc_id;
		memcpy(row->comm, from->comm, COMM_LEN);
		fill_figures(&row->figures, counts);
		n->nprocesses++;
	}
	network_index_rows(r);
}

static const struct absent_need needs[] = {
	{ "resets_sent", "network_send_reset", "the event tcp:tcp_send_reset cannot be attached" },
	{ "resets_received", "network_receive_reset",
	  "the event tcp:tcp_receive_reset cannot be attached" },
	{ "what io_uring sends and receives", "network_uring_complete",
	  "the event io_uring:io_uring_complete cannot be attached" },
	{ 0 },
};

static int network_snapshot(struct probe *p, struct report *r)
{
	struct network_lives lives = { 0 };
	struct network_report *n = &r->network;
	const struct network_slot *tree;
	int err;

	err = session_iterate_map(p, "network_live", "network_socks", network_lives_add, &lives);
	tree = err ? NULL : slots_tree(p);
	if (!tree) {
		free(lives.rows);
		return err;
	}
	n->present = true;
	absent_needs(r, &n->absent, p, needs);
	fill_figures(&n->tree, tree);
	time_quantiles(p, r, NETWORK_HIST_CONNECT, &n->tree.connect);
	time_quantiles(p, r, NETWORK_HIST_ACCEPT, &n->tree.accept);
	fill_processes(p, r);
	fill_rtt(p, r, &lives);
	network_fill_sockets(p, r, &lives);
	free(lives.rows);
	err = network_fill_peers(p, r);
	return err ? err : network_fill_errors(p, r);
}

static bool network_reported(const struct report *r)
{
	return r->network.present;
}

const struct probe_class network_probe = {
	.name = "network",
	.summary = "connections, bytes and calls of TCP, UDP and unix sockets, retransmissions, "
		   "resets, RTT, peers",
	.shape = network_shape,
	.tick_shape = network_tick_shape,
	.reported = network_reported,
	.sources = network_sources,
	.slots = { "network_slots", sizeof(struct network_slot), maxima,
		   sizeof(maxima) / sizeof(*maxima) },
	.hists = { "network_hists", NETWORK_HISTS },
	.configure = network_configure,
	.start = network_start,
	.poll = network_poll,
	.snapshot = network_snapshot,
	.text = network_text,
	.free = network_free,
};
