/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Records of the memory probe that both sides share. */
#ifndef DWELL_MEMORY_H
#define DWELL_MEMORY_H

#include <linux/types.h>

#include "record.h"

/* Waits of a thread that had to make room itself before it was given a page. */
struct memory_stall {
	__u64 count, ns, max_ns;
	__u64 pages; /* that it freed */
};

enum memory_stall_kind {
	STALL_DIRECT, /* the machine was short of memory */
	STALL_CGROUP, /* its memory cgroup was at its limit */
	STALL_NODE,   /* its NUMA node was (vm.zone_reclaim_mode) */
	STALL_KINDS
};

/* A process: map `memory_slots`. All in pages, but where said. */
struct memory_slot {
	__u64 rss_peak; /* maximum: of an address space of it that is gone */
	__u64 swap_out, swap_in;
	__u64 oom_kills;
	struct memory_stall stalls[STALL_KINDS];
	/* --kmem */
	__u64 slab_allocs, slab_bytes;
	__u64 page_allocs, pages_allocated, page_frees, pages_freed, page_failures;
};

/* Counters of an address space: enum of include/linux/mm_types_task.h, the same on all kernels */
enum memory_member { MEMBER_FILE, MEMBER_ANON, MEMBER_SWAP, MEMBER_SHMEM, MEMORY_MEMBERS };

#define MEMORY_GRAIN 8 /* pages: fewer are not noted at once */

/* An address space of the target: map `memory_mms`, by its address. */
struct memory_mm {
	__s64 pages[MEMORY_MEMBERS]; /* as last seen */
	__u64 rss_peak;              /* of their sum without MEMBER_SWAP */
	__u32 slot, proc_id; /* struct slot_owner of the process that it was first seen with */
};

/* The tree at one moment: the one entry of map `memory_tree`. */
struct memory_tree {
	__s64 rss, swap;
	__u64 rss_peak, swap_peak;
	__u64 held_back; /* 1: threads hold counts back, see rss.bpf.h */
};

/* `.rodata.memory` */
struct memory_cfg {
	__u32 cpus;   /* counters are summed over so many; 0: too many, the global part alone */
	__u32 alloc;  /* --alloc */
	__u32 stacks; /* with it: stacks can be walked */
	__u32 pad;
};

#define MEMORY_CPUS 64 /* more are not summed at each fault */

/* An OOM kill: the victim is head.who. */
struct memory_oom {
	struct event_head head;
	__u64 now_ns;
	__u64 rss;         /* pages it had */
	__u32 by_pid, pad; /* who asked for memory; as dwell sees it, 0: not visible */
	char comm[COMM_LEN], by_comm[COMM_LEN];
};

/* ---- --kmem ---- */

#define CACHE_LEN 24

/* A place in the kernel that allocates: map `memory_sites`, by its address; 0: the rest. */
struct memory_site {
	__u64 count, requested, bytes; /* bytes: with what the size class adds */
	__u64 frees, freed;            /* of those, by whomever */
	char cache[CACHE_LEN];         /* of kmem_cache_alloc; "": kmalloc */
};

/* An allocation that lives: map `memory_live`, by its address. */
struct memory_live {
	__u64 site;
	__u64 bytes;
	__u32 weight; /* allocations it stands for */
	__u32 pad;
};

#define PAGE_ORDERS 16

/* Map `memory_orders`. */
struct memory_order {
	__u64 allocs, frees;
};

_Static_assert(sizeof(struct memory_mm) == 48, "struct memory_mm has holes");
_Static_assert(sizeof(struct memory_oom) == 112, "struct memory_oom has holes");
_Static_assert(sizeof(struct memory_site) == 64, "struct memory_site has holes");

#endif
