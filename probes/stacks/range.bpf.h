/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The current process's address space, asked where code lies in a range, and the list set right.
 * It cannot be asked while another thread changes it: tried again, and in the end maps_unsure().
 */
#ifndef DWELL_STACKS_RANGE_BPF_H
#define DWELL_STACKS_RANGE_BPF_H

#include "mappings.bpf.h"

static long found_take(struct task_struct *task, struct vm_area_struct *vma, struct stacks_found *f)
{
	found_fill(f, vma);
	return 0;
}

struct stacks_range {
	struct stacks_maps *maps;
	__u64 at, end;
};

#define STACKS_FIND_TRIES 8
#define STACKS_BUSY 16 /* EBUSY: the address space is being changed */

/* The mapping at `at`, or nothing there: on to the next page. */
static long range_step(__u32 i, struct stacks_range *r)
{
	struct stacks_found f = { .builder = STACKS_IN_HOOK };
	long err;

	if (r->at >= r->end)
		return 1;
	err = bpf_find_vma(bpf_get_current_task_btf(), r->at, found_take, &f, 0);
	if (err == -STACKS_BUSY)
		return 0; /* once more */
	if (err) {
		r->at += STACKS_PAGE;
		return 0;
	}
	if ((f.flags & STACKS_VM_EXEC) || stacks_touch(r->maps, f.start, f.end))
		stacks_take(r->maps, &f);
	r->at = f.end;
	return 0;
}

/* What the list has next: is it there still? Another thread may have mapped there by now. */
static long known_step(__u32 i, struct stacks_range *r)
{
	struct stacks_found f = { .builder = STACKS_IN_HOOK };
	__u32 at = maps_after(r->maps, r->at);
	__u64 start, end;
	long err;

	if (at >= STACKS_MAPPINGS || at >= r->maps->n || r->maps->list[at].start >= r->end) {
		r->at = r->end;
		return 1;
	}
	start = r->maps->list[at].start;
	start = start > r->at ? start : r->at;
	end = r->maps->list[at].end;
	err = bpf_find_vma(bpf_get_current_task_btf(), start, found_take, &f, 0);
	if (err == -STACKS_BUSY)
		return 0; /* once more */
	if (err) {
		f.start = start;
		f.end = end < r->end ? end : r->end;
		stacks_edit(r->maps, &f, 0, 0);
	} else {
		stacks_take(r->maps, &f);
	}
	r->at = f.end;
	return 0;
}

/* Cuts out of [start, end) what is not there any more. */
__noinline int stacks_cut_range(struct stacks_maps *maps, __u64 start, __u64 end)
{
	struct stacks_range r = { maps, start, end };

	if (!maps)
		return 0;
	bpf_loop(STACKS_MAPPINGS + STACKS_FIND_TRIES, known_step, &r, 0);
	if (r.at < r.end)
		maps_unsure(maps);
	return 0;
}

/* Takes in the code of [start, end): so many mappings, pages between and tries at most. */
__noinline int stacks_take_range(struct stacks_maps *maps, __u64 start, __u64 end, __u32 steps)
{
	struct stacks_range r = { maps, start, end };

	if (!maps)
		return 0;
	bpf_loop(steps, range_step, &r, 0);
	if (r.at < r.end)
		maps_unsure(maps);
	return 0;
}

#endif
