/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The locks probe: descriptor and reader. Figures come from the slots, time waited for
 * futexes and semaphores from the ledger's account of the same report, which comes first.
 * Names, owners and deadlocks are looked for in the last report only.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "kernel_btf.h"
#include "locks_user.h"
#include "slots.h"

#define EXTRA "locks_contention_end", "locks_contention_begin", "locks_rcu_stall"

/* The calls come through the program of syscalls; each of these attaches where it can. */
static const struct source locks_sources[] = {
	{ "tp_btf", { NULL }, { EXTRA }, false },
	{ "raw_tp", { NULL }, { EXTRA }, true },
	{ 0 },
};

#define MAXIMUM(kind) offsetof(struct locks_slot, kernel[kind].max_ns)
static const uint16_t maxima[] = {
	MAXIMUM(KERNEL_SPINLOCK),  MAXIMUM(KERNEL_RWLOCK_READ), MAXIMUM(KERNEL_RWLOCK_WRITE),
	MAXIMUM(KERNEL_MUTEX),     MAXIMUM(KERNEL_RWSEM_READ),  MAXIMUM(KERNEL_RWSEM_WRITE),
	MAXIMUM(KERNEL_RT_MUTEX),  MAXIMUM(KERNEL_PERCPU_READ), MAXIMUM(KERNEL_PERCPU_WRITE),
	MAXIMUM(KERNEL_SEMAPHORE),
};

_Static_assert(sizeof(maxima) / sizeof(maxima[0]) == KERNEL_KINDS, "a kind has no maximum");

const char *const locks_kernel_names[KERNEL_KINDS] = {
	[KERNEL_SPINLOCK] = "spinlock",
	[KERNEL_RWLOCK_READ] = "rwlock_read",
	[KERNEL_RWLOCK_WRITE] = "rwlock_write",
	[KERNEL_MUTEX] = "mutex",
	[KERNEL_RWSEM_READ] = "rwsem_read",
	[KERNEL_RWSEM_WRITE] = "rwsem_write",
	[KERNEL_RT_MUTEX] = "rt_mutex",
	[KERNEL_PERCPU_READ] = "percpu_rwsem_read",
	[KERNEL_PERCPU_WRITE] = "percpu_rwsem_write",
	[KERNEL_SEMAPHORE] = "semaphore",
};

static int locks_configure(struct probe *p, struct bpf_object *obj)
{
	bpf_program__set_autoload(bpf_object__find_program_by_name(obj, "locks_name"), true);
	return order_configure(p, obj);
}

static int locks_start(struct probe *p)
{
	struct locks_data *d = calloc(1, sizeof(*d));
	int begin = probe_error(p, "locks_contention_begin");
	int end = probe_error(p, "locks_contention_end");

	if (!d)
		return err_set(-ENOMEM, "no memory");
	p->data = d;
	d->modules = modules_new();
	d->futexes.class = &locks_futexes_class;
	d->sysv.class = &locks_sysv_class;
	d->sites.class = &locks_sites_class;
	d->has_kernel = !begin && !end;
	d->has_stalls = !probe_error(p, "locks_rcu_stall");
	if (!d->has_kernel)
		session_note(p->session, "locks inside the kernel are not seen: no tracepoint (%s)",
			     strerror(begin ? -begin : -end));
	return order_start(p);
}

static void locks_poll(struct probe *p)
{
	struct locks_data *d = p->data;

	harvest_poll(&d->futexes, p);
	harvest_poll(&d->sysv, p);
	harvest_poll(&d->sites, p);
}

static void locks_free(struct probe *p)
{
	struct locks_data *d = p->data;

	if (!d)
		return;
	order_stop(p);
	modules_free(d->modules);
	harvest_free(&d->futexes);
	harvest_free(&d->sysv);
	harvest_free(&d->sites);
	free(d);
	p->data = NULL;
}

/* ---- the report ---- */

static void figures(struct locks_figures *f, const struct locks_slot *slot,
		    const struct account *account)
{
	const struct wait_stat *w = &account->states[STATE_FUTEX];

	if (slot)
		f->counted = *slot;
	f->futex_blocks = w->count;
	f->futex_ns = w->ns;
	f->futex_max_ns = w->max_ns;
}

