/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory probe: descriptor and reader. Figures by process stand in slots, what lives in
 * the table memory_mms, faults in what the kernel counts by itself.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "kernel_btf.h"
#include "memory_shape.h"
#include "memory_user.h"
#include "read.h"
#include "session.h"
#include "sites.h"

#define HOOKS "memory_rss", "memory_newtask", "memory_unmapped"
#define RECLAIM                                                                                    \
	"memory_direct_begin", "memory_direct_end", "memory_cgroup_begin", "memory_cgroup_end",    \
		"memory_node_begin", "memory_node_end"
#define KMEM                                                                                       \
	"memory_kmalloc", "memory_cache_alloc", "memory_kfree", "memory_cache_free",               \
		"memory_page_alloc", "memory_page_free"
/* One of these; where there is the first the others would count the same again. */
#define SWAP_IN "memory_vm_event", "memory_swap_page", "memory_swap_folio"
/* With --alloc; where one of them is not there, allocations are not followed (alloc.c). */
#define ALLOC "memory_alloc_exec", "memory_alloc_exit", "memory_alloc_call"
#define EXTRA RECLAIM, "memory_victim", SWAP_IN, KMEM, ALLOC

static const struct source memory_sources[] = {
	{ "tp_btf", { HOOKS }, { EXTRA }, false },
	{ "raw_tp", { HOOKS }, { EXTRA }, true },
	{ 0 },
};

#define MMS_BATCH 512

/* ---- before the load ---- */

static bool option_kmem(const struct probe *p)
{
	return p->session && p->session->options->kmem;
}

static bool option_alloc(const struct probe *p)
{
	return p->session && p->session->options->alloc;
}

static void leave_out(struct bpf_object *obj, const char *const *names)
{
	for (; *names; names++)
		bpf_program__set_autoload(bpf_object__find_program_by_name(obj, *names), false);
}

static int set_constants(struct bpf_object *obj, bool alloc, bool stacks)
{
	struct memory_cfg cfg = {
		.cpus = (uint32_t)libbpf_num_possible_cpus(),
		.alloc = alloc,
		.stacks = stacks,
	};
	long long delta = kernel_btf_preempt_delta();
	struct bpf_map *map = bpf_object__find_map_by_name(obj, ".rodata.memory");
	struct bpf_map *irq = bpf_object__find_map_by_name(obj, ".rodata.irq");
	int err;

	if (!map || !irq)
		return -ENOENT;
	if (cfg.cpus > MEMORY_CPUS)
		cfg.cpus = 0;
	err = bpf_map__set_initial_value(map, &cfg, sizeof(cfg));
	return err ? err : bpf_map__set_initial_value(irq, &delta, sizeof(delta));
}

/* count_memcg_events fires at every page fault: 80 ns that nobody needs without swap. */
static bool has_swap(void)
{
	char text[4096], *second;

	if (proc_read_file("/proc/swaps", text, sizeof(text)) < 0)
		return false;
	second = strchr(text, '\n');
	return second && second[1];
}

static int memory_configure(struct probe *p, struct bpf_object *obj)
{
	static const char *const kmem[] = { KMEM, NULL };
	static const char *const swap_in[] = { SWAP_IN, NULL };
	struct bpf_map *sites = bpf_object__find_map_by_name(obj, "memory_sites");
	struct bpf_map *lives = bpf_object__find_map_by_name(obj, "memory_lives");
	int err = set_constants(obj, option_alloc(p),
				option_alloc(p) && session_wants(p->session, "stacks"));

	if (kernel_btf_tracepoint("count_memcg_events"))
		leave_out(obj, swap_in + 1);
	if (!has_swap())
		leave_out(obj, swap_in);
	if (!err && !option_kmem(p)) {
		leave_out(obj, kmem);
		err = bpf_map__set_max_entries(sites, 1);
		if (!err)
			err = bpf_map__set_max_entries(lives, 1);
	}
	if (!err)
		err = alloc_configure(p, obj);
	return err ? err_set(err, "cannot configure memory") : 0;
}

/* ---- after the attach ---- */

