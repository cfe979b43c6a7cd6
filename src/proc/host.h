/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine that a run ran on, as /proc and /sys tell it: the `env` record. */
#ifndef DWELL_HOST_H
#define DWELL_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HOST_NODES 64
#define HOST_CPUS 1024
#define HOST_GOVERNOR 24

struct host_numa {
	uint32_t nodes;
	uint32_t distances[HOST_NODES][HOST_NODES];
	uint64_t sizes_mb[HOST_NODES];
};

struct host_cpu {
	uint32_t sockets, cores_per_socket, threads_per_core;
	char model[128];
};

struct host {
	uint64_t ts_ms;
	char name[256], kernel[256];
	struct host_cpu cpu;
	struct host_numa numa;
	char affinity[4096]; /* "0-3,8"; "" when not known */
	size_t governors;    /* 0: no cpufreq */
	char governor[HOST_CPUS][HOST_GOVERNOR];
	size_t freqs;
	uint64_t freq_khz[HOST_CPUS];
	char thp[64]; /* "always [madvise] never"; "" when there is none */
	bool has_smt, smt;
	char cgroup[4096]; /* /proc/PID/cgroup */
};

/* What cannot be read stays zero. pid: the process whose cgroup it is (0: our own). */
void host_read(struct host *h, pid_t pid);
/* "0-3,8" of a bit mask of n CPUs. */
void cpu_list(const unsigned char *mask, size_t n, char *text, size_t size);

#endif
