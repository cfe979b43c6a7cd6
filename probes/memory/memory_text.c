/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory probe on the summary screen. */
#include <stdio.h>

#include "format.h"
#include "memory_shape.h"
#include "report.h"
#include "text_lines.h"

static void faults_line(const struct memory_report *m, struct text_lines *t)
{
	char peak[FORMAT_LEN], minor[COUNTED_LEN], major[FORMAT_LEN];

	format_bytes(peak, m->tree.rss_peak_bytes);
	format_counted(minor, m->tree.minor_faults, "page fault", "page faults");
	format_count(major, m->tree.major_faults);
	text_line(t, "at most %s resident at one moment; %s without storage, %s that read from it",
		  peak, minor, major);
}

static void stalls_line(const struct memory_report *m, struct text_lines *t)
{
	static const char *const why[STALL_KINDS] = {
		[STALL_DIRECT] = "the machine had none left",
		[STALL_CGROUP] = "the cgroup's limit was reached",
		[STALL_NODE] = "the NUMA node had none left",
	};

	for (int kind = 0; kind < STALL_KINDS; kind++) {
		const struct memory_wait *w = &m->tree.stalls[kind];
		char count[FORMAT_LEN], time[FORMAT_LEN], max[FORMAT_LEN];

		if (!w->count)
			continue;
		format_count(count, w->count);
		format_duration(time, w->ns, t->utf8);
		format_duration(max, w->max_ns, t->utf8);
		text_line(t, "freed memory itself %s times for %s (longest %s): %s", count, time,
			  max, why[kind]);
	}
}

static void swap_line(const struct memory_report *m, struct text_lines *t)
{
	char out[FORMAT_LEN], in[FORMAT_LEN];

	if (!m->tree.swap_out_bytes && !m->tree.swap_in_bytes)
		return;
	format_bytes(out, m->tree.swap_out_bytes);
	format_bytes(in, m->tree.swap_in_bytes);
	if (m->tree.has_swap_in)
		text_line(t, "%s moved to swap, %s read back", out, in);
	else
		text_line(t, "%s moved to swap", out);
}

static void oom_line(const struct memory_report *m, struct text_lines *t)
{
	char count[FORMAT_LEN], name[64], rss[FORMAT_LEN];

	if (!m->tree.oom_kills)
		return;
	format_count(count, m->tree.oom_kills);
	if (!m->nooms) {
		text_line(t, "killed for want of memory: %s", count);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", COMM_LEN, m->ooms[0].comm);
	format_bytes(rss, m->ooms[0].rss_bytes);
	text_line(t, "killed for want of memory: %s, first %s (%u) at %s", count, name,
		  m->ooms[0].pid, rss);
}

static void kmem_line(const struct memory_report *m, struct text_lines *t)
{
	char count[COUNTED_LEN], bytes[FORMAT_LEN], top[FORMAT_LEN];

	if (!m->has_kmem || !m->tree.slab_allocs)
		return;
	format_counted(count, m->tree.slab_allocs, "object", "objects");
	format_bytes(bytes, m->tree.slab_bytes);
	if (m->nsites)
		text_line(t, "the kernel made %s for it (%s), most in %s (%s)%s", count, bytes,
			  m->sites[0].name, format_bytes(top, m->sites[0].bytes),
			  m->kmem_sampled > 1 ? ", sampled" : "");
	else
		text_line(t, "the kernel made %s for it (%s)", count, bytes);
}

void memory_text(const struct report *r, struct text_lines *t)
{
	const struct memory_report *m = &r->memory;

	if (!m->tree.rss_peak_bytes && !m->tree.minor_faults && !m->tree.major_faults)
		return;
	oom_line(m, t);
	faults_line(m, t);
	stalls_line(m, t);
	swap_line(m, t);
	kmem_line(m, t);
	alloc_text(r, t);
}
