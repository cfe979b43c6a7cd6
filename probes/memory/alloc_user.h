/* SPDX-License-Identifier: BSD-2-Clause */
/* --alloc: what its user-side files share. */
#ifndef DWELL_ALLOC_USER_H
#define DWELL_ALLOC_USER_H

#include <bpf/libbpf.h>
#include <sys/types.h>
#include <uthash.h>

#include "alloc.h"
#include "alloc_ranges.h"
#include "alloc_report.h"
#include "harvest.h"
#include "session.h"
#include "uprobes.h"

#define ALLOC_FILES 64
#define ALLOC_PROCESSES 16384 /* with figures of mappings of their own */
#define ALLOC_SITES 16384
#define ALLOC_RANGES 65536 /* of a process */

/* A file with an allocator; those without are FILE_PLAIN in memory_files and nowhere else. */
struct alloc_file {
	char *path; /* as its process sees it */
	uint64_t inode;
	dev_t dev;
	uint32_t functions; /* that are hooked */
	uint64_t late_ns;
};

/* Who maps memory: as memory_callers, for what only user space keeps. */
struct alloc_site {
	struct memory_caller_key key;
	struct alloc_mapped mapped;
	UT_hash_handle hh;
};

struct alloc_owner_key {
	struct alloc_site *site;
	uint64_t kind; /* enum alloc_mapped_kind; as wide as the other, so that there is no hole */
};

struct alloc_process;
/* The owner of a range: site and kind, of a process. */
struct alloc_owner {
	struct alloc_owner_key key;
	struct alloc_process *process;
	UT_hash_handle hh;
};

struct alloc_process {
	uint32_t proc_id;
	struct alloc_mapped mapped[MAPPED_KINDS];
	struct alloc_ranges ranges;
	struct alloc_owner *owners; /* table */
	UT_hash_handle hh;
};

struct alloc {
	struct alloc_file files[ALLOC_FILES];
	size_t nfiles;
	struct memory_heap_tree *tree; /* mapped */
	struct uprobe_links links;
	struct alloc_process *processes, other; /* other: those without a row */
	struct alloc_site *sites, other_site;
	uint64_t mapped_now[MAPPED_KINDS], mapped_peak[MAPPED_KINDS]; /* of the living */
	uint64_t ranges_lost; /* pieces for which there was no room */
	struct alloc_names *names;
	struct harvest callers;    /* with those of processes that have ended */
	struct alloc_figures gone; /* processes that are forgotten */
	uint64_t ended, full;      /* alloc_poll() */
};

/* alloc.c */
int alloc_configure(struct probe *p, struct bpf_object *obj);
int alloc_start(struct probe *p, struct alloc **out);
void alloc_free(struct alloc *a);
bool alloc_event(struct probe *p, struct alloc *a, const struct event_head *head, size_t size);

/* alloc_attach.c: hooks the functions of a file if it has an allocator. 0 or -errno. */
int alloc_attach_start(struct probe *p, struct alloc *a);
void alloc_attach_code(struct probe *p, struct alloc *a, const struct memory_change *e);
void alloc_attach_free(struct alloc *a);

/* alloc_changes.c: mappings */
void alloc_change(struct alloc *a, const struct memory_change *e);
void alloc_changes_free(struct alloc *a);
/* What was mapped by who has this key is added to what `to` has. */
void alloc_site_move(struct alloc *a, const struct memory_caller_key *from,
		     const struct memory_caller_key *to);
/* Figures of processes that the tree has forgotten are added to those without a row. */
void alloc_processes_trim(struct probe *p, struct alloc *a);

/* alloc_gone.c */
extern const struct harvest_class alloc_callers_class;
void alloc_poll(struct probe *p, struct alloc *a);

/* alloc_names.c: the function and module of a return address; the strings are the report's. */
struct alloc_names *alloc_names_new(void);
void alloc_names_free(struct alloc_names *n);
const char *alloc_name(struct probe *p, struct alloc_names *n, struct report *r, uint64_t inode,
		       uint32_t dev, uint64_t offset, uint64_t address);

/* The path of a file as the kernel side noted it; "": it did not. */
void alloc_path(struct probe *p, uint64_t inode, uint32_t dev, char *path, size_t size);

/* alloc_fill.c */
int alloc_fill(struct probe *p, struct alloc *a, struct report *r);
void alloc_add_heap(struct alloc_figures *to, const struct memory_heap *h);
void alloc_add_mapped(struct alloc_mapped *to, const struct alloc_mapped *from);
/* Whether an exec has put an end to what this caller made. */
bool alloc_is_cleared(struct probe *p, const struct memory_caller_key *key);

#endif
