/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters in records are cumulative, so a total is the largest seen (denet's fall when a
 * child ends). CPU use is weighted by the time that a sample stands for. Foreign records
 * are not trusted: a field of the wrong type is as if it were absent.
 */
#include "stats_sum.h"

#include <string.h>

#include "shape.h"

void stats_init(struct stats *s)
{
	memset(s, 0, sizeof(*s));
}

void stats_release(struct stats *s)
{
	json_decref(s->summary);
	json_decref(s->ledger);
	stats_init(s);
}

/* --- reading --- */

static bool get_u64(const json_t *o, const char *key, uint64_t *v)
{
	const json_t *j = json_object_get(o, key);

	if (json_is_integer(j) && json_integer_value(j) >= 0)
		*v = (uint64_t)json_integer_value(j);
	else if (json_is_real(j) && json_real_value(j) >= 0 && json_real_value(j) < 1e19)
		*v = (uint64_t)json_real_value(j);
	else
		return false;
	return true;
}

static bool get_real(const json_t *o, const char *key, double *v)
{
	const json_t *j = json_object_get(o, key);

	if (!json_is_number(j))
		return false;
	*v = json_number_value(j);
	return true;
}

static bool most(const json_t *o, const char *key, uint64_t *most)
{
	uint64_t v;

	if (!get_u64(o, key, &v))
		return false;
	if (v > *most)
		*most = v;
	return true;
}

static void plus(const json_t *o, const char *key, uint64_t *sum)
{
	uint64_t v;

	if (get_u64(o, key, &v))
		*sum += v;
}

static void mean_add(struct mean *m, const json_t *o, const char *key, double weight)
{
	double v;

	if (!get_real(o, key, &v))
		return;
	m->sum += v * weight;
	m->weight += weight;
}

static double mean_value(const struct mean *m)
{
	return m->weight > 0 ? m->sum / m->weight : 0;
}

static void add_memory(struct stats *s, const json_t *metrics)
{
	const json_t *perf = json_object_get(metrics, "perf"),
		     *psi = json_object_get(metrics, "psi_mem");
	double some;

	if (json_is_object(perf)) {
		s->perf_samples++;
		plus(perf, "cycles", &s->cycles);
		plus(perf, "instructions", &s->instructions);
		plus(perf, "cache_refs", &s->cache_refs);
		plus(perf, "cache_misses", &s->cache_misses);
		plus(perf, "stalled_backend", &s->stalled);
	}
	if (get_real(psi, "some_avg10", &some)) {
		s->psi_samples++;
		s->psi_stalled += some > 0;
	}
}

static void add_analysis(struct stats *s, const json_t *metrics)
{
	const json_t *ebpf = json_object_get(metrics, "ebpf");
	const json_t *a = json_object_get(json_object_get(ebpf, "syscalls"), "analysis");

	mean_add(&s->rate, a, "syscall_rate_per_sec", 1);
	mean_add(&s->io, a, "io_intensity", 1);
	mean_add(&s->memory, a, "memory_intensity", 1);
	mean_add(&s->cpu_calls, a, "cpu_intensity", 1);
	mean_add(&s->network, a, "network_intensity", 1);
}

/* By the time since the last sample; what the first one stands for nobody says. */
static void add_cpu(struct stats *s, const json_t *m, uint64_t ts)
{
	if (s->sample_count && ts > s->last_ms)
		mean_add(&s->cpu, m, "cpu_usage", (double)(ts - s->last_ms));
	else
		mean_add(&s->cpu_untimed, m, "cpu_usage", 1);
}

