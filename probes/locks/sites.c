/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the kernel's locks were waited for: stacks by the function that took the lock. They
 * are samples by time, each for what passed since the last; what none stands for is `other`.
 */
#include "sites.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "locks_user.h"

struct naming {
	int prog_fd, map_fd;
};

/* The kernel's own name for an address. */
static const char *name_function(const struct naming *n, struct report *r, uint64_t address)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct locks_name name = { .address = address };
	uint32_t zero = 0;

	if (bpf_map_update_elem(n->map_fd, &zero, &name, 0) ||
	    bpf_prog_test_run_opts(n->prog_fd, &opts) ||
	    bpf_map_lookup_elem(n->map_fd, &zero, &name))
		return report_printf(r, "0x%llx", (unsigned long long)address);
	name.name[sizeof(name.name) - 1] = '\0';
	return report_printf(r, "%s", name.name);
}

static const char *site_function(const struct naming *n, struct report *r,
				 const struct locks_site *site)
{
	const char *names[SITE_FRAMES];
	size_t count = 0, at;

	while (count < SITE_FRAMES && site->frames[count]) {
		names[count] = name_function(n, r, site->frames[count]);
		count++;
	}
	at = site_caller(names, count);
	return at < count ? names[at] : count ? names[count - 1] : "unknown";
}

/* The row of that process, kind and function; NULL: there is no room for another. */
static struct locks_site_row *row_of(struct locks_report *l, size_t room, uint32_t proc_id,
				     const char *kind, const char *function)
{
	for (size_t i = 0; i < l->nsites; i++)
		if (l->sites[i].proc_id == proc_id && l->sites[i].kind == kind &&
		    !strcmp(l->sites[i].function, function))
			return &l->sites[i];
	if (l->nsites == room)
		return NULL;
	l->sites[l->nsites] = (struct locks_site_row){
		.proc_id = proc_id,
		.kind = kind,
		.function = function,
	};
	return &l->sites[l->nsites++];
}

static int by_ns(const void *a, const void *b)
{
	const struct locks_site_row *x = a, *y = b;

	return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : strcmp(x->function, y->function);
}

/* What the samples do not stand for, and the rows that are not shown. */
static void add_rest(struct locks_report *l)
{
	struct locks_site_row rest = { .kind = "other", .function = "other" };
	uint64_t ns = 0, count = 0;

	if (l->nsites > LOCK_ROWS)
		l->nsites = LOCK_ROWS;
	for (int i = 0; i < KERNEL_KINDS; i++) {
		ns += l->tree.counted.kernel[i].ns;
		count += l->tree.counted.kernel[i].count;
	}
	for (size_t i = 0; i < l->nsites; i++) {
		ns -= l->sites[i].ns < ns ? l->sites[i].ns : ns;
		count -= l->sites[i].count < count ? l->sites[i].count : count;
	}
	rest.ns = ns;
	rest.count = count;
	if (count)
		l->sites[l->nsites++] = rest;
}

#define SITES_KEPT 512
#define SITES_MAX (2048 + SITES_KEPT) /* locks_sites' own size, and the dead */

struct site_filling {
	struct naming naming;
	struct report *r;
};

static void take_site(void *ctx, const void *key, const void *value)
{
	const struct locks_site *site = key;
	const struct locks_site_sum *sum = value;
	struct site_filling *f = ctx;
	struct locks_site_row *row;

	if (site->kind >= KERNEL_KINDS)
		return;
	row = row_of(&f->r->locks, SITES_MAX, site->proc_id, locks_kernel_names[site->kind],
		     site_function(&f->naming, f->r, site));
	if (!row)
		return;
	row->count += sum->count;
	row->ns += sum->ns;
	row->samples += sum->samples;
	row->max_ns = sum->max_ns > row->max_ns ? sum->max_ns : row->max_ns;
}

void locks_sites_table(struct probe *p, struct report *r)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(p->obj, "locks_name");
	struct site_filling f = { { bpf_program__fd(prog), probe_map_fd(p, "locks_names") }, r };
	struct locks_data *d = p->data;
	struct locks_report *l = &r->locks;

	l->sites = report_alloc(r, (SITES_MAX + 1) * sizeof(*l->sites));
	harvest_each(&d->sites, p, take_site, &f);
	qsort(l->sites, l->nsites, sizeof(*l->sites), by_ns);
	for (size_t i = 0; i < l->nsites; i++)
		locks_who(p, l->sites[i].proc_id, &l->sites[i].pid, l->sites[i].comm);
	add_rest(l);
}

/* ---- of processes that have ended ---- */

static uint64_t site_weight(const void *value)
{
	return ((const struct locks_site_sum *)value)->ns;
}

static void site_add(void *to, const void *value)
{
	struct locks_site_sum *sum = to;
	const struct locks_site_sum *v = value;

	sum->count += v->count;
	sum->ns += v->ns;
	sum->samples += v->samples;
	sum->max_ns = v->max_ns > sum->max_ns ? v->max_ns : sum->max_ns;
}

/* The site, of all dead processes; add_rest() has what has no row at all. */
static bool site_fold(void *key, const void *value)
{
	struct locks_site *site = key;
	bool folded = !site->proc_id;

	(void)value;
	site->proc_id = 0;
	return !folded;
}

const struct harvest_class locks_sites_class = {
	.map = "locks_sites",
	.key_size = sizeof(struct locks_site),
	.value_size = sizeof(struct locks_site_sum),
	.proc_id_at = offsetof(struct locks_site, proc_id),
	.kept = SITES_KEPT,
	.full = COUNTER_OTHER_SITE,
	.weight = site_weight,
	.add = site_add,
	.fold = site_fold,
};
