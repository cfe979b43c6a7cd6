/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Statistics over the records of a run, one record at a time: denet's fields and ours.
 * Takes records of dwell and of denet, with or without a kind.
 */
#ifndef DWELL_STATS_SUM_H
#define DWELL_STATS_SUM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct mean {
	double sum, weight;
};

struct stats {
	uint64_t records; /* that were understood */
	uint64_t unknown; /* objects that are no record */
	uint64_t first_ms, last_ms;
	uint64_t sample_count, max_processes, max_threads;
	uint64_t disk_read, disk_write, syscall_read, syscall_write;
	uint64_t faults_cached, faults_disk, net_rx, net_tx, peak_rss_kb;
	bool has_syscall_bytes, has_faults;
	struct mean cpu, cpu_untimed;
	struct mean rate, io, memory, cpu_calls, network;
	uint64_t cycles, instructions, cache_refs, cache_misses, stalled;
	uint64_t perf_samples, psi_samples, psi_stalled;
	json_t *summary; /* the last summary record */
	json_t *ledger;  /* of the last tree record */
};

void stats_init(struct stats *s);
void stats_release(struct stats *s);
/* False: an object, but no record that we know. */
bool stats_add(struct stats *s, const json_t *record);
/* New reference. */
json_t *stats_json(const struct stats *s);
json_t *stats_schema(void);

#endif
