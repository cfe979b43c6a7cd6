/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow of a sample: read /proc of every member into its row; fold rows that are no member
 * any more into `dead`; add up. A row is found by PID and checked by start time, so a PID
 * that is used again starts a new row. Totals are the dead's and the rows' together.
 *
 * With BPF, exit events come in order with the list of members: a process leaves the list
 * when its last thread's exit has been seen. Its figures are then the larger of the last
 * sample and the sum of its threads' exits; its I/O is its living threads' and the exits'.
 *
 * Without, what a dead child used is in its parent's account of the children it waited for
 * (/proc/PID/stat tells it apart, /proc/PID/io does not); on its own a dead process counts
 * only when its parent is no member.
 */
#include "sampler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#include "err.h"
#include "net.h"
#include "read.h"
#include "thread_io.h"
#include "walk.h"

#define NS_PER_SEC 1000000000ULL

struct tally { /* what only grows */
	uint64_t cpu_ns, min_flt, maj_flt, rchar, wchar, read_bytes, write_bytes;
};

#define TALLY_FIELDS (sizeof(struct tally) / sizeof(uint64_t))

struct row {
	pid_t pid;
	uint32_t proc_id;     /* from exit events; 0: none yet */
	uint64_t start_ticks; /* 0: never sampled */
	struct tally now, base, exits;
	struct tally awaited, awaited_base; /* children; only when walking */
	struct gone_set gone;
	uint64_t cpu_before_ns; /* at the last sample */
	bool member, live, denied_io;
	bool older; /* than our attach */
	struct sampled_process sampled;
	UT_hash_handle hh;
};

struct sampler {
	struct sampler_config config;
	struct proc_tree *walk;
	struct net_table net;
	struct row *rows;
	struct tally dead, total;
	uint64_t last_ns, total_cpu_before_ns, samples;
	bool denied_io;
	bool walking;
	struct sample sample;
	size_t size; /* of sample.children */
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void tally_max(struct tally *to, const struct tally *from)
{
	uint64_t *t = (uint64_t *)to;
	const uint64_t *f = (const uint64_t *)from;

	for (size_t i = 0; i < TALLY_FIELDS; i++)
		if (f[i] > t[i])
			t[i] = f[i];
}

static void tally_add(struct tally *to, const struct tally *from)
{
	uint64_t *t = (uint64_t *)to;
	const uint64_t *f = (const uint64_t *)from;

	for (size_t i = 0; i < TALLY_FIELDS; i++)
		t[i] += f[i];
}

static void tally_minus(struct tally *from, const struct tally *what)
{
	uint64_t *f = (uint64_t *)from;
	const uint64_t *w = (const uint64_t *)what;

	for (size_t i = 0; i < TALLY_FIELDS; i++)
		f[i] = f[i] > w[i] ? f[i] - w[i] : 0;
}

/* What counts of a row: its figures so far, without those from before we came. */
static struct tally row_tally(const struct row *r)
{
	struct tally t = r->now;

	tally_max(&t, &r->exits);
	tally_minus(&t, &r->base);
	return t;
}

/* The same for the tree's total: with the children it waited for, when those are not rows. */
static struct tally row_total(const struct row *r)
{
	struct tally t = row_tally(r), awaited = r->awaited;

	tally_minus(&awaited, &r->awaited_base);
	tally_add(&t, &awaited);
	return t;
}

struct sampler *sampler_new(const struct sampler_config *config)
{
	struct sampler *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->config = *config;
	s->last_ns = now_ns(CLOCK_MONOTONIC);
	net_table_init(&s->net);
	if (config->root)
		s->walk = proc_tree_new(config->root, proc_has_children());
	return s;
}

void sampler_free(struct sampler *s)
{
	struct row *r, *next;

	if (!s)
		return;
	r = s->rows;
	HASH_CLEAR(hh, s->rows); /* the rows stay chained */
	for (; r; r = next) {
		next = r->hh.next;
		gone_release(&r->gone);
		free(r);
	}
	proc_tree_free(s->walk);
	free(s->sample.children);
	free(s);
}

static struct row *row_get(struct sampler *s, pid_t pid)
{
	struct row *r;

