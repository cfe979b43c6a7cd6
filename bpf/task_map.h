/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Per-task state under two keys. Normally task storage: found by two loads, gone with
 * the task. Built with -DTASK_HASH (source raw_tp, whose arguments are untyped) a hash
 * keyed by the task's address, deleted at the last switch. `task_ref` is a task in
 * either; TASK_READ reads a field of one.
 */
#ifndef DWELL_TASK_MAP_H
#define DWELL_TASK_MAP_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel.h"
#include "kread.bpf.h"

typedef struct task_struct *task_ref;

#ifdef TASK_HASH

#define TASK_MAP(map_name, value_type)                                                             \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__uint(max_entries, 65536);                                                        \
		__type(key, __u64);                                                                \
		__type(value, value_type);                                                         \
	} map_name SEC(".maps")

#define TASK_READ(task, field) BPF_CORE_READ((task), field)

/* Whether any map may know the task. */
#define task_map_any(task) true

static __always_inline void *task_map_get(void *map, task_ref task)
{
	__u64 key = (__u64)task;

	return bpf_map_lookup_elem(map, &key);
}

/* `init` is what it starts from: a value of the map's type. */
static __always_inline void *task_map_create(void *map, task_ref task, const void *init)
{
	__u64 key = (__u64)task;

	bpf_map_update_elem(map, &key, init, BPF_ANY); /* over what a dead task left */
	return bpf_map_lookup_elem(map, &key);
}

static __always_inline void task_map_delete(void *map, task_ref task)
{
	__u64 key = (__u64)task;

	bpf_map_delete_elem(map, &key);
}

#else

#define TASK_MAP(map_name, value_type)                                                             \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_TASK_STORAGE);                                           \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__type(key, int);                                                                  \
		__type(value, value_type);                                                         \
	} map_name SEC(".maps")

#define TASK_READ(task, field) ((task)->field)

#define task_map_any(task) (KREAD_KNOWN(task, bpf_storage) != NULL)

/* Most threads of a machine have no storage at all: a load tells, a helper call takes 15 ns. */
#define task_map_get(map, task) (task_map_any(task) ? bpf_task_storage_get(map, task, 0, 0) : NULL)
#define task_map_create(map, task, init)                                                           \
	bpf_task_storage_get(map, task, (void *)(init), BPF_LOCAL_STORAGE_GET_F_CREATE)
/* Task storage goes with the task; deleting early would only cost time. */
#define task_map_delete(map, task) ((void)0)

#endif
#endif
