/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The syscalls probe: descriptor and reader. The kernel side is syscalls.bpf.c; what it
 * shows is summed in the store, and a report is made of the store's totals.
 *
 * The rows are read by system call and not mapped: in time each slot is used once, and all of
 * them would be 8 MB of our memory.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis.h"
#include "err.h"
#include "harvest.h"
#include "roles.h"
#include "session.h"
#include "store.h"
#include "sum.h"
#include "syscalls_shape.h"
#include "table.h"

#define HOOKS "syscalls_exit"
#define HOOKS_TP "syscalls_exit_tp"
#define URING "syscalls_uring_req", "syscalls_uring_sqe"
#define EXTRA "syscalls_enter", "syscalls_exec", URING
#define EXTRA_TP "syscalls_enter_tp", "syscalls_exec", URING

static const struct source syscalls_sources[] = {
	{ "tp_btf", { HOOKS }, { EXTRA }, false },
	{ "raw_tp", { HOOKS }, { EXTRA }, true },
	{ "tracepoint", { HOOKS_TP }, { EXTRA_TP }, false },
	{ "tracepoint", { HOOKS_TP }, { EXTRA_TP }, true },
	{ 0 },
};

/* More than the session keeps, so that its rows have calls. */
#define PROCESSES_KEPT (TREE_MAX + TREE_MAX / 2)
#define RARE_BATCH 1024
#define ENDED_MANY 4096

struct syscalls_data {
	struct store store;
	bool latency;
	bool uring;
	int rows_fd, rare_fd, spill_fd, times_fd;
	int cpus;
	uint32_t stripes;
	struct syscalls_row *rows; /* of one slot, and as many empty ones */
	size_t ended;              /* processes, since syscalls_rare was read */
};

static bool wants_latency(const struct probe *p)
{
	return p->session->options->syscall_latency;
}

/* The probes that see calls through ours. */
static uint32_t roles(const struct session *s)
{
	return (session_wants(s, "io") ? ROLE_IO : 0) |
	       (session_wants(s, "network") ? ROLE_NETWORK : 0) |
	       (session_wants(s, "locks") ? ROLE_LOCKS : 0) |
	       (session_wants(s, "stacks") ? ROLE_STACKS : 0);
}

static int syscalls_configure(struct probe *p, struct bpf_object *obj)
{
	static const char *const enter[] = { "syscalls_enter", "syscalls_enter_tp" };
	struct bpf_map *cfg = bpf_object__find_map_by_name(obj, ".rodata.syscalls");
	struct bpf_map *times = bpf_object__find_map_by_name(obj, "syscalls_times");
	struct bpf_map *rows = bpf_object__find_map_by_name(obj, "syscalls_rows");
	const struct slots_cfg *slots = &p->session->slots.cfg;
	struct {
		uint32_t latency, roles, timed;
	} value = { wants_latency(p), roles(p->session), 0 };
	int err;

	if (!cfg || !times || !rows)
		return err_set(-ENOENT, "the object of syscalls lacks a map");
	if (value.latency)
		value.timed = value.roles;
	else if (p->session->options->io_latency)
		value.timed = value.roles & ROLE_IO;
	err = bpf_map__set_initial_value(cfg, &value, sizeof(value));
	if (!err)
		err = bpf_map__set_max_entries(rows, slots->count << slots->shift);
	if (!err && !value.latency)
		err = bpf_map__set_max_entries(times, 1);
	if (err)
		return err_set(err, "cannot configure syscalls");
	for (int i = 0; i < 2 && !value.latency && !value.timed; i++)
		bpf_program__set_autoload(bpf_object__find_program_by_name(obj, enter[i]), false);
	return 0;
}

/* As the session keeps its rows: by lifetime; 0: it has forgotten this one. */
static uint64_t process_worth(void *ctx, uint32_t proc_id)
{
	const struct session *s = ctx;
	const struct process *p = tree_find(&s->tree, proc_id);

	return p ? (p->end_ns > p->start_ns ? p->end_ns - p->start_ns : UINT64_MAX) : 0;
}

static bool is_gone(void *ctx, uint32_t proc_id)
{
	return harvest_is_gone(ctx, proc_id);
}