	HASH_FIND_INT(s->rows, &pid, r);
	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	if (r) {
		r->pid = pid;
		HASH_ADD_INT(s->rows, pid, r);
	}
	return r;
}

static void row_fold(struct sampler *s, struct row *r)
{
	struct tally t = row_total(r);
	struct row *parent;

	HASH_FIND_INT(s->rows, &r->sampled.ppid, parent);
	if (!s->walking || !parent || !parent->member)
		tally_add(&s->dead, &t);
	HASH_DEL(s->rows, r);
	gone_release(&r->gone);
	free(r);
}

void sampler_exit(struct sampler *s, const struct exit_event *e)
{
	struct tally t = {
		.cpu_ns = e->utime_ns + e->stime_ns,
		.min_flt = e->min_flt,
		.maj_flt = e->maj_flt,
		.rchar = e->rchar,
		.wchar = e->wchar,
		.read_bytes = e->read_bytes,
		.write_bytes = e->write_bytes,
	};
	struct row *r = row_get(s, (pid_t)e->head.who.pid);

	if (r && r->proc_id && r->proc_id != e->head.who.proc_id) {
		row_fold(s, r);
		r = row_get(s, (pid_t)e->head.who.pid);
	}
	if (!r)
		return;
	r->proc_id = e->head.who.proc_id;
	tally_add(&r->exits, &t);
	gone_add(&r->gone, e->head.who.tid);
	/* Never sampled, and older than us: how much of it is ours nobody knows. */
	if (!r->start_ticks && (e->head.who.flags & TARGET_ATTACHED) &&
	    !s->config.since_process_start)
		tally_add(&r->base, &t);
	if (e->group_dead)
		row_fold(s, r);
}

static void row_metrics(struct sampler *s, struct row *r, const struct proc_stat *st)
{
	struct metrics *m = &r->sampled.metrics;
	struct tally t = row_tally(r);
	uint64_t start_ns = st->start_ticks * (NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	uint64_t boot_ns = now_ns(CLOCK_BOOTTIME), elapsed = s->sample.elapsed_ns;

	m->ts_ms = now_ns(CLOCK_REALTIME) / 1000000;
	m->cpu_usage =
		elapsed ? (float)(100.0 * (double)(t.cpu_ns - r->cpu_before_ns) / (double)elapsed)
			: 0;
	r->cpu_before_ns = t.cpu_ns;
	m->mem_rss_kb = st->rss_pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
	m->mem_vms_kb = st->vsize / 1024;
	m->disk_read_bytes = t.read_bytes;
	m->disk_write_bytes = t.write_bytes;
	m->syscall_read_bytes = t.rchar;
	m->syscall_write_bytes = t.wchar;
	m->page_faults_cached = t.min_flt;
	m->page_faults_disk = t.maj_flt;
	m->has_io = !r->denied_io;
	m->thread_count = st->threads;
	m->uptime_secs = boot_ns > start_ns ? (boot_ns - start_ns) / NS_PER_SEC : 0;
	m->cpu_core = st->processor;
	m->has_core = true;
	net_of(&s->net, r->pid, &m->sys_net_rx_bytes, &m->sys_net_tx_bytes);
}

/*
 * With BPF, its threads' I/O, the dead ones' by their exits. Of a process that has waited
 * for no child yet (a child costs page faults) /proc/PID/io says just that, in one reading
 * for ten thousand threads.
 */
static int row_io(const struct sampler *s, struct row *r, const struct proc_stat *st,
		  struct tally *t)
{
	bool whole = s->walking || (!r->older && !st->awaited_min_flt);
	struct proc_io io;
	int err = whole ? proc_io_read(r->pid, &io)
			: thread_io_read(r->pid, st->threads, &r->gone, &io);

	if (err)
		return err;
	t->rchar = io.rchar + (whole ? 0 : r->exits.rchar);
	t->wchar = io.wchar + (whole ? 0 : r->exits.wchar);
	t->read_bytes = io.read_bytes + (whole ? 0 : r->exits.read_bytes);
	t->write_bytes = io.write_bytes + (whole ? 0 : r->exits.write_bytes);
	return 0;
}

static void row_read(struct sampler *s, struct row *r, const struct proc_stat *st)
{
	uint64_t tick_ns = NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
	struct tally t = { .min_flt = st->min_flt, .maj_flt = st->maj_flt }, awaited = {
		.min_flt = st->awaited_min_flt,
		.maj_flt = st->awaited_maj_flt,
		.cpu_ns = st->awaited_ticks * tick_ns,
	};
	int err = row_io(s, r, st, &t);

	if (err == -EACCES || err == -EPERM)
		r->denied_io = s->denied_io = true;
	if (proc_cpu_ns(r->pid, &t.cpu_ns))
		t.cpu_ns = st->cpu_ticks * tick_ns;
	tally_max(&r->now, &t);
	if (s->walking)
		tally_max(&r->awaited, &awaited);
}

/* The past of a process that is older than our attach is no part of the first interval. */
static void row_begin(struct sampler *s, struct row *r)
{
	if (!s->config.since_process_start) {
		r->base = r->now;
		r->awaited_base = r->awaited;
	}
	r->cpu_before_ns = row_tally(r).cpu_ns;
}

static void row_sample(struct sampler *s, const struct proc_member *m)
{
	struct row *r = row_get(s, m->pid);
	struct proc_stat st;
	bool first;

	if (!r)
		return;
	r->member = true;
	if (!m->pid || proc_stat_read(m->pid, &st)) {
		r->member = !s->walking; /* the walk saw it; it ended since */
		return;
	}
	if (r->start_ticks && r->start_ticks != st.start_ticks) {
		if (!s->walking)
			return; /* its exit event is still under way, and will end this row */
		row_fold(s, r);
		r = row_get(s, m->pid);
		if (!r)
			return;
		r->member = true;
	}
	first = !r->start_ticks;
	r->start_ticks = st.start_ticks;
	r->older |= first && s->config.attached && !s->samples;
	row_read(s, r, &st);
	if (first && r->older)
		row_begin(s, r);
	/* A zombie leader whose threads run on is a live process. */
	r->live = !((st.state == 'Z' && st.threads <= 1) || st.state == 'X');
	row_metrics(s, r, &st);
	r->sampled.pid = m->pid;
	r->sampled.ppid = st.ppid;
	memcpy(r->sampled.comm, st.comm, sizeof(r->sampled.comm));
}

static int child_add(struct sampler *s, const struct sampled_process *p)
{
	struct sample *sample = &s->sample;

	if (sample->nchildren == s->size) {
		size_t size = s->size ? 2 * s->size : 64;
		struct sampled_process *grown =
			reallocarray(sample->children, size, sizeof(*grown));

		if (!grown)
			return err_set(-ENOMEM, "cannot keep %zu processes", size);
		sample->children = grown;
		s->size = size;
	}
	sample->children[sample->nchildren++] = *p;
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct sampled_process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void add_live(struct metrics *all, const struct metrics *m)
{
	all->mem_rss_kb += m->mem_rss_kb;
	all->mem_vms_kb += m->mem_vms_kb;
	all->thread_count += m->thread_count;
	if (m->uptime_secs > all->uptime_secs)
		all->uptime_secs = m->uptime_secs;
	all->process_count++;
}

/* Fills sample.all from the dead and the rows. */
static void add_up(struct sampler *s)
{
	struct metrics *all = &s->sample.all;
	struct tally total = s->dead;
	struct row *r, *next;

	HASH_ITER(hh, s->rows, r, next) {
		struct tally t = row_total(r);

		tally_add(&total, &t);
		if (r->live)
			add_live(all, &r->sampled.metrics);
	}
	/* A child that ended a moment ago may be in neither its own nor its parent's figures. */
	tally_max(&s->total, &total);
	total = s->total;
	all->ts_ms = s->sample.ts_ms;
	all->disk_read_bytes = total.read_bytes;
	all->disk_write_bytes = total.write_bytes;
	all->syscall_read_bytes = total.rchar;
	all->syscall_write_bytes = total.wchar;
	all->page_faults_cached = total.min_flt;
	all->page_faults_disk = total.maj_flt;
	all->has_io = !s->denied_io;
	net_total(&s->net, &all->sys_net_rx_bytes, &all->sys_net_tx_bytes);
	if (s->config.attached && !s->samples)
		s->total_cpu_before_ns = total.cpu_ns;
	if (s->sample.elapsed_ns)
		all->cpu_usage = (float)(100.0 * (double)(total.cpu_ns - s->total_cpu_before_ns) /
					 (double)s->sample.elapsed_ns);
	s->total_cpu_before_ns = total.cpu_ns;
}

static int collect(struct sampler *s)
{
	struct sample *sample = &s->sample;
	struct row *r, *next;
	int err = 0;

	HASH_ITER(hh, s->rows, r, next) {
		if (!r->member) {
			row_fold(s, r);
			continue;
		}
		if (!r->live)
			continue;
		if (r->pid == s->config.root) {
			sample->has_root = true;
			sample->root = r->sampled;
		} else if (!err) {
			err = child_add(s, &r->sampled);
		}
	}
	if (sample->nchildren)
		qsort(sample->children, sample->nchildren, sizeof(*sample->children), by_pid);
	return err;
}

/* Pressure is a cgroup's, so it is told once, for the root. */
static void read_pressure(struct sample *sample)
{
	char path[4096];
	struct psi_mem psi;

	if (!sample->has_root || proc_psi_path(sample->root.pid, path, sizeof(path)) ||
	    psi_mem_read(path, &psi))
		return;
	sample->root.metrics.has_psi = sample->all.has_psi = true;
	sample->root.metrics.psi_some_avg10 = sample->all.psi_some_avg10 = psi.some_avg10;
	sample->root.metrics.psi_full_avg10 = sample->all.psi_full_avg10 = psi.full_avg10;
}

int sampler_take(struct sampler *s, const struct proc_member *members, size_t n,
		 const struct sample **out)
{
	struct sample *sample = &s->sample;
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	struct row *r, *next;
	int err = 0;

	s->walking = !members;
	if (!members && s->walk)
		err = proc_tree_walk(s->walk, &members, &n);
	if (err)
		return err;
	if (!members)
		n = 0;
	sample->elapsed_ns = now - s->last_ns;
	s->last_ns = now;
	sample->ts_ms = now_ns(CLOCK_REALTIME) / 1000000;
	sample->nchildren = 0;
	sample->has_root = false;
	memset(&sample->all, 0, sizeof(sample->all));
	HASH_ITER(hh, s->rows, r, next)
		r->member = r->live = false;
	net_next(&s->net);
	for (size_t i = 0; i < n; i++)
		row_sample(s, &members[i]);
	err = collect(s);
	add_up(s);
	read_pressure(sample);
	s->samples++;
	*out = sample;
	return err;
}
