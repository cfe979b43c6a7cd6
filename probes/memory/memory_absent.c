/* SPDX-License-Identifier: BSD-2-Clause */
/* What the memory probe cannot tell here, with the reason. */
#include <errno.h>
#include <string.h>

#include "memory_user.h"

static void absent_pmu(struct report *r)
{
	for (int i = 0; i < PMU_EVENTS; i++) {
		const struct pmu_value *v = &r->memory.pmu.events[i];

		if (!v->present)
			absent_add(r, &r->memory.absent, report_printf(r, "pmu.%s", pmu_names[i]),
				   v->error == -EBUSY
					   ? "its event never had a register of the CPU"
					   : report_printf(
						     r, "the CPU gives no such counter here (%s)",
						     strerrorname_np(-v->error)));
	}
}

void memory_fill_absent(const struct memory_data *d, struct report *r, const struct options *o)
{
	struct absent_list *list = &r->memory.absent;

	if (!d->swap)
		absent_add(r, list, "swap_in_bytes",
			   "the machine had no swap space when dwell started");
	else if (!d->swap_in)
		absent_add(
			r, list, "swap_in_bytes",
			"no event tells of pages read from swap: neither memcg:count_memcg_events "
			"(with memory cgroups) nor a function to attach to");
	if (!d->oom)
		absent_add(r, list, "oom_kills", "the event oom:mark_victim cannot be attached");
	if (!d->node)
		absent_add(r, list, "reclaim.node", "the kernel has no node reclaim to watch");
	if (d->pmu_asked)
		absent_pmu(r);
	else
		absent_add(r, list, "pmu",
			   o->pmu ? "only of a command that dwell starts" : "not asked for: --pmu");
	if (!d->kmem)
		absent_add(
			r, list, "kmem",
			o->kmem ? "the events kmem:kmalloc and kmem:kmem_cache_alloc cannot be attached"
				: "not asked for: --kmem");
	else
		absent_add(r, list, "kmem.sites of blocks of pages",
			   "the event kmem:mm_page_alloc does not tell who asks; kmem.orders has "
			   "them by size");
	if (!d->alloc)
		absent_add(r, list, "alloc",
			   o->alloc ? "its hooks cannot be attached: trust.notes says why"
				    : "not asked for: --alloc");
	if (r->final && !r->memory.pss.processes)
		absent_add(r, list, "pss",
			   "only a living process has it, and none lives at the end");
}