/* A kernel started without memory cgroups counts no event for them. */
static bool memory_cgroups(void)
{
	char text[4096], *line;
	int hierarchy, groups, enabled;

	if (proc_read_file("/proc/cgroups", text, sizeof(text)) < 0)
		return false;
	line = strstr(text, "\nmemory");
	return line && sscanf(line, "\nmemory %d %d %d", &hierarchy, &groups, &enabled) == 3 &&
	       enabled;
}

static int memory_start(struct probe *p)
{
	struct memory_data *d = calloc(1, sizeof(*d));
	struct memory_site rest = { 0 };
	uint64_t zero = 0;

	if (!d)
		return err_set(-ENOMEM, "no memory");
	p->data = d;
	for (size_t i = 0; i < PMU_EVENTS; i++)
		d->pmu.fds[i] = -1;
	d->page = (uint64_t)sysconf(_SC_PAGESIZE);
	d->kmem = option_kmem(p) && probe_attached(p, "memory_kmalloc") &&
		  probe_attached(p, "memory_cache_alloc");
	d->swap = has_swap();
	d->oom = probe_attached(p, "memory_victim");
	d->node = probe_attached(p, "memory_node_begin") && probe_attached(p, "memory_node_end");
	d->swap_in = probe_attached(p, "memory_vm_event")
			     ? memory_cgroups()
			     : probe_attached(p, "memory_swap_page") ||
				       probe_attached(p, "memory_swap_folio");
	if (d->kmem && bpf_map_update_elem(probe_map_fd(p, "memory_sites"), &zero, &rest, BPF_ANY))
		return err_set(-errno, "cannot make the row of other allocations");
	return alloc_start(p, &d->alloc);
}

static void memory_arm(struct probe *p, int launcher)
{
	struct memory_data *d = p->data;

	d->pmu_asked = p->session->options->pmu;
	if (d->pmu_asked)
		pmu_open(&d->pmu, launcher, pmu_wants, PMU_EVENTS);
}

static void memory_free(struct probe *p)
{
	struct memory_data *d = p->data;

	if (!d)
		return;
	pmu_close(&d->pmu);
	alloc_free(d->alloc);
	free(d);
	p->data = NULL;
}

static void memory_poll(struct probe *p)
{
	struct memory_data *d = p->data;

	if (d->alloc)
		alloc_poll(p, d->alloc);
}

static bool memory_event(struct probe *p, const struct event_head *head, size_t size)
{
	struct memory_data *d = p->data;
	const struct memory_oom *e = (const void *)head;
	struct memory_oom_row *row;

	if (head->kind != EVENT_MEMORY_OOM)
		return alloc_event(p, d->alloc, head, size);
	if (size < sizeof(*e) || d->nooms == OOMS_MAX)
		return true;
	row = &d->ooms[d->nooms++];
	*row = (struct memory_oom_row){
		.pid = head->who.pid,
		.by_pid = e->by_pid,
		.at_ns = e->now_ns > p->session->start_ns ? e->now_ns - p->session->start_ns : 0,
		.rss_bytes = e->rss * d->page,
	};
	memcpy(row->comm, e->comm, sizeof(row->comm));
	memcpy(row->by_comm, e->by_comm, sizeof(row->by_comm));
	return true;
}

/* ---- the report ---- */

static void fill_slot(const struct memory_data *d, struct memory_figures *f,
		      const struct memory_slot *s)
{
	f->has_swap_in = d->swap_in;
	f->has_oom = d->oom;
	f->has_node = d->node;
	f->has_kmem = d->kmem;
	f->rss_peak_bytes = s->rss_peak * d->page;
	f->swap_out_bytes = s->swap_out * d->page;
	f->swap_in_bytes = s->swap_in * d->page;
	f->oom_kills = s->oom_kills;
	for (int kind = 0; kind < STALL_KINDS; kind++)
		f->stalls[kind] = (struct memory_wait){
			.count = s->stalls[kind].count,
			.ns = s->stalls[kind].ns,
			.max_ns = s->stalls[kind].max_ns,
			.bytes = s->stalls[kind].pages * d->page,
		};
	f->slab_allocs = s->slab_allocs;
	f->slab_bytes = s->slab_bytes;
	f->page_allocs = s->page_allocs;
	f->page_alloc_bytes = s->pages_allocated * d->page;
	f->page_frees = s->page_frees;
	f->page_free_bytes = s->pages_freed * d->page;
	f->page_failures = s->page_failures;
}

