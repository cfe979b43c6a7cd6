/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the machine's CPUs did since boot, as /proc and /sys count it: CPU time by use, load,
 * pressure, idle states, frequencies. Read twice; the difference is the run's share, of the
 * whole machine and not of the target. Parsers take text, readers a directory, for the tests.
 */
#ifndef DWELL_CPU_HOST_H
#define DWELL_CPU_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPU_IDLE_STATES 12 /* CPUIDLE_STATE_MAX is 10 */
#define CPU_IDLE_NAME 16   /* CPUIDLE_NAME_LEN */

/* /proc/stat: times are counted in ticks of 10 ms. */
struct cpu_stat {
	uint64_t user_ns, nice_ns, system_ns, idle_ns, iowait_ns, irq_ns, softirq_ns, steal_ns;
	uint64_t interrupts, softirqs; /* served by all CPUs */
	uint64_t switches, forks;
	uint32_t running, blocked; /* threads, at this moment */
};

struct cpu_load { /* /proc/loadavg */
	double minutes_1, minutes_5, minutes_15;
};

/* Pressure: `total` of /proc/pressure/NAME or of a control group's NAME.pressure. */
struct psi_total {
	bool present, has_full;
	uint64_t some_ns, full_ns;
};

enum psi_resource { PSI_CPU, PSI_MEMORY, PSI_IO, PSI_RESOURCES };

struct cpu_host {
	uint64_t at_ns; /* CLOCK_MONOTONIC */
	bool has_stat, has_load;
	struct cpu_stat stat;
	struct cpu_load load;
	struct psi_total psi[PSI_RESOURCES];
};

struct cpu_idle {
	char name[CPU_IDLE_NAME];
	uint64_t ns, entries;
};

/* One CPU's power states; what it does not tell stays zero. */
struct cpu_power {
	uint32_t cpu;
	size_t nidle; /* 0: no cpuidle driver */
	struct cpu_idle idle[CPU_IDLE_STATES];
	uint64_t freq_khz;                  /* as the kernel has it now; 0: no cpufreq driver */
	uint64_t freq_ticks, freq_tick_khz; /* cpufreq/stats: time, and time times frequency */
};

struct cpu_powers { /* of all CPUs, by number */
	struct cpu_power *rows;
	size_t n;
};

/* 0 or -EINVAL when the text is not one. */
int cpu_stat_parse(const char *text, struct cpu_stat *s);
int cpu_load_parse(const char *text, struct cpu_load *l);
int psi_total_parse(const char *text, struct psi_total *psi);
/* cpufreq/stats/time_in_state: a frequency and its ticks a line. */
void cpu_freq_times_parse(const char *text, uint64_t *ticks, uint64_t *tick_khz);

/* What cannot be read stays zero and not present. proc: "/proc" */
void cpu_host_read(struct cpu_host *h, const char *proc);
/* The three files of a control group (version 2), or of /proc/pressure without a suffix. */
void psi_read(struct psi_total psi[PSI_RESOURCES], const char *dir, const char *suffix);
/* dir: "/sys/devices/system/cpu". Free it with cpu_powers_free(). */
void cpu_powers_read(struct cpu_powers *p, const char *dir);
void cpu_powers_free(struct cpu_powers *p);

/*
 * From `begin` to `now`. Counters never fall but for what the kernel lets fall back (iowait)
 * and CPUs that go: that is then 0. Moments (running, blocked, load) are those of `now`.
 */
void cpu_host_delta(const struct cpu_host *begin, const struct cpu_host *now, struct cpu_host *out);
void psi_delta(const struct psi_total *begin, const struct psi_total *now, struct psi_total *out);
/* out: idle states and ticks since begin; freq_khz of now. A CPU that was not there has none. */
void cpu_power_delta(const struct cpu_powers *begin, const struct cpu_power *now,
		     struct cpu_power *out);
/* Mean frequency of a delta, kHz; 0: not told. */
uint64_t cpu_freq_mean(const struct cpu_power *delta);

#endif
