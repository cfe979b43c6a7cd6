/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * --kmem: the kernel's own allocations on behalf of the target, by the place in the kernel
 * that makes them. What lives is kept by address, so a free is booked to the place that
 * allocated, whoever frees. An allocation in an interrupt is nobody's.
 */
#ifndef DWELL_MEMORY_KMEM_BPF_H
#define DWELL_MEMORY_KMEM_BPF_H

#include "rss.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct memory_site);
} memory_sites SEC(".maps");

/* Allocated beforehand: what is watched is the allocator. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct memory_live);
} memory_lives SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PAGE_ORDERS);
	__type(key, __u32);
	__type(value, struct memory_order);
} memory_orders SEC(".maps");

/* The target to charge, NULL when an interrupt only borrowed its thread. */
static __always_inline struct target *kmem_target(void)
{
	struct target *t = target_current();

	return t && !(t->flags & TARGET_PREEXEC) && !in_interrupt() ? t : NULL;
}

static __always_inline struct memory_site *site_find(__u64 *address, struct kmem_cache *cache)
{
	struct memory_site *site = bpf_map_lookup_elem(&memory_sites, address), init = {};

	if (site)
		return site;
	if (cache)
		bpf_probe_read_kernel_str(init.cache, sizeof(init.cache),
					  BPF_CORE_READ(cache, name));
	bpf_map_update_elem(&memory_sites, address, &init, BPF_NOEXIST);
	site = bpf_map_lookup_elem(&memory_sites, address);
	if (site)
		return site;
	counter_add(COUNTER_OTHER_KMEM);
	*address = 0; /* the row of the rest, made by dwell before it attaches */
	return bpf_map_lookup_elem(&memory_sites, address);
}

/* What lives there, if anything does, is no more. */
static __noinline int kmem_free(__u64 object)
{
	struct memory_live *live = bpf_map_lookup_elem(&memory_lives, &object);
	struct memory_site *site;
	__u64 address;

	if (!live)
		return 0;
	address = live->site;
	site = bpf_map_lookup_elem(&memory_sites, &address);
	if (site) {
		slot_add(&site->frees, live->weight);
		slot_add(&site->freed, live->weight * live->bytes);
	}
	bpf_map_delete_elem(&memory_lives, &object);
	return 0;
}

static __always_inline int kmem_alloc(__u64 address, __u64 object, __u64 requested, __u64 bytes,
				      struct kmem_cache *cache)
{
	struct memory_live live = { .bytes = bytes };
	struct memory_site *site;
	struct memory_slot *s;
	struct target *t;

	kmem_free(object); /* objects that are freed in bulk are not told of */
	t = object ? kmem_target() : NULL;
	if (!t)
		return 0;
	live.weight = sample_weight(SAMPLE_SLAB);
	if (!live.weight)
		return 0;
	s = SLOT_OF(memory_slots, t);
	site = site_find(&address, cache);
	if (!s || !site)
		return 0;
	slot_add(&s->slab_allocs, live.weight);
	slot_add(&s->slab_bytes, live.weight * bytes);
	slot_add(&site->count, live.weight);
	slot_add(&site->requested, live.weight * requested);
	slot_add(&site->bytes, live.weight * bytes);
	live.site = address;
	if (bpf_map_update_elem(&memory_lives, &object, &live, BPF_ANY))
		counter_add(COUNTER_OTHER_LIVE);
	return 0;
}

/* Not tp_btf: to 6.12 its verifier refuses arguments of type const void *. */
SEC("raw_tp/kmalloc")
int BPF_PROG(memory_kmalloc, unsigned long site, const void *object, __u64 requested, __u64 bytes)
{
	return kmem_alloc(site, (__u64)object, requested, bytes, NULL);
}

SEC("raw_tp/kmem_cache_alloc")
int BPF_PROG(memory_cache_alloc, unsigned long site, const void *object, struct kmem_cache *cache)
{
	return kmem_alloc(site, (__u64)object, KREAD(cache, object_size), KREAD(cache, size),
			  cache);
}

SEC("raw_tp/kfree")
int BPF_PROG(memory_kfree, unsigned long site, const void *object)
{
	return kmem_free((__u64)object);
}

SEC("raw_tp/kmem_cache_free")
int BPF_PROG(memory_cache_free, unsigned long site, const void *object)
{
	return kmem_free((__u64)object);
}

static __always_inline void order_add(__u32 order, __u32 allocs, __u32 frees)
{
	struct memory_order *row;

	order &= PAGE_ORDERS - 1;
	row = bpf_map_lookup_elem(&memory_orders, &order);
	if (!row)
		return;
	if (allocs)
		slot_add(&row->allocs, allocs);
	if (frees)
		slot_add(&row->frees, frees);
}

SEC("raw_tp/mm_page_alloc")
int BPF_PROG(memory_page_alloc, void *page, unsigned int order)
{
	struct target *t = kmem_target();
	struct memory_slot *s = t ? SLOT_OF(memory_slots, t) : NULL;
	__u64 weight = s ? sample_weight(SAMPLE_PAGE_ALLOC) : 0;

	if (!weight)
		return 0;
	if (!page) {
		slot_add(&s->page_failures, weight);
		return 0;
	}
	slot_add(&s->page_allocs, weight);
	slot_add(&s->pages_allocated, weight << (order & 31));
	order_add(order, weight, 0);
	return 0;
}

SEC("raw_tp/mm_page_free")
int BPF_PROG(memory_page_free, void *page, unsigned int order)
{
	struct target *t = kmem_target();
	struct memory_slot *s = t ? SLOT_OF(memory_slots, t) : NULL;
	__u64 weight = s ? sample_weight(SAMPLE_PAGE_FREE) : 0;

	if (!weight)
		return 0;
	slot_add(&s->page_frees, weight);
	slot_add(&s->pages_freed, weight << (order & 31));
	order_add(order, 0, weight);
	return 0;
}

#endif
