/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Samples of the target from /proc: what each live process uses, and the tree's totals,
 * which never fall: a process that ended keeps counting with its last figures, exact ones
 * when the engine hands over its threads' exits.
 */
#ifndef DWELL_SAMPLER_H
#define DWELL_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "member.h"
#include "record.h"

struct metrics {
	uint64_t ts_ms;  /* Unix time */
	float cpu_usage; /* percent of one core since the last sample */
	uint64_t mem_rss_kb, mem_vms_kb;
	uint64_t disk_read_bytes, disk_write_bytes;
	uint64_t syscall_read_bytes, syscall_write_bytes;
	uint64_t page_faults_cached, page_faults_disk;
	uint64_t sys_net_rx_bytes, sys_net_tx_bytes;
	uint64_t thread_count, uptime_secs;
	uint32_t cpu_core;
	bool has_io, has_psi, has_core;
	float psi_some_avg10, psi_full_avg10;
	uint64_t process_count; /* of the tree */
};

struct sampled_process {
	pid_t pid, ppid;
	char comm[16];
	struct metrics metrics;
};

struct sample {
	uint64_t ts_ms;
	uint64_t elapsed_ns; /* since the last sample */
	bool has_root;       /* the root lives */
	struct sampled_process root;
	struct sampled_process *children; /* live ones, the root not among them */
	size_t nchildren;
	struct metrics all; /* living and dead together */
};

struct sampler;

struct sampler_config {
	pid_t root;               /* 0: none (attach by cgroup or name) */
	bool attached;            /* the first sample's processes lived before us */
	bool since_process_start; /* … and their past counts too */
};

struct sampler *sampler_new(const struct sampler_config *config);
void sampler_free(struct sampler *s);
/* A thread of the target ended. */
void sampler_exit(struct sampler *s, const struct exit_event *event);
/*
 * members: live processes; NULL: walk /proc from the root. The sample is valid until the
 * next call. 0 or -errno.
 */
int sampler_take(struct sampler *s, const struct proc_member *members, size_t n,
		 const struct sample **out);

#endif