static void fill_usage(struct memory_figures *f, const struct usage_slot *u)
{
	if (!u)
		return;
	f->minor_faults = u->minor_faults;
	f->major_faults = u->major_faults;
}

static uint64_t bytes_of(const struct memory_data *d, int64_t pages)
{
	return pages > 0 ? (uint64_t)pages * d->page : 0;
}

/* By how much an address space's resident pages may be more or less than is known. */
static uint64_t slack_pages(bool held_back)
{
	uint64_t cpus = (uint64_t)libbpf_num_possible_cpus(), slack = 3 * (MEMORY_GRAIN - 1);

	if (held_back) /* TASK_RSS_EVENTS_THRESH faults that each map fault_around_bytes */
		return slack + 64 * 16;
	if (cpus > MEMORY_CPUS) /* lib/percpu_counter.c: compute_batch_value() */
		slack += 3 * cpus * 2 * cpus;
	return slack;
}

static void fill_tree(struct probe *p, struct report *r)
{
	struct memory_data *d = p->data;
	struct memory_report *m = &r->memory;
	const struct memory_slot *s = slots_tree(p);
	struct memory_tree tree = { 0 };
	uint32_t zero = 0;

	if (s)
		fill_slot(d, &m->tree, s);
	fill_usage(&m->tree, usage_tree(p->session));
	bpf_map_lookup_elem(probe_map_fd(p, "memory_tree"), &zero, &tree);
	m->tree.rss_bytes = bytes_of(d, tree.rss);
	m->tree.rss_peak_bytes = tree.rss_peak * d->page;
	m->tree.swap_bytes = bytes_of(d, tree.swap);
	m->swap_peak_bytes = tree.swap_peak * d->page;
	m->rss_slack_bytes = slack_pages(tree.held_back) * d->page;
}

static struct memory_process *process_of(struct memory_report *m, uint32_t proc_id)
{
	for (size_t i = 0; i < m->nprocesses; i++)
		if (m->processes[i].proc_id == proc_id)
			return &m->processes[i];
	return NULL;
}

static void add_mm(const struct memory_data *d, struct memory_report *m, const struct memory_mm *mm)
{
	struct memory_process *row = process_of(m, mm->proc_id);
	struct memory_figures *f = row ? &row->figures : NULL;
	uint64_t peak = mm->rss_peak * d->page;

	if (!f)
		return;
	f->rss_bytes += bytes_of(d, mm->pages[MEMBER_FILE] + mm->pages[MEMBER_ANON] +
					    mm->pages[MEMBER_SHMEM]);
	f->swap_bytes += bytes_of(d, mm->pages[MEMBER_SWAP]);
	if (peak > f->rss_peak_bytes)
		f->rss_peak_bytes = peak;
}

/* Address spaces that live, on top of what is in the slots. */
static int add_living(struct probe *p, struct report *r)
{
	static uint64_t keys[MMS_BATCH];
	static struct memory_mm mms[MMS_BATCH];
	int fd = probe_map_fd(p, "memory_mms"), err = 0;
	uint32_t at = 0, n;
	void *from = NULL;

	while (!err) {
		n = MMS_BATCH;
		err = bpf_map_lookup_batch(fd, from, &at, keys, mms, &n, NULL);
		if (err && err != -ENOENT)
			return err_set(err, "cannot read the table of address spaces");
		for (uint32_t i = 0; i < n; i++)
			add_mm(p->data, &r->memory, &mms[i]);
		from = &at;
	}
	return 0;
}

