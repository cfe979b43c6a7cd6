/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of the kernel's allocations; see sites.h. */
#include "sites.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "kallsyms.h"

#define SITES_MAX 65536
#define BATCH 1024

struct site {
	uint64_t address;
	struct memory_site value;
};

static int read_sites(int fd, struct site **sites, size_t *n)
{
	static uint64_t keys[BATCH];
	static struct memory_site values[BATCH];
	struct site *list = calloc(1, sizeof(*list));
	uint32_t at = 0, got;
	void *from = NULL;
	int err = 0;

	*n = 0;
	while (!err && *n < SITES_MAX) {
		got = BATCH;
		err = bpf_map_lookup_batch(fd, from, &at, keys, values, &got, NULL);
		if (err && err != -ENOENT)
			break;
		list = reallocarray(list, *n + got + 1, sizeof(*list));
		if (!list)
			abort();
		for (uint32_t i = 0; i < got; i++)
			if (values[i].count)
				list[(*n)++] = (struct site){ keys[i], values[i] };
		from = &at;
	}
	*sites = list;
	return err && err != -ENOENT ? err_set(err, "cannot read the table of allocations") : 0;
}

static int by_site(const void *a, const void *b)
{
	const struct site *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static int by_bytes(const void *a, const void *b)
{
	const struct memory_site_row *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return strcmp(x->name, y->name);
}

static const char *place_name(struct report *r, const struct kernel_place *place)
{
	if (!place->address)
		return "other";
	if (!place->symbol)
		return report_printf(r, "0x%llx", (unsigned long long)place->address);
	return report_printf(r, "%s+0x%llx", place->name,
			     (unsigned long long)(place->address - place->symbol));
}

static void fill_row(struct report *r, struct memory_site_row *row, const struct site *site,
		     const struct kernel_place *place)
{
	const struct memory_site *v = &site->value;

	*row = (struct memory_site_row){
		.name = place_name(r, place),
		.count = v->count,
		.requested_bytes = v->requested,
		.bytes = v->bytes,
		.frees = v->frees,
		.freed_bytes = v->freed,
		.live_bytes = v->bytes > v->freed ? v->bytes - v->freed : 0,
	};
	if (v->cache[0])
		row->cache = report_printf(r, "%.*s", CACHE_LEN, v->cache);
}

static int fill_sites(struct probe *p, struct report *r)
{
	struct memory_report *m = &r->memory;
	struct kernel_place *places;
	struct site *sites;
	size_t n;
	int err = read_sites(probe_map_fd(p, "memory_sites"), &sites, &n);

	if (err)
		return err;
	places = calloc(n + 1, sizeof(*places));
	m->sites = report_alloc(r, (n + 1) * sizeof(*m->sites));
	if (!places)
		abort();
	qsort(sites, n, sizeof(*sites), by_site);
	for (size_t i = 0; i < n; i++)
		places[i].address = sites[i].address;
	kallsyms_name(places, n); /* where it cannot, a place is its address */
	for (size_t i = 0; i < n; i++)
		fill_row(r, &m->sites[i], &sites[i], &places[i]);
	m->nsites = n;
	qsort(m->sites, n, sizeof(*m->sites), by_bytes);
	free(places);
	free(sites);
	return 0;
}

static void fill_orders(struct probe *p, struct report *r)
{
	int fd = probe_map_fd(p, "memory_orders");
	struct memory_report *m = &r->memory;

	m->orders = report_alloc(r, PAGE_ORDERS * sizeof(*m->orders));
	for (uint32_t order = 0; order < PAGE_ORDERS; order++) {
		struct memory_order v;

		if (bpf_map_lookup_elem(fd, &order, &v) || !(v.allocs | v.frees))
			continue;
		m->orders[m->norders++] = (struct memory_order_row){ order, v.allocs, v.frees };
	}
}

int sites_fill(struct probe *p, struct report *r)
{
	fill_orders(p, r);
	return r->final ? fill_sites(p, r) : 0;
}
