/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See cpu_sampler.h. Cycles stand still while a CPU is idle and come as interrupts that cannot be
 * masked, so they show code that runs with interrupts off; a timer does not.
 */
#include "cpu_sampler.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "detach.h"
#include "err.h"

static int open_event(bool cycles, int cpu, uint32_t frequency)
{
	struct perf_event_attr attr = {
		.type = cycles ? PERF_TYPE_HARDWARE : PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = cycles ? PERF_COUNT_HW_CPU_CYCLES : PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = frequency,
	};
	long fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static int attach(struct cpu_sampler *s, struct bpf_program *prog, int fd)
{
	struct bpf_link *link = bpf_program__attach_perf_event(prog, fd);
	int err = libbpf_get_error(link);

	if (err) {
		close(fd);
		return err;
	}
	s->links[s->nlinks++] = link; /* which has the descriptor now */
	return 0;
}

/* On every CPU; those that are offline (ENODEV) are passed over. */
static int open_all(struct cpu_sampler *s, struct bpf_program *prog, bool cycles,
		    uint32_t frequency, int cpus)
{
	for (int cpu = 0; cpu < cpus; cpu++) {
		int fd = open_event(cycles, cpu, frequency), err;

		if (fd == -ENODEV)
			continue;
		err = fd < 0 ? fd : attach(s, prog, fd);
		if (err) {
			cpu_sampler_close(s);
			return err;
		}
	}
	if (s->nlinks)
		return 0;
	cpu_sampler_close(s);
	return -ENODEV;
}

/* The kernel lowers it by itself when samples take it too long; -1: not known. */
static long most_a_second(void)
{
	FILE *f = fopen("/proc/sys/kernel/perf_event_max_sample_rate", "re");
	long most = -1;

	if (f && fscanf(f, "%ld", &most) != 1)
		most = -1;
	if (f)
		fclose(f);
	return most;
}

static int refused(int err, uint32_t frequency)
{
	long most = err == -EINVAL ? most_a_second() : -1;

	if (most > 0 && frequency > (unsigned long)most)
		return err_set(err,
			       "cannot sample the CPUs %u times a second: the kernel allows %ld "
			       "(sysctl kernel.perf_event_max_sample_rate); choose less with -F",
			       frequency, most);
	return err_set(err, "cannot sample the CPUs %u times a second", frequency);
}

int cpu_sampler_open(struct cpu_sampler *s, struct bpf_program *prog, uint32_t frequency)
{
	int cpus = libbpf_num_possible_cpus(), err;

	if (cpus < 0)
		return err_set(cpus, "cannot count the CPUs");
	s->links = calloc((size_t)cpus, sizeof(*s->links));
	if (!s->links)
		return err_set(-ENOMEM, "no memory");
	s->clock = "cycles";
	err = s->cycles_error = open_all(s, prog, true, frequency, cpus);
	if (err) {
		s->clock = "cpu-clock";
		s->links = calloc((size_t)cpus, sizeof(*s->links));
		err = s->links ? open_all(s, prog, false, frequency, cpus) : -ENOMEM;
	}
	return err ? refused(err, frequency) : 0;
}

void cpu_sampler_close(struct cpu_sampler *s)
{
	for (size_t i = 0; i < s->nlinks; i++)
		detach_link(s->links[i]);
	free(s->links);
	s->links = NULL;
	s->nlinks = 0;
}
