/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the kernel counts for each thread on its own (struct usage_slot): free, as nothing is
 * traced for it. Added to its process as the thread leaves its CPU for the last time, taken
 * off at the attach for what was before, read by an iterator for the living.
 */
#ifndef DWELL_USAGE_BPF_H
#define DWELL_USAGE_BPF_H

#include "slot.bpf.h"

static __always_inline void usage_read(struct usage_slot *u, struct task_struct *task)
{
	u->voluntary = task->nvcsw;
	u->involuntary = task->nivcsw;
	u->migrations = task->se.nr_migrations;
	u->minor_faults = task->min_flt;
	u->major_faults = task->maj_flt;
	u->read_chars = task->ioac.rchar;
	u->written_chars = task->ioac.wchar;
	u->read_calls = task->ioac.syscr;
	u->write_calls = task->ioac.syscw;
	u->read_bytes = task->ioac.read_bytes;
	u->written_bytes = task->ioac.write_bytes;
	u->cancelled_bytes = task->ioac.cancelled_write_bytes;
	u->user_ns = task->utime;
	u->system_ns = task->stime;
	u->exec_ns = task->se.sum_exec_runtime;
	u->max_rss_pages = 0;
}

/* Adds the thread's figures to its process, or with sign -1 takes them off. */
static __always_inline void usage_charge(const struct target *t, struct task_struct *task,
					 __s64 sign)
{
	struct usage_slot u, *row = SLOT_OF(usage_slots, t);
	__u64 *to = (__u64 *)row, *from = (__u64 *)&u;

	if (!row)
		return;
	usage_read(&u, task);
#pragma unroll
	for (int i = 0; i < (int)USAGE_SUMS; i++)
		if (from[i])
			slot_add(&to[i], sign * from[i]);
}

/* The last switch away of the current thread, whose figures are final. */
__noinline int usage_close(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_current();
	struct usage_slot *row;

	if (!t || (t->flags & TARGET_CLOSED))
		return 0;
	usage_charge(t, task, 1);
	row = SLOT_OF(usage_slots, t);
	if (row)
		slot_max(&row->max_rss_pages, BPF_CORE_READ(task, signal, maxrss));
	t->flags |= TARGET_CLOSED;
	return 0;
}

#endif