static int syscalls_start(struct probe *p)
{
	struct syscalls_data *d = calloc(1, sizeof(*d));
	int err = probe_error(p, "syscalls_uring_req");

	if (!d)
		return err_set(-ENOMEM, "no memory");
	p->data = d;
	d->store.max_processes = PROCESSES_KEPT;
	d->store.worth = process_worth;
	d->store.gone = is_gone;
	d->store.ctx = p->session;
	d->latency = wants_latency(p);
	d->uring = !err || !probe_error(p, "syscalls_uring_sqe");
	if (!d->uring)
		session_note(p->session, "io_uring operations are not counted: no tracepoint (%s)",
			     strerror(-err));
	d->rows_fd = probe_map_fd(p, "syscalls_rows");
	d->rare_fd = probe_map_fd(p, "syscalls_rare");
	d->spill_fd = probe_map_fd(p, "syscalls_spill");
	d->times_fd = probe_map_fd(p, "syscalls_times");
	d->cpus = libbpf_num_possible_cpus();
	d->stripes = 1U << p->session->slots.cfg.shift;
	d->rows = calloc(2UL * d->stripes, sizeof(*d->rows));
	if (!d->rows)
		return err_set(-ENOMEM, "no memory");
	return d->cpus < 0 ? err_set(d->cpus, "cannot count the CPUs") : 0;
}

static void syscalls_free(struct probe *p)
{
	struct syscalls_data *d = p->data;

	if (!d)
		return;
	store_free(&d->store);
	free(d->rows);
	free(d);
	p->data = NULL;
}

/* ---- reading the kernel's tables ---- */

/* The slot's rows as they are now. */
static int read_slot(struct syscalls_data *d, uint32_t slot)
{
	uint32_t first = slot * d->stripes;

	for (uint32_t i = 0; i < d->stripes; i++) {
		uint32_t row = first + i;

		if (bpf_map_lookup_elem(d->rows_fd, &row, &d->rows[i]))
			return err_set(-errno, "cannot read the system calls");
	}
	return 0;
}

static int empty_slot(struct syscalls_data *d, uint32_t slot)
{
	for (uint32_t i = 0; i < d->stripes; i++) {
		uint32_t row = slot * d->stripes + i;

		if (bpf_map_update_elem(d->rows_fd, &row, &d->rows[d->stripes], BPF_EXIST))
			return err_set(-errno, "cannot empty the system calls' rows");
	}
	return 0;
}

static int syscalls_collect(struct probe *p, uint32_t proc_id, uint32_t slot)
{
	struct syscalls_data *d = p->data;
	int err = slot ? read_slot(d, slot) : 0;

	if (slot && !err && store_rows(&d->store, proc_id, d->rows, d->stripes))
		err = empty_slot(d, slot);
	store_end(&d->store, proc_id);
	d->ended++;
	return err;
}

/* Those of all that live, or have not been taken out yet; slot 0 is those without one. */
static int read_living(const struct probe *p, struct syscalls_data *d)
{
	const struct slots *slots = &p->session->slots;
	uint64_t used = p->session->counters[COUNTER_NEXT_SLOT] + 1;
	int err = 0;

	for (uint32_t slot = 0; slot < slots->cfg.count && slot < used && !err; slot++) {
		uint32_t proc_id = (uint32_t)slots->owners[slot];

		if (slot && !proc_id)
			continue;
		err = read_slot(d, slot);
		if (!err)
			store_rows(&d->store, proc_id, d->rows, d->stripes);
	}
	return err;
}

/* A dead process counts no more: once its rows are taken they can go. */
static void take_rare_rows(struct syscalls_data *d, const struct rare_key *keys,
			   const uint64_t *counts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (store_rare(&d->store, &keys[i], counts[i]))
			bpf_map_delete_elem(d->rare_fd, &keys[i]);
	}
}

static int read_rare(struct syscalls_data *d)
{
	static struct rare_key keys[RARE_BATCH];
	static uint64_t counts[RARE_BATCH];
	uint32_t at = 0, n;
	void *from = NULL;
	int err = 0;

	while (!err) {
		n = RARE_BATCH;
		err = bpf_map_lookup_batch(d->rare_fd, from, &at, keys, counts, &n, NULL);
		if (err && err != -ENOENT)
			return err_set(err, "cannot read the rare system calls");
		take_rare_rows(d, keys, counts, n);
		from = &at;
	}
	return 0;
}

