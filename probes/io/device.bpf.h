/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Block devices: a row each, and how many requests are under way. */
#ifndef DWELL_IO_DEVICE_BPF_H
#define DWELL_IO_DEVICE_BPF_H

#include "calls.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct io_device);
} io_devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} io_device_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct io_state);
} io_state SEC(".maps");

static __always_inline struct io_state *io_state_of(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&io_state, &zero);
}

/* ---- devices ---- */

static __noinline __u32 io_device_open(__u32 dev, struct gendisk *disk)
{
	__u32 row = 1 + counter_add(COUNTER_NEXT_IO_DEVICE), *known;
	struct io_device *d;

	if (row >= io_cfg.devices)
		return 0;
	if (bpf_map_update_elem(&io_device_rows, &dev, &row, BPF_NOEXIST)) {
		known = bpf_map_lookup_elem(&io_device_rows, &dev); /* another CPU was first */
		return known ? *known : 0;
	}
	d = bpf_map_lookup_elem(&io_devices, &row);
	if (!d)
		return 0;
	d->dev = dev;
	BPF_CORE_READ_STR_INTO(&d->name, disk, disk_name);
	d->used = 1;
	return row;
}

static __always_inline __u32 io_device_row(struct gendisk *disk)
{
	__u32 dev = (__u32)KREAD(disk, major) << 20 | (__u32)KREAD(disk, first_minor);
	__u32 *row = bpf_map_lookup_elem(&io_device_rows, &dev);
	__u32 at = row ? *row : io_device_open(dev, disk);

	if (!at)
		counter_add(COUNTER_OTHER_IO_DEVICE);
	return at;
}

/* ---- queue depth ---- */

/* The new value may be the greatest so far; a few tries against other CPUs that think so. */
static __always_inline void io_depth_max(__u64 *max, __u64 now)
{
	for (int i = 0; i < 4; i++) {
		__u64 old = *(volatile __u64 *)max;

		if (now <= old || __sync_val_compare_and_swap(max, old, now) == old)
			return;
	}
}

static __always_inline void io_depth_up(struct io_state *state, struct io_device *d)
{
	io_depth_max(&state->max_in_flight, 1 + __sync_fetch_and_add(&state->in_flight, 1));
	io_depth_max(&d->max_in_flight, 1 + __sync_fetch_and_add(&d->in_flight, 1));
}

static __always_inline void io_depth_down(struct io_state *state, struct io_device *d)
{
	__sync_fetch_and_add(&state->in_flight, -1ULL);
	__sync_fetch_and_add(&d->in_flight, -1ULL);
}

#endif