static void fill_processes(struct probe *p, struct report *r)
{
	struct locks_report *l = &r->locks;

	l->processes = report_alloc(r, (r->ledger.nprocesses + 1) * sizeof(*l->processes));
	for (size_t i = 0; i < r->ledger.nprocesses; i++) {
		const struct process_row *from = &r->ledger.processes[i];
		struct locks_process_row *to = &l->processes[l->nprocesses++];

		to->pid = from->pid;
		to->proc_id = from->proc_id;
		memcpy(to->comm, from->comm, COMM_LEN);
		figures(&to->figures, slots_process(p, from->proc_id), &from->account);
	}
}

/* A futex that the ledger shows by its address is shown by its name as well. */
static void name_objects(struct report *r)
{
	for (size_t i = 0; i < r->ledger.nobjects; i++) {
		struct object_row *o = &r->ledger.objects[i];

		for (size_t k = 0; o->address && k < r->locks.nlocks; k++) {
			const struct lock_row *l = &r->locks.locks[k];

			if (l->proc_id != o->proc_id || l->address != o->address || !l->name)
				continue;
			o->name = report_printf(r, "%s 0x%llx", l->name,
						(unsigned long long)o->address);
			break;
		}
	}
}

static void fill_tables(struct probe *p, struct report *r)
{
	const struct locks_data *d = p->data;

	fill_processes(p, r);
	locks_table(p, r);
	locks_sysv_table(p, r);
	if (d->has_kernel)
		locks_sites_table(p, r);
	locks_deadlocks(p, r);
	if (r->locks.has_order)
		locks_orders_table(p, r);
	name_objects(r);
}

static void fill_absent(struct probe *p, struct report *r)
{
	static const struct absent_need needs[] = {
		{ "rcu_stalls", "locks_rcu_stall",
		  "the event rcu:rcu_stall_warning cannot be attached" },
		{ 0 },
	};
	const struct locks_data *d = p->data;

	absent_needs(r, &r->locks.absent, p, needs);
	if (!d->has_kernel)
		absent_add(r, &r->locks.absent, "kernel, sites",
			   "the events lock:contention_begin and _end cannot be attached");
	if (!r->locks.has_order)
		absent_add(r, &r->locks.absent, "orders", "not asked for: --lock-order");
}

static int locks_snapshot(struct probe *p, struct report *r)
{
	const struct locks_data *d = p->data;
	uint32_t zero = 0;

	figures(&r->locks.tree, slots_tree(p), &r->ledger.tree);
	r->locks.present = true;
	r->locks.has_kernel = d->has_kernel;
	r->locks.has_stalls = d->has_stalls && !bpf_map_lookup_elem(probe_map_fd(p, "locks_stalls"),
								    &zero, &r->locks.rcu_stalls);
	r->locks.has_order = p->session->options->lock_order;
	fill_absent(p, r);
	if (r->final)
		fill_tables(p, r);
	return 0;
}

bool locks_reported(const struct report *r)
{
	return r->locks.present;
}

/* Interrupts' waits are passed over; programs wait for the locks of their own maps. */
static const char *const nested_is_nobodys[] = { "locks_contention_begin", "locks_contention_end",
						 NULL };

const struct probe_class locks_probe = {
	.name = "locks",
	.summary = "futexes and semaphores by lock, with name, kind and owner; waits for locks "
		   "inside the kernel by the function that took them; deadlocks",
	.shape = locks_shape,
	.tick_shape = locks_tick_shape,
	.reported = locks_reported,
	.sources = locks_sources,
	.slots = { "locks_slots", sizeof(struct locks_slot), maxima,
		   sizeof(maxima) / sizeof(maxima[0]) },
	.nested_is_nobodys = nested_is_nobodys,
	.configure = locks_configure,
	.start = locks_start,
	.poll = locks_poll,
	.snapshot = locks_snapshot,
	.text = locks_text,
	.free = locks_free,
};
