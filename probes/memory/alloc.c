/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --alloc: set up, what the kernel side tells, and the blocks of processes that are gone,
 * which are taken out of the table when a quarter of it are such.
 */
#include "alloc.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alloc_user.h"
#include "err.h"

#define BATCH 4096

static const char *const maps[] = { "memory_blocks", "memory_callers", "memory_heaps",
				    "memory_files" };

static const char *const hooks[] = { "memory_alloc_exec", "memory_alloc_exit",
				     "memory_alloc_call" };

int alloc_configure(struct probe *p, struct bpf_object *obj)
{
	static const char *const uprobes[] = { "memory_alloc_enter", "memory_alloc_return",
					       "memory_alloc_free" };
	bool on = p->session && p->session->options->alloc;
	int err = 0;

	for (size_t i = 0; i < 3 && on; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(obj, uprobes[i]);

		bpf_program__set_autoload(prog, true);
		uprobes_prepare(prog);
	}
	for (size_t i = 0; i < 3 && !on; i++)
		bpf_program__set_autoload(bpf_object__find_program_by_name(obj, hooks[i]), false);
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]) && !on && !err; i++)
		err = bpf_map__set_max_entries(bpf_object__find_map_by_name(obj, maps[i]), 1);
	return err;
}

/* The rows of those for whom there is no room. */
static int make_other(struct probe *p)
{
	struct memory_caller_key nobody = { 0 };
	struct memory_caller caller = { 0 };
	struct memory_heap heap = { 0 };
	uint32_t zero = 0;

	if (bpf_map_update_elem(probe_map_fd(p, "memory_callers"), &nobody, &caller, BPF_ANY) ||
	    bpf_map_update_elem(probe_map_fd(p, "memory_heaps"), &zero, &heap, BPF_ANY))
		return err_set(-errno, "--alloc: cannot make the rows of other allocations");
	return 0;
}

/* Without one of them what is mapped and what is left at the end would be wrong. */
static bool is_hooked(struct probe *p)
{
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		if (probe_attached(p, hooks[i]))
			continue;
		session_note(p->session, "--alloc: allocations are not followed: no %s (%s)",
			     hooks[i], strerror(-probe_error(p, hooks[i])));
		return false;
	}
	return true;
}

int alloc_start(struct probe *p, struct alloc **out)
{
	struct alloc *a;
	int err;

	if (!p->session->options->alloc || !is_hooked(p))
		return 0;
	a = calloc(1, sizeof(*a));
	if (!a)
		return err_set(-ENOMEM, "no memory");
	*out = a;
	a->names = alloc_names_new();
	a->callers.class = &alloc_callers_class;
	a->tree = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED,
		       probe_map_fd(p, "memory_heap_tree"), 0);
	if (a->tree == MAP_FAILED) {
		a->tree = NULL;
		return err_set(-errno, "--alloc: cannot map the figures of the tree");
	}
	a->tree->purge_at =
		bpf_map__max_entries(bpf_object__find_map_by_name(p->obj, "memory_blocks")) / 4;
	err = make_other(p);
	return err ? err : alloc_attach_start(p, a);
}

void alloc_free(struct alloc *a)
{
	if (!a)
		return;
	alloc_attach_free(a);
	alloc_changes_free(a);
	harvest_free(&a->callers);
	alloc_names_free(a->names);
	if (a->tree)
		munmap(a->tree, (size_t)sysconf(_SC_PAGESIZE));
	free(a);
}

/* ---- while it runs ---- */

/* A process without a row of its own is known by the tree alone. */
static bool is_gone(struct probe *p, const struct memory_block_key *key)
{
	const struct process *process = tree_find(&p->session->tree, key->proc_id);
	struct memory_heap heap;

	if (bpf_map_lookup_elem(probe_map_fd(p, "memory_heaps"), &key->proc_id, &heap))
		return !process || process->dead;
	return heap.ended || heap.image != key->image;
}

static void drop_gone(struct probe *p, int fd, struct memory_block_key *keys, uint32_t n)
{
	uint32_t gone = 0;

	for (uint32_t i = 0; i < n; i++)
		if (is_gone(p, &keys[i]))
			keys[gone++] = keys[i];
	if (gone)
		bpf_map_delete_batch(fd, keys, &gone, NULL);
}

/* Takes the blocks of processes and images that are gone out of the table. */
static void purge(struct probe *p, struct alloc *a)
{
	int fd = probe_map_fd(p, "memory_blocks"), err = 0;
	struct memory_block_key *keys = calloc(BATCH, sizeof(*keys));
	struct memory_block *blocks = calloc(BATCH, sizeof(*blocks));
	uint32_t at = 0, n;
	void *from = NULL;

	if (keys && blocks)
		__atomic_store_n(&a->tree->stale, 0, __ATOMIC_RELAXED);
	else
		err = -ENOMEM; /* the next end of a process tries again */
	while (!err) {
		n = BATCH;
		err = bpf_map_lookup_batch(fd, from, &at, keys, blocks, &n, NULL);
		if (!err || err == -ENOENT)
			drop_gone(p, fd, keys, n);
		from = &at;
	}
	free(keys);
	free(blocks);
}

static void take_change(struct probe *p, struct alloc *a, const struct memory_change *e)
{
	alloc_change(a, e);
	if ((e->kind == CHANGE_CLEAR || e->kind == CHANGE_END) &&
	    __atomic_load_n(&a->tree->stale, __ATOMIC_RELAXED) >= a->tree->purge_at)
		purge(p, a);
}

bool alloc_event(struct probe *p, struct alloc *a, const struct event_head *head, size_t size)
{
	const struct memory_change *e = (const void *)head;

	if (head->kind != EVENT_MEMORY_CHANGE)
		return false;
	if (!a || size < sizeof(*e))
		return true;
	if (e->kind == CHANGE_CODE)
		alloc_attach_code(p, a, e);
	else
		take_change(p, a, e);
	return true;
}
