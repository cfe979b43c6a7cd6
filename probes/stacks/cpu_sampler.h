/* SPDX-License-Identifier: BSD-2-Clause */
/* Perf events that interrupt each CPU so many times a second. */
#ifndef DWELL_STACKS_CPU_SAMPLER_H
#define DWELL_STACKS_CPU_SAMPLER_H

#include <bpf/libbpf.h>
#include <stddef.h>
#include <stdint.h>

struct cpu_sampler {
	const char *clock; /* "cycles", or "cpu-clock" where the machine has no counter of them */
	int cycles_error;  /* why not: negative errno; 0: it is cycles */
	struct bpf_link **links;
	size_t nlinks;
};

/* Runs `prog` on each CPU that is online, `frequency` times a second. 0 or -errno. */
int cpu_sampler_open(struct cpu_sampler *s, struct bpf_program *prog, uint32_t frequency);
void cpu_sampler_close(struct cpu_sampler *s);

#endif
