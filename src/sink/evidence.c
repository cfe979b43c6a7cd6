/* SPDX-License-Identifier: BSD-2-Clause */
/* ChainBench's evidence; see evidence.h. The keys are the contract's, whatever ours are called. */
#include "evidence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "hist.h"
#include "states.h"
#include "sum.h"

#define BUCKETS 20 /* 2^0 … 2^19 us, as its metrics have them */
#define TOP_REASONS 8
#define TOP_COMMANDS 10

static void set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static json_t *count(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

/* ---- histograms: from ours of eight buckets to an octave to its powers of two ---- */

/* Each of our buckets lies within one octave of nanoseconds: its middle decides. */
static json_t *histogram(const struct hist_row *rows, size_t n)
{
	uint64_t buckets[BUCKETS] = { 0 };
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		uint64_t top = rows[i].ceil_ns ? rows[i].ceil_ns : rows[i].floor_ns * 2;
		uint64_t us = (rows[i].floor_ns + top) / 2 / 1000;
		int b = 0;

		while (b < BUCKETS - 1 && us > 1ULL << b)
			b++;
		buckets[b] += rows[i].count;
	}
	for (int b = 0; b < BUCKETS; b++)
		if (buckets[b])
			json_array_append_new(list, json_pack("{s:I, s:o}", "bucket_us",
							      (json_int_t)1 << b, "count",
							      count(buckets[b])));
	return list;
}

static json_t *latency(const struct hist_row *rows, size_t n, uint64_t p95_ns)
{
	return json_pack("{s:o, s:f}", "histogram", histogram(rows, n), "p95_us",
			 (double)p95_ns / 1000);
}

/* ---- what the ledger and the system calls tell ---- */

static int by_time(const void *a, const void *b)
{
	const struct wait_stat *x = *(const struct wait_stat *const *)a;
	const struct wait_stat *y = *(const struct wait_stat *const *)b;

	return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : x < y ? -1 : x > y;
}

static json_t *offcpu(const struct account *a)
{
	const struct wait_stat *order[LEDGER_STATES];
	json_t *reasons = json_array();
	uint64_t total = 0;

	for (int i = 0; i < LEDGER_STATES; i++) {
		order[i] = &a->states[i];
		total += i == STATE_ON_CPU ? 0 : a->states[i].ns;
	}
	qsort(order, LEDGER_STATES, sizeof(order[0]), by_time);
	for (int i = 0; i < LEDGER_STATES; i++) {
		size_t state = (size_t)(order[i] - a->states);

		if (state == STATE_ON_CPU || !order[i]->ns ||
		    json_array_size(reasons) == TOP_REASONS)
			continue;
		json_array_append_new(reasons,
				      json_pack("{s:s, s:f}", "reason", ledger_state_names[state],
						"ms", (double)order[i]->ns / 1e6));
	}
	return json_pack("{s:f, s:o}", "total_ms", (double)total / 1e6, "top_reasons", reasons);
}

static json_t *execs(const struct report *r)
{
	json_t *commands = json_array();

	for (size_t i = 0; i < r->ledger.ncommands && i < TOP_COMMANDS; i++) {
		const struct command_row *c = &r->ledger.commands[i];
		char name[COMM_LEN + 1] = { 0 };

		memcpy(name, c->comm, COMM_LEN);
		json_array_append_new(commands, json_pack("{s:o, s:o}", "command",
							  json_string(name) ?: json_string("?"),
							  "count", count(c->processes)));
	}
	return json_pack("{s:o, s:o}", "exec_count", count(r->execs), "top_commands", commands);
}

static json_t *syscall_counts(const struct syscall_table *t)
{
	static const char *const names[] = { "futex", "fsync", "openat", "read", "write" };
	json_t *counts = json_object();

	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		uint64_t n = 0;

		for (size_t i = 0; i < t->ncalls; i++)
			if (!strcmp(t->calls[i].name, names[k]))
				n = t->calls[i].count;
		set(counts, names[k], count(n));
	}
	return counts;
}

/* ---- what the probes tell ---- */

static uint64_t mean_us(uint64_t ns, uint64_t n)
{
	return n ? ns / n / 1000 : 0;
}

static json_t *network(const struct network_report *n)
{
	const struct network_slot *s = &n->tree.counts;

	return json_pack("{s:o, s:o, s:o, s:o}", "tcp_connections",
			 count(s->connected + s->accepts), "tcp_bytes_sent",
			 count(network_tcp_sent(s)), "tcp_retransmissions", count(s->retransmits),
			 "udp_packets", count(network_udp_messages(s)));
}

/* cache_hits and _misses are the CPU's: only where it counts them for us. */
static json_t *memory(const struct memory_report *m)
{
	json_t *o = json_pack("{s:o, s:o}", "page_faults_minor", count(m->tree.minor_faults),
			      "page_faults_major", count(m->tree.major_faults));
	const struct pmu_value *all = &m->pmu.events[PMU_CACHE_REFERENCES];
	const struct pmu_value *missed = &m->pmu.events[PMU_CACHE_MISSES];

	if (all->present && missed->present) {
		set(o, "cache_hits",
		    count(all->count > missed->count ? all->count - missed->count : 0));
		set(o, "cache_misses", count(missed->count));
	}
	return o;
}

/* Of the calls when they are timed (--io-latency), else of the requests to disks. */
static void io_latency(json_t *o, const struct io_figures *f)
{
	uint64_t ns = 0, n = 0;
	bool calls;

	for (int i = IO_READ; i <= IO_WRITE; i++) {
		if (!f->calls[i].timed)
			continue;
		ns += f->calls[i].time.stat.ns;
		n += f->calls[i].time.stat.count;
	}
	calls = n;
	for (int i = 0; i < IO_BLOCK_OPS && !calls; i++) {
		ns += f->block[i].queue.stat.ns + f->block[i].device.stat.ns;
		n += f->block[i].device.stat.count;
	}
	if (n)
		set(o, "avg_io_latency_us", count(mean_us(ns, n)));
}

