/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * On-CPU time of the tree by CPU: the stays that ended there (ledger_cpu_ns), and those that
 * last as the report is made. Their sum is the tree's on_cpu.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "book.h"
#include "err.h"

int cpu_time_open(struct cpu_time *c, int fd)
{
	c->fd = fd;
	c->cpus = libbpf_num_possible_cpus();
	if (c->cpus < 0)
		return err_set(c->cpus, "cannot count the CPUs");
	c->lasting = calloc((size_t)c->cpus, sizeof(*c->lasting));
	return c->lasting ? 0 : err_set(-ENOMEM, "no memory");
}

void cpu_time_begin(struct cpu_time *c)
{
	memset(c->lasting, 0, (size_t)c->cpus * sizeof(*c->lasting));
}

void cpu_time_live(struct cpu_time *c, const struct ledger_final *f)
{
	if (f->thread.state == STATE_ON_CPU && f->cpu < (uint32_t)c->cpus &&
	    f->now_ns > f->thread.since_ns)
		c->lasting[f->cpu] += f->now_ns - f->thread.since_ns;
}

int cpu_time_fill(const struct cpu_time *c, struct report *r)
{
	uint64_t *ns = report_alloc(r, (size_t)c->cpus * sizeof(*ns));

	if (bpf_map_lookup_elem(c->fd, &(uint32_t){ 0 }, ns))
		return err_set(-errno, "cannot read the time by CPU");
	for (int i = 0; i < c->cpus; i++)
		ns[i] += c->lasting[i];
	r->ledger.cpu_ns = ns;
	r->ledger.ncpus = (size_t)c->cpus;
	return 0;
}

void cpu_time_close(struct cpu_time *c)
{
	free(c->lasting);
	c->lasting = NULL;
}
