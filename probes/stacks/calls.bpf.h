/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* System calls that change where a process has code (probes/syscalls/roles.bpf.h). */
#ifndef DWELL_STACKS_CALLS_BPF_H
#define DWELL_STACKS_CALLS_BPF_H

#include "range.bpf.h"

/* While another thread changes the address space it cannot be looked at: for some microseconds. */
#define STACKS_CALL_STEPS 256

struct stacks_call {
	__u64 start, len, prot;
	__u64 old, old_len; /* of mremap */
};

/* The current process's code may have changed in the range: what is there now? */
static __always_inline int maps_changed(struct stacks_maps *maps, __u64 start, __u64 end,
					__u64 take)
{
	if (take)
		return stacks_take_range(maps, start, end, STACKS_CALL_STEPS);
	return stacks_cut_range(maps, start, end);
}

static __noinline int maps_call(__u32 proc_id, const struct stacks_call *c)
{
	struct stacks_maps *maps = maps_of(proc_id);
	__u64 end = c->start + ((c->len + STACKS_PAGE - 1) & ~(STACKS_PAGE - 1));
	__u64 old_end = c->old + ((c->old_len + STACKS_PAGE - 1) & ~(STACKS_PAGE - 1));

	if (!maps)
		return 0;
	if (c->old_len) { /* mremap: whether it moves code stands in the list */
		if (!stacks_touch(maps, c->old, old_end))
			return 0;
		maps_changed(maps, c->old, old_end, 0);
	}
	if ((c->prot & STACKS_PROT_EXEC) || stacks_touch(maps, c->start, end)) {
		maps_changed(maps, c->start, end, c->prot & STACKS_PROT_EXEC);
	}
	return 0;
}

static __always_inline int stacks_call(const struct call_done *call)
{
	struct stacks_call c = { .start = call->arg[0], .len = call->arg[1] };

	if ((__u64)call->ret >= (__u64)-ERRNO_MAX)
		return 0;
	switch (call->nr) {
	case __NR_mmap:
		c.start = call->ret;
		c.prot = call->arg[2];
		/* what it did not replace it cannot have changed */
		if (!(c.prot & STACKS_PROT_EXEC) &&
		    !(call->arg[3] & (STACKS_MAP_FIXED | STACKS_MAP_FIXED_NOREPLACE)))
			return 0;
		break;
	case __NR_mremap:
		c.old = call->arg[0];
		c.old_len = call->arg[1];
		c.start = call->ret;
		c.len = call->arg[2];
		c.prot = STACKS_PROT_EXEC;
		break;
	case __NR_munmap:
		break;
	default:
		c.prot = call->arg[2];
	}
	return maps_call(call->who.proc_id, &c);
}

#endif