static json_t *io(const struct io_report *i)
{
	const struct io_figures *f = &i->tree;
	json_t *o = json_pack("{s:o, s:o}", "file_opens", count(f->calls[IO_OPEN].count),
			      "file_reads_bytes", count(f->kinds[IO_REGULAR].read_bytes));

	if (f->cache.hits + f->cache.misses)
		set(o, "cache_hit_ratio", json_real(f->cache.hit_ratio * 100));
	io_latency(o, f);
	return o;
}

static json_t *cpu(const struct cpu_report *c)
{
	uint64_t throttled = 0;

	for (size_t i = 0; i < c->nquotas; i++)
		throttled += c->quotas[i].throttled_periods;
	return json_pack("{s:o, s:o, s:o, s:o}", "context_switches",
			 count(c->tree.voluntary + c->tree.involuntary), "cpu_migrations",
			 count(c->tree.migrations), "interrupts",
			 count(c->tree.hard.count + c->tree.soft.count), "throttle_events",
			 count(throttled));
}

static json_t *locks(const struct locks_report *l)
{
	const struct locks_figures *f = &l->tree;
	json_t *o = json_object();

	if (l->has_kernel)
		set(o, "mutex_contentions", count(f->counted.kernel[KERNEL_MUTEX].count));
	set(o, "futex_waits", count(f->counted.futex.waits));
	set(o, "avg_wait_time_us", count(mean_us(f->futex_ns, f->futex_blocks)));
	return o;
}

/* Requests to disks, from being issued to completed, of all sorts together. */
static json_t *biolatency(struct report *r)
{
	uint64_t buckets[HIST_BUCKETS] = { 0 }, max_ns = 0;
	struct hist_row *rows;
	size_t n;

	for (int i = 0; i < IO_BLOCK_OPS; i++) {
		const struct io_time *t = &r->io.tree.block[i].device;

		for (size_t k = 0; k < t->nhist; k++)
			buckets[hist_bucket(t->hist[k].floor_ns)] += t->hist[k].count;
		max_ns = t->stat.max_ns > max_ns ? t->stat.max_ns : max_ns;
	}
	rows = report_hist(r, buckets, &n);
	return n ? latency(rows, n, hist_quantile(buckets, 0.95, 0, max_ns)) : NULL;
}

/* ---- what is not there ---- */

static void lacks(json_t *list, const json_t *part, const char *name, const char *key,
		  const char *reason)
{
	if (part && !json_object_get(part, key))
		json_array_append_new(list, json_pack("{s:o, s:s}", "metric",
						      json_sprintf("%s.%s", name, key), "reason",
						      reason));
}

/* The reason that the probe itself gives. */
static const char *reason_of(const struct absent_list *list, const char *metric, const char *other)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->rows[i].metric, metric))
			return list->rows[i].reason;
	return other;
}

/* The contract's keys that are missing, each with its reason. */
static json_t *absent(const json_t *e, const struct report *r)
{
	const json_t *memory = json_object_get(e, "memory"), *io = json_object_get(e, "io");
	const struct absent_list *of = &r->memory.absent;
	const char *cache = reason_of(of, "pmu.cache_references",
				      reason_of(of, "pmu", "the CPU gives no such counter here"));
	json_t *list = json_array();

	lacks(list, memory, "memory", "cache_hits", cache);
	lacks(list, memory, "memory", "cache_misses", cache);
	lacks(list, io, "io", "cache_hit_ratio", "no page was read by way of the page cache");
	lacks(list, io, "io", "avg_io_latency_us",
	      "no disk was used, and calls are timed with --io-latency only");
	lacks(list, json_object_get(e, "locks"), "locks", "mutex_contentions",
	      reason_of(&r->locks.absent, "kernel, sites", "not measured"));
	return list;
}

static void add_probes(json_t *e, struct report *r)
{
	json_t *requests;

	if (r->network.present)
		set(e, "network", network(&r->network));
	if (r->memory.present)
		set(e, "memory", memory(&r->memory));
	if (r->io.present)
		set(e, "io", io(&r->io));
	if (r->io.present && (requests = biolatency(r)))
		set(e, "biolatency", requests);
	if (r->cpu.present)
		set(e, "cpu", cpu(&r->cpu));
	if (r->locks.present)
		set(e, "locks", locks(&r->locks));
}

json_t *evidence_json(struct report *r)
{
	json_t *e = json_object();

	set(e, "available", json_boolean(r->ledger.present));
	if (r->ledger.present) {
		set(e, "runqlat",
		    latency(r->ledger.runqueue, r->ledger.nrunqueue,
			    r->ledger.tree.states[STATE_RUNQUEUE].p95_ns));
		set(e, "offcpu", offcpu(&r->ledger.tree));
		set(e, "exec", execs(r));
	}
	add_probes(e, r);
	if (r->syscalls.present)
		set(e, "syscall_counts", syscall_counts(&r->syscalls.tree));
	if (r->ledger.present)
		set(e, "absent", absent(e, r));
	return json_pack("{s:o}", "evidence", e);
}

int evidence_write(struct report *r, struct outfile *f)
{
	json_t *json = evidence_json(r);
	char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
	int err;

	json_decref(json);
	if (!text)
		return err_set(-ENOMEM, "no memory for the evidence");
	err = outfile_write(f, text, strlen(text));
	if (!err)
		err = outfile_write(f, "\n", 1);
	free(text);
	return err;
}