static bool add_metrics(struct stats *s, const json_t *m)
{
	uint64_t ts, processes = 1;

	if (!json_is_object(m) || !get_u64(m, "ts_ms", &ts) || !json_object_get(m, "cpu_usage"))
		return false;
	add_cpu(s, m, ts);
	if (!s->sample_count)
		s->first_ms = ts;
	if (ts > s->last_ms)
		s->last_ms = ts;
	s->sample_count++;
	get_u64(m, "process_count", &processes);
	if (processes > s->max_processes)
		s->max_processes = processes;
	most(m, "thread_count", &s->max_threads);
	most(m, "mem_rss_kb", &s->peak_rss_kb);
	most(m, "disk_read_bytes", &s->disk_read);
	most(m, "disk_write_bytes", &s->disk_write);
	s->has_syscall_bytes |= most(m, "syscall_read_bytes", &s->syscall_read);
	s->has_syscall_bytes |= most(m, "syscall_write_bytes", &s->syscall_write);
	s->has_faults |= most(m, "page_faults_cached", &s->faults_cached);
	s->has_faults |= most(m, "page_faults_disk", &s->faults_disk);
	if (!most(m, "sys_net_rx_bytes", &s->net_rx))
		most(m, "net_rx_bytes", &s->net_rx);
	if (!most(m, "sys_net_tx_bytes", &s->net_tx))
		most(m, "net_tx_bytes", &s->net_tx);
	add_memory(s, m);
	add_analysis(s, m);
	return true;
}

static bool add_tree(struct stats *s, const json_t *tree)
{
	const json_t *all = json_object_get(tree, "aggregated"),
		     *parent = json_object_get(tree, "parent");
	json_t *ledger = json_object_get(json_object_get(tree, "probes"), "ledger");

	if (json_is_object(ledger)) {
		json_decref(s->ledger);
		s->ledger = json_deep_copy(ledger);
	}
	if (json_is_object(all))
		return add_metrics(s, all);
	if (json_is_object(parent))
		return add_metrics(s, parent);
	return json_is_null(all) && json_is_null(parent); /* nothing was alive */
}

static bool add_untagged(struct stats *s, const json_t *record)
{
	if (json_object_get(record, "children"))
		return add_tree(s, record);
	if (json_object_get(record, "cpu_usage"))
		return add_metrics(s, record);
	return json_object_get(record, "lscpu") ||
	       (json_object_get(record, "cmd") && json_object_get(record, "t0_ms"));
}

static bool add_any(struct stats *s, const json_t *record)
{
	const char *kind = json_string_value(json_object_get(record, "kind"));

	if (!kind)
		return add_untagged(s, record);
	if (!strcmp(kind, "tree"))
		return add_tree(s, record);
	if (!strcmp(kind, "sample") || !strcmp(kind, "aggregated"))
		return add_metrics(s, record);
	if (!strcmp(kind, "summary")) {
		json_decref(s->summary);
		s->summary = json_deep_copy(record);
		return true;
	}
	return !strcmp(kind, "env") || !strcmp(kind, "metadata");
}

bool stats_add(struct stats *s, const json_t *record)
{
	bool known = add_any(s, record);

	if (known)
		s->records++;
	else
		s->unknown++;
	return known;
}

/* --- writing --- */

struct memory_sum {
	double ipc, miss_rate, stall_ratio, psi_fraction;
	bool has_ipc, has_misses, has_stalls, has_psi;
	const char *verdict;
};

#define RATIO(key_, member_, has_, help_)                                                          \
	{                                                                                          \
		.key = key_, .type = SHAPE_F64, .unit = UNIT_RATIO, .kind = METRIC_GAUGE,          \
		.optional = true, .present = has_, .offset = offsetof(struct memory_sum, member_), \
		.help = help_                                                                      \
	}

static bool has_ipc(const void *base)
{
	return ((const struct memory_sum *)base)->has_ipc;
}

static bool has_misses(const void *base)
{
	return ((const struct memory_sum *)base)->has_misses;
}

static bool has_stalls(const void *base)
{
	return ((const struct memory_sum *)base)->has_stalls;
}

static bool has_psi(const void *base)
{
	return ((const struct memory_sum *)base)->has_psi;
}

static const struct shape memory_shape[] = {
	RATIO("mean_ipc", ipc, has_ipc, "instructions a cycle"),
	RATIO("llc_miss_rate", miss_rate, has_misses, "cache misses of references"),
	RATIO("backend_stall_ratio", stall_ratio, has_stalls, "cycles stalled for the backend"),
	RATIO("psi_some_fraction", psi_fraction, has_psi, "samples with memory pressure"),
	SHAPE_IS(STR, memory_sum, verdict, UNIT_NONE, INFO,
		 "memory-bound, cpu-bound, mixed or insufficient-data"),
	{}
};