static int fill_processes(struct probe *p, struct report *r)
{
	struct memory_report *m = &r->memory;

	m->processes = report_alloc(r, (r->ledger.nprocesses + 1) * sizeof(*m->processes));
	for (size_t i = 0; i < r->ledger.nprocesses; i++) {
		const struct process_row *of = &r->ledger.processes[i];
		struct memory_process *row = &m->processes[m->nprocesses++];
		const struct memory_slot *s = slots_process(p, of->proc_id);

		row->pid = of->pid;
		row->proc_id = of->proc_id;
		memcpy(row->comm, of->comm, sizeof(row->comm));
		if (s)
			fill_slot(p->data, &row->figures, s);
		fill_usage(&row->figures, usage_process(p->session, of->proc_id));
	}
	return add_living(p, r);
}

/* At most once a second, while its time lasts, of processes whose page tables are not long. */
static void read_pss(struct memory_data *d, const struct report *r)
{
	uint64_t begin = session_clock();

	if (d->pss_ns && begin - d->pss_ns < PSS_EVERY_NS && !r->final)
		return;
	d->pss = (struct pss_sum){ 0 };
	for (size_t i = 0; i < r->ledger.nprocesses; i++) {
		const struct process_row *row = &r->ledger.processes[i];
		struct memory_process *m = &r->memory.processes[i];

		if (!row->alive || !row->pid)
			continue;
		if (m->figures.rss_bytes > PSS_WALK_MAX || session_clock() - begin > PSS_TIME_NS) {
			d->pss.left_out++;
			continue;
		}
		if (pss_read((pid_t)row->pid, &m->pss))
			continue; /* it has ended */
		m->has_pss = true;
		d->pss.processes++;
		d->pss.bytes += m->pss.pss;
		d->pss.swap_bytes += m->pss.swap_pss;
	}
	d->pss_ns = session_clock();
}

static int memory_snapshot(struct probe *p, struct report *r)
{
	struct memory_data *d = p->data;
	struct memory_report *m = &r->memory;
	int err;

	m->present = true;
	fill_tree(p, r);
	err = fill_processes(p, r);
	if (err)
		return err;
	read_pss(d, r);
	m->pss = d->pss;
	m->pmu.asked = d->pmu_asked;
	if (d->pmu_asked)
		pmu_read(&d->pmu, &m->pmu);
	m->ooms = report_alloc(r, (d->nooms + 1) * sizeof(*m->ooms));
	memcpy(m->ooms, d->ooms, d->nooms * sizeof(*m->ooms));
	m->nooms = d->nooms;
	m->has_kmem = d->kmem;
	m->kmem_sampled = p->session->options->sample_interval;
	memory_fill_absent(d, r, p->session->options);
	err = d->kmem ? sites_fill(p, r) : 0;
	return err || !d->alloc ? err : alloc_fill(p, d->alloc, r);
}

static bool memory_reported(const struct report *r)
{
	return r->memory.present;
}

#define STALL_MAX(kind)                                                                            \
	(offsetof(struct memory_slot, stalls) + (kind) * sizeof(struct memory_stall) +             \
	 offsetof(struct memory_stall, max_ns))

static const uint16_t memory_maxima[] = {
	offsetof(struct memory_slot, rss_peak),
	STALL_MAX(STALL_DIRECT),
	STALL_MAX(STALL_CGROUP),
	STALL_MAX(STALL_NODE),
};

/* What an interrupt or a program allocates is nobody's; what they free may be a target's. */
static const char *const nested_is_nobodys[] = { "memory_kmalloc", "memory_cache_alloc",
						 "memory_page_alloc", NULL };

const struct probe_class memory_probe = {
	.name = "memory",
	.summary = "faults, resident memory and its peak, swap, reclaim, OOM kills",
	.shape = memory_shape,
	.tick_shape = memory_tick_shape,
	.reported = memory_reported,
	.sources = memory_sources,
	.slots = { "memory_slots", sizeof(struct memory_slot), memory_maxima,
		   sizeof(memory_maxima) / sizeof(memory_maxima[0]) },
	.nested_is_nobodys = nested_is_nobodys,
	.configure = memory_configure,
	.start = memory_start,
	.arm = memory_arm,
	.event = memory_event,
	.poll = memory_poll,
	.snapshot = memory_snapshot,
	.text = memory_text,
	.free = memory_free,
};
