/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which processes are CPython, and where: one that has mapped code of a file that user space has
 * recognised. Asked anew when its mappings or the files known have changed.
 */
#ifndef DWELL_STACKS_PYTHON_PROCESS_BPF_H
#define DWELL_STACKS_PYTHON_PROCESS_BPF_H

#include "mappings.bpf.h"
#include "python_layout.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PYTHON_FILES);
	__type(key, __u32); /* file number */
	__type(value, struct python_file);
} stacks_python_files SEC(".maps");

/* How many files user space has put there. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} stacks_python_known SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32); /* proc_id */
	__type(value, struct python_proc);
} stacks_python_procs SEC(".maps");

struct python_find {
	const struct stacks_maps *maps;
	struct python_proc *p;
};

static long python_find_step(__u32 i, struct python_find *c)
{
	const struct stacks_mapping *m;
	const struct python_file *f;
	__u64 base;
	__u32 file;

	if (i >= STACKS_MAPPINGS || i >= c->maps->n)
		return 1;
	m = &c->maps->list[i];
	file = m->place >> FRAME_FILE_SHIFT;
	f = file ? bpf_map_lookup_elem(&stacks_python_files, &file) : NULL;
	if (!f)
		return 0;
	base = m->start - (m->place & FRAME_OFFSET_MASK);
	c->p->file = file;
	c->p->runtime = base + f->runtime;
	c->p->code_type = base + f->code_type;
	return 1;
}

static __noinline int python_find(__u32 proc_id, const struct stacks_maps *maps, __u32 files)
{
	struct python_proc p = { .maps_seq = maps->seq, .files = files };
	struct python_find c = { maps, &p };

	bpf_loop(STACKS_MAPPINGS, python_find_step, &c, 0);
	bpf_map_update_elem(&stacks_python_procs, &proc_id, &p, BPF_ANY);
	return 0;
}

/* NULL: it is no Python, so far. */
static __always_inline struct python_proc *python_process(__u32 proc_id)
{
	const struct stacks_maps *maps;
	struct python_proc *p;
	__u32 zero = 0, *files;

	files = bpf_map_lookup_elem(&stacks_python_known, &zero);
	if (!files || !*files)
		return NULL;
	maps = bpf_map_lookup_elem(&stacks_maps, &proc_id);
	if (!maps)
		return NULL;
	p = bpf_map_lookup_elem(&stacks_python_procs, &proc_id);
	if (!p || p->maps_seq != maps->seq || p->files != *files) {
		python_find(proc_id, maps, *files);
		p = bpf_map_lookup_elem(&stacks_python_procs, &proc_id);
	}
	return p && p->runtime ? p : NULL;
}

#endif