static double ratio(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

static json_t *memory_json(const void *at)
{
	const struct stats *s = at;
	struct memory_sum m = {
		.ipc = ratio(s->instructions, s->cycles),
		.miss_rate = ratio(s->cache_misses, s->cache_refs),
		.stall_ratio = ratio(s->stalled, s->cycles),
		.psi_fraction = ratio(s->psi_stalled, s->psi_samples),
		.has_ipc = s->cycles,
		.has_misses = s->cache_refs,
		.has_stalls = s->cycles && s->stalled,
		.has_psi = s->psi_samples,
	};

	if (!s->perf_samples && !s->psi_samples)
		return NULL;
	if (!m.has_ipc)
		m.verdict = "insufficient-data";
	else if ((m.has_stalls && m.stall_ratio > 0.5 && m.ipc < 1) ||
		 (m.has_psi && m.psi_fraction > 0.5))
		m.verdict = "memory-bound";
	else if (m.ipc > 1.5 && m.stall_ratio < 0.2)
		m.verdict = "cpu-bound";
	else
		m.verdict = "mixed";
	return shape_json(memory_shape, &m);
}

static json_t *calls_json(const void *at)
{
	const struct stats *s = at;

	if (s->rate.weight <= 0)
		return NULL;
	return json_pack("{s:f, s:f, s:f, s:f, s:f}", "avg_syscall_rate_per_sec",
			 mean_value(&s->rate), "avg_io_syscall_fraction", mean_value(&s->io),
			 "avg_memory_syscall_fraction", mean_value(&s->memory),
			 "avg_cpu_syscall_fraction", mean_value(&s->cpu_calls),
			 "avg_network_syscall_fraction", mean_value(&s->network));
}

static json_t *calls_schema(void)
{
	static const char *const keys[] = {
		"avg_syscall_rate_per_sec",     "avg_io_syscall_fraction",
		"avg_memory_syscall_fraction",  "avg_cpu_syscall_fraction",
		"avg_network_syscall_fraction",
	};
	json_t *properties = json_object(), *required = json_array();

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		json_object_set_new(properties, keys[i], json_pack("{s:s}", "type", "number"));
		json_array_append_new(required, json_string(keys[i]));
	}
	return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties,
			 "required", required, "additionalProperties", 0);
}

/* By the summary when there is one: it knows the run's time, samples only what lies between them.
 */
static json_t *seconds_json(const void *at)
{
	const struct stats *s = at;
	uint64_t wall;

	if (get_u64(s->summary, "wall_ns", &wall))
		return json_real((double)wall / 1e9);
	return json_real((double)(s->last_ms - s->first_ms) / 1000);
}

static json_t *number_schema(void)
{
	return json_pack("{s:s, s:i}", "type", "number", "minimum", 0);
}

static json_t *cpu_json(const void *at)
{
	const struct stats *s = at;

	return json_real(mean_value(s->cpu.weight > 0 ? &s->cpu : &s->cpu_untimed));
}

static json_t *pick(const json_t *from, const char *const keys[])
{
	json_t *to = json_object();

	for (; *keys; keys++)
		if (json_object_get(from, *keys))
			json_object_set(to, *keys, json_object_get(from, *keys));
	return to;
}

static json_t *ledger_json(const void *at)
{
	static const char *const keys[] = { "lifetime_ns", "residual_ns", "user_ns",
					    "system_ns",   "states",      NULL };
	const struct stats *s = at;
	const json_t *ledger = json_object_get(s->summary, "ledger");

	if (!json_is_object(ledger))
		ledger = s->ledger;
	return json_is_object(ledger) ? pick(ledger, keys) : NULL;
}

static json_t *run_json(const void *at)
{
	static const char *const keys[] = { "target",  "wall_ns", "exit",    "processes",
					    "threads", "execs",   "verdict", NULL };
	const struct stats *s = at;

	return s->summary ? pick(s->summary, keys) : NULL;
}