/* Errors that found no place in their row: those of the dead make room for others. */
static void syscalls_poll(struct probe *p)
{
	struct syscalls_data *d = p->data;

	if (d->ended < ENDED_MANY)
		return;
	d->ended = 0;
	if (read_rare(d))
		session_note(p->session, "%s", err_text());
}

static void read_spill(struct probe *p, struct syscalls_data *d)
{
	const uint64_t *counters = p->session->counters;
	struct spill *percpu;

	if (!counters[COUNTER_LOST_SYSCALLS] && !counters[COUNTER_LOST_ERRNO])
		return;
	percpu = calloc((size_t)d->cpus, sizeof(*percpu));
	if (!percpu)
		abort();
	for (uint32_t entry = 0; entry < SPILL_ENTRIES; entry++) {
		struct spill sum = { 0 };

		if (bpf_map_lookup_elem(d->spill_fd, &entry, percpu))
			continue;
		for (int cpu = 0; cpu < d->cpus; cpu++) {
			sum.calls += percpu[cpu].calls;
			sum.errors += percpu[cpu].errors;
		}
		store_spill(&d->store, entry, &sum);
	}
	free(percpu);
}

static void sum_times(const struct call_time *percpu, int cpus, struct report *r,
		      struct call_row *row)
{
	uint64_t hist[HIST_BUCKETS] = { 0 };
	struct wait_stat *w = &row->time;

	for (int cpu = 0; cpu < cpus; cpu++) {
		const struct call_time *t = &percpu[cpu];

		w->ns += t->ns;
		w->count += t->count;
		w->max_ns = t->max_ns > w->max_ns ? t->max_ns : w->max_ns;
		for (int i = 0; i < HIST_BUCKETS; i++)
			hist[i] += t->hist[i];
	}
	if (!w->count)
		return;
	w->p50_ns = hist_quantile(hist, 0.50, 0, w->max_ns);
	w->p95_ns = hist_quantile(hist, 0.95, 0, w->max_ns);
	w->p99_ns = hist_quantile(hist, 0.99, 0, w->max_ns);
	row->has_latency = true;
	row->hist = report_hist(r, hist, &row->nhist);
}

static void read_times(struct syscalls_data *d, struct report *r)
{
	struct call_time *percpu = calloc((size_t)d->cpus, sizeof(*percpu));
	struct syscall_table *table = &r->syscalls.tree;

	if (!percpu)
		abort();
	for (size_t i = 0; i < table->ncalls; i++) {
		struct call_row *row = &table->calls[i];
		uint32_t slot = call_slot((uint32_t)row->nr);

		if (slot >= CALL_SLOTS || bpf_map_lookup_elem(d->times_fd, &slot, percpu))
			continue;
		sum_times(percpu, d->cpus, r, row);
	}
	free(percpu);
}

/* ---- the report ---- */

/* Only the last report shows processes: a table for each at every tick would be for nobody. */
static void fill_processes(struct syscalls_data *d, struct report *r)
{
	for (size_t i = 0; r->final && i < r->ledger.nprocesses; i++) {
		struct process_row *row = &r->ledger.processes[i];
		const struct calls_process *p = store_process(&d->store, row->proc_id);

		if (p)
			table_fill(r, &row->syscalls, &p->calls);
	}
	r->syscalls.processes_cut = d->store.processes_cut;
}

static int syscalls_snapshot(struct probe *p, struct report *r)
{
	struct syscalls_data *d = p->data;
	int err;

	err = read_living(p, d);
	if (!err)
		err = read_rare(d);
	if (err)
		return err;
	read_spill(p, d);
	r->syscalls.present = true;
	r->syscalls.has_uring = d->uring;
	table_fill(r, &r->syscalls.tree, &d->store.tree);
	table_fill_uring(r, &d->store.tree);
	if (d->latency)
		read_times(d, r);
	fill_processes(d, r);
	analysis_make(r);
	return 0;
}

static bool syscalls_reported(const struct report *r)
{
	return r->syscalls.present;
}

const struct probe_class syscalls_probe = {
	.name = "syscalls",
	.summary = "count and errors of every system call, io_uring operations, kind of program",
	.shape = syscalls_shape,
	.tick_shape = syscalls_tick_shape,
	.reported = syscalls_reported,
	.sources = syscalls_sources,
	.configure = syscalls_configure,
	.start = syscalls_start,
	.collect = syscalls_collect,
	.poll = syscalls_poll,
	.snapshot = syscalls_snapshot,
	.free = syscalls_free,
};