static json_t *trust_json(const void *at)
{
	static const char *const keys[] = { "accounted_percent", "lost_total", "reconcile_ok",
					    NULL };
	const struct stats *s = at;
	const json_t *trust = json_object_get(s->summary, "trust");

	return json_is_object(trust) ? pick(trust, keys) : NULL;
}

static json_t *object_schema(void)
{
	return json_pack("{s:s}", "type", "object");
}

static bool has_syscall_bytes(const void *base)
{
	return ((const struct stats *)base)->has_syscall_bytes;
}

static bool has_faults(const void *base)
{
	return ((const struct stats *)base)->has_faults;
}

#define PART(key_, make_, schema_, help_)                                                          \
	{                                                                                          \
		.key = key_, .type = SHAPE_CUSTOM, .optional = true, .make = make_,                \
		.schema = schema_, .help = help_                                                   \
	}
#define IF(key_, member_, unit_, has_, help_)                                                      \
	{                                                                                          \
		.key = key_, .type = SHAPE_U64, .unit = unit_, .kind = METRIC_COUNTER,             \
		.optional = true, .present = has_, .offset = offsetof(struct stats, member_),      \
		.help = help_                                                                      \
	}

static const struct shape stats_shape[] = {
	{ .key = "total_time_secs",
	  .type = SHAPE_CUSTOM,
	  .unit = UNIT_SECONDS,
	  .make = seconds_json,
	  .schema = number_schema,
	  .help = "time of the run; without a summary, from the first "
		  "sample to the last" },
	SHAPE_IS(U64, stats, sample_count, UNIT_COUNT, COUNTER, "samples"),
	SHAPE_IS(U64, stats, max_processes, UNIT_COUNT, GAUGE, "most processes in a sample"),
	SHAPE_IS(U64, stats, max_threads, UNIT_COUNT, GAUGE, "most threads in a sample"),
	SHAPE_AS("total_disk_read_bytes", U64, stats, disk_read, UNIT_BYTES, COUNTER,
		 "from storage"),
	SHAPE_AS("total_disk_write_bytes", U64, stats, disk_write, UNIT_BYTES, COUNTER,
		 "to storage"),
	IF("total_syscall_read_bytes", syscall_read, UNIT_BYTES, has_syscall_bytes,
	   "by system calls"),
	IF("total_syscall_write_bytes", syscall_write, UNIT_BYTES, has_syscall_bytes,
	   "by system calls"),
	IF("peak_page_faults_cached", faults_cached, UNIT_COUNT, has_faults,
	   "page faults without I/O"),
	IF("peak_page_faults_disk", faults_disk, UNIT_COUNT, has_faults, "page faults with I/O"),
	SHAPE_AS("total_sys_net_rx_bytes", U64, stats, net_rx, UNIT_BYTES, COUNTER,
		 "received by the network namespaces, by whomever"),
	SHAPE_AS("total_sys_net_tx_bytes", U64, stats, net_tx, UNIT_BYTES, COUNTER,
		 "sent, likewise"),
	SHAPE_AS("peak_mem_rss_kb", U64, stats, peak_rss_kb, UNIT_KB, GAUGE,
		 "most resident memory in a sample"),
	{ .key = "avg_cpu_usage",
	  .type = SHAPE_CUSTOM,
	  .unit = UNIT_PERCENT,
	  .make = cpu_json,
	  .schema = number_schema,
	  .help = "CPU use over time; 100 is one full core" },
	PART("syscalls", calls_json, calls_schema, "means over the samples that have an analysis"),
	{ .key = "memory_characterization",
	  .type = SHAPE_CUSTOM,
	  .optional = true,
	  .make = memory_json,
	  .sub = memory_shape,
	  .help = "what the samples say of memory" },
	PART("run", run_json, object_schema, "of the summary record: how the run went"),
	PART("ledger", ledger_json, object_schema,
	     "of the last record that has it: where the time went"),
	PART("trust", trust_json, object_schema, "of the summary record"),
	{}
};

json_t *stats_json(const struct stats *s)
{
	return shape_json(stats_shape, s);
}

json_t *stats_schema(void)
{
	return shape_schema(stats_shape);
}
