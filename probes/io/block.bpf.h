/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Requests to block devices, charged to the process in whose context they were made. What
 * happens to them later may happen in anybody's: kblockd issues, an interrupt completes. So a
 * request is kept, under its first bio, from block_getrq on; no tracepoint of all kernels
 * shows the maker both bio and request.
 *
 * What the target dirtied and a kernel thread writes back is not the target's here: at that
 * time nobody knows who dirtied it.
 */
#ifndef DWELL_IO_BLOCK_BPF_H
#define DWELL_IO_BLOCK_BPF_H

#include "calls.bpf.h"
#include "device.bpf.h"

/* include/linux/blk_types.h, enum req_op; since 4.10 */
#define REQ_OP_READ 0
#define REQ_OP_WRITE 1
#define REQ_OP_FLUSH 2
#define REQ_OP_DISCARD 3
#define REQ_OP_SECURE_ERASE 5
#define REQ_OP_ZONE_APPEND 7
#define REQ_OP_WRITE_ZEROES 9
#define REQ_OP_MASK 0xff

struct io_request {
	struct slot_owner who;
	__u64 made_ns, issued_ns; /* issued 0: not yet */
	__u32 device;             /* row of io_devices */
	__u32 op;                 /* enum io_block_op */
	__u64 bytes;              /* of io_bios */
};

/* By the address of the request's first bio, or its own when that one has been completed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct io_request);
} io_requests SEC(".maps");

/* By the address of a bio for a device that has no requests. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct io_request);
} io_bios SEC(".maps");

static __always_inline struct gendisk *io_disk_of(struct bio *bio)
{
	struct block_device *bdev = KREAD(bio, bi_bdev);

	return (struct gendisk *)KREAD(bdev, bd_disk);
}

static __always_inline __u32 io_block_op(struct bio *bio, __u32 bytes)
{
	switch (KREAD(bio, bi_opf) & REQ_OP_MASK) {
	case REQ_OP_READ:
		return IO_BLOCK_READ;
	case REQ_OP_WRITE:
		return bytes ? IO_BLOCK_WRITE : IO_BLOCK_FLUSH;
	case REQ_OP_ZONE_APPEND:
		return IO_BLOCK_WRITE;
	case REQ_OP_FLUSH:
		return IO_BLOCK_FLUSH;
	case REQ_OP_DISCARD:
	case REQ_OP_SECURE_ERASE:
	case REQ_OP_WRITE_ZEROES:
		return IO_BLOCK_DISCARD;
	}
	return IO_BLOCK_OPS; /* orders to a zoned device: not counted */
}

/* ---- a request is made, or a bio joins one ---- */

/* First issue, or the end of a request that never was (a flush alone). */
static __always_inline void io_count(struct io_request *r, struct io_slot *s, struct io_device *d)
{
	__u32 op = r->op;

	barrier_var(op);
	if (op >= IO_BLOCK_OPS)
		return;
	slot_add(&s->block[op].requests, 1);
	slot_add(&d->block[op].requests, 1);
}

/*
 * Not every event comes (see ledger.bpf.c, time_of_mark): a bio that is used again is proof
 * that its last request has been completed.
 */
static __noinline int io_unseen_end(__u64 key)
{
	struct io_request *old = bpf_map_lookup_elem(&io_requests, &key);
	struct io_state *state = io_state_of();
	struct io_device *d;
	struct io_slot *s;

	if (!old || !state)
		return 0;
	s = SLOT_OWNED(io_slots, &old->who);
	d = bpf_map_lookup_elem(&io_devices, &old->device);
	if (!s || !d)
		return 0;
	if (!old->issued_ns)
		io_count(old, s, d);
	slot_add(&s->ended, 1);
	io_depth_down(state, d);
	counter_add(COUNTER_UNSEEN_COMPLETION);
	bpf_map_delete_elem(&io_requests, &key);
	return 1;
}

static __always_inline bool io_keep(__u64 key, const struct io_request *r)
{
	if (!bpf_map_update_elem(&io_requests, &key, r, BPF_NOEXIST))
		return true;
	return io_unseen_end(key) && !bpf_map_update_elem(&io_requests, &key, r, BPF_NOEXIST);
}

static __always_inline int io_make(struct bio *bio, struct slot_owner who)
{
	__u32 bytes = KREAD(bio, bi_iter.bi_size), op = io_block_op(bio, bytes);
	struct io_slot *s = SLOT_ROW(io_slots, who.slot);
	struct io_state *state = io_state_of();
	struct io_request r = { .who = who };
	__u64 key = (__u64)bio;
	struct io_device *d;

	barrier_var(op);
	if (op >= IO_BLOCK_OPS || !s || !state)
		return 0;
	r.op = op;
	r.device = io_device_row(io_disk_of(bio));
	d = bpf_map_lookup_elem(&io_devices, &r.device);
	if (!d)
		return 0;
	slot_add(&s->block[op].bytes, bytes);
	slot_add(&d->block[op].bytes, bytes);
	r.made_ns = bpf_ktime_get_ns();
	if (!io_keep(key, &r)) { /* no room: a request without latency */
		slot_add(&s->block[op].requests, 1);
		slot_add(&d->block[op].requests, 1);
		counter_add(COUNTER_LOST_IO_REQUEST);
		return 0;
	}
	slot_add(&s->started, 1);
	io_depth_up(state, d);
	return 0;
}

SEC_TP("block_getrq")
int BPF_PROG(io_getrq, struct bio *bio)
{
	struct slot_owner who = running_owner();

	return who.proc_id ? io_make(bio, who) : 0;
}

static __always_inline int io_join(struct bio *bio)
{
	struct slot_owner who = running_owner();
	struct io_device *d;
	struct io_slot *s;
	__u32 bytes, op, row;

	if (!who.proc_id)
		return 0;
	bytes = KREAD(bio, bi_iter.bi_size);
	op = io_block_op(bio, bytes);
	barrier_var(op);
	s = SLOT_ROW(io_slots, who.slot);
	row = io_device_row(io_disk_of(bio));
	d = bpf_map_lookup_elem(&io_devices, &row);
	if (op >= IO_BLOCK_OPS || !s || !d)
		return 0;
	slot_add(&s->block[op].merges, 1);
	slot_add(&d->block[op].merges, 1);
	slot_add(&s->block[op].bytes, bytes);
	slot_add(&d->block[op].bytes, bytes);
	return 0;
}

SEC_TP("block_bio_backmerge")
int BPF_PROG(io_backmerge, struct bio *bio)
{
	return io_join(bio);
}

/* Anybody's: the request's first bio is now another than the one it is kept by. */
SEC_TP("block_bio_frontmerge")
int BPF_PROG(io_frontmerge, struct bio *bio)
{
	struct io_state *state = io_state_of();

	if (state && state->in_flight)
		slot_add(&state->rekeyed, 1);
	return io_join(bio);
}

/* ---- finding a request ---- */

#define IO_CHAIN 1024

struct io_chain {
	struct bio *bio;
	__u64 key; /* 0: none of them */
};

static long io_chain_step(__u32 i, struct io_chain *chain)
{
	struct bio *bio = chain->bio;
	__u64 key = (__u64)bio;

	if (!key)
		return 1;
	if (bpf_map_lookup_elem(&io_requests, &key)) {
		chain->key = key;
		return 1;
	}
	chain->bio = BPF_CORE_READ(bio, bi_next);
	return 0;
}

/* What a request would be kept by if it is ours; 0: it is not. */
static __noinline __u64 io_request_key(struct request *rq, bool rekeyed)
{
	struct io_chain chain = { .bio = KREAD(rq, bio) };
	__u64 key = (__u64)chain.bio, rq_key = (__u64)rq;

	if (!rekeyed || (key && bpf_map_lookup_elem(&io_requests, &key)))
		return key;
	if (bpf_map_lookup_elem(&io_requests, &rq_key))
		return rq_key;
	bpf_loop(IO_CHAIN, io_chain_step, &chain, 0);
	return chain.key;
}

/* ---- issued, merged into another, completed: in anybody's context ---- */

static __noinline int io_issued(__u64 key)
{
	struct io_request *r = bpf_map_lookup_elem(&io_requests, &key);
	struct io_device *d;
	struct io_slot *s;
	bool first;

	if (!r)
		return 0;
	first = !r->issued_ns;
	r->issued_ns = bpf_ktime_get_ns(); /* again after a requeue: until then it was queued */
	if (!first)
		return 0;
	s = SLOT_OWNED(io_slots, &r->who);
	d = bpf_map_lookup_elem(&io_devices, &r->device);
	if (s && d)
		io_count(r, s, d);
	return 0;
}

SEC_TP("block_rq_issue")
int BPF_PROG(io_issue, struct request *rq)
{
	struct io_state *state = io_state_of();
	__u64 key;

	if (!state || !state->in_flight)
		return 0;
	key = io_request_key(rq, state->rekeyed);
	return key ? io_issued(key) : 0;
}

static __noinline int io_merged(__u64 key)
{
	struct io_request *r = bpf_map_lookup_elem(&io_requests, &key);
	struct io_state *state = io_state_of();
	struct io_device *d;
	struct io_slot *s;
	__u32 op;

	if (!r || !state)
		return 0;
	s = SLOT_OWNED(io_slots, &r->who);
	d = bpf_map_lookup_elem(&io_devices, &r->device);
	op = r->op;
	barrier_var(op);
	if (!s || !d || op >= IO_BLOCK_OPS)
		return 0;
	slot_add(&s->block[op].merges, 1);
	slot_add(&d->block[op].merges, 1);
	slot_add(&s->ended, 1);
	io_depth_down(state, d);
	bpf_map_delete_elem(&io_requests, &key);
	return 0;
}

SEC_TP("block_rq_merge")
int BPF_PROG(io_rq_merge, struct request *rq)
{
	struct io_state *state = io_state_of();
	__u64 key;

	if (!state || !state->in_flight)
		return 0;
	key = io_request_key(rq, state->rekeyed);
	return key ? io_merged(key) : 0;
}

static __always_inline void io_times(struct io_request *r, struct io_slot *s, struct io_device *d,
				     __u32 op)
{
	__u64 now = bpf_ktime_get_ns(), issued = r->issued_ns ?: r->made_ns;
	__u64 queue = issued - r->made_ns, device = now - issued;

	slot_add(&s->block[op].queue_ns, queue);
	slot_add(&d->block[op].queue_ns, queue);
	slot_add(&s->block[op].device_ns, device);
	slot_add(&d->block[op].device_ns, device);
	slot_max(&s->max_queue_ns[op], queue);
	slot_max(&d->max_queue_ns[op], queue);
	slot_max(&s->max_device_ns[op], device);
	slot_max(&d->max_device_ns[op], device);
	if (r->issued_ns)
		hist_note(&io_hists, IO_HIST_QUEUE + op, queue);
	hist_note(&io_hists, IO_HIST_BLOCK + op, device);
}

static __noinline int io_completed(__u64 key, __u32 error)
{
	struct io_request *r = bpf_map_lookup_elem(&io_requests, &key);
	struct io_state *state = io_state_of();
	struct io_device *d;
	struct io_slot *s;
	__u32 op;

	if (!r || !state)
		return 0;
	s = SLOT_OWNED(io_slots, &r->who);
	d = bpf_map_lookup_elem(&io_devices, &r->device);
	op = r->op;
	barrier_var(op);
	if (!s || !d || op >= IO_BLOCK_OPS)
		return 0;
	if (!r->issued_ns)
		io_count(r, s, d);
	if (error) {
		slot_add(&s->block[op].errors, 1);
		slot_add(&d->block[op].errors, 1);
	}
	io_times(r, s, d, op);
	slot_add(&s->ended, 1);
	io_depth_down(state, d);
	bpf_map_delete_elem(&io_requests, &key);
	return 0;
}

/* Not all of it is done: its first bio goes, so it is kept by its own address from now on. */
static __noinline int io_completed_part(__u64 key, __u64 rq)
{
	struct io_request *r = bpf_map_lookup_elem(&io_requests, &key), copy;
	struct io_state *state = io_state_of();

	if (!r || !state || key == rq)
		return 0;
	copy = *r;
	slot_add(&state->rekeyed, 1);
	bpf_map_update_elem(&io_requests, &rq, &copy, BPF_ANY);
	bpf_map_delete_elem(&io_requests, &key);
	return 0;
}

SEC_TP("block_rq_complete")
int BPF_PROG(io_complete, struct request *rq, u8 error, unsigned int bytes)
{
	struct io_state *state = io_state_of();
	__u64 key;

	if (!state || !state->in_flight)
		return 0;
	key = io_request_key(rq, state->rekeyed);
	if (!key)
		return 0;
	if (bytes < KREAD(rq, __data_len))
		return io_completed_part(key, (__u64)rq);
	return io_completed(key, error);
}

/* ---- devices without requests ---- */

SEC_TP("block_bio_queue")
int BPF_PROG(io_bio_queue, struct bio *bio)
{
	struct gendisk *disk = io_disk_of(bio);
	struct block_device_operations *ops = KREAD(disk, fops);
	struct io_state *state = io_state_of();
	struct io_request r = {};
	__u64 key = (__u64)bio;
	struct target *t;
	__u32 op;

	if (!KREAD(ops, submit_bio) || !state) /* it has requests: see block_getrq */
		return 0;
	t = target_current();
	if (!t)
		return 0;
	r.bytes = KREAD(bio, bi_iter.bi_size);
	op = io_block_op(bio, r.bytes);
	if (op > IO_BLOCK_WRITE)
		return 0;
	r.op = op;
	r.who = slot_owner(t);
	r.device = io_device_row(disk);
	r.made_ns = bpf_ktime_get_ns();
	/* it is told once for a bio: one that is queued again has been completed, unseen */
	if (!bpf_map_update_elem(&io_bios, &key, &r, BPF_NOEXIST))
		slot_add(&state->bios, 1);
	else if (!bpf_map_update_elem(&io_bios, &key, &r, BPF_EXIST))
		counter_add(COUNTER_UNSEEN_COMPLETION);
	else
		counter_add(COUNTER_LOST_IO_REQUEST);
	return 0;
}

static __noinline int io_bio_done(struct io_request *r, __u32 error)
{
	struct io_slot *s = SLOT_OWNED(io_slots, &r->who);
	struct io_device *d = bpf_map_lookup_elem(&io_devices, &r->device);
	__u64 ns = bpf_ktime_get_ns() - r->made_ns;
	__u32 op = r->op;

	barrier_var(op);
	if (!s || !d || op > IO_BLOCK_WRITE)
		return 0;
	slot_add(&s->bios[op].count, 1);
	slot_add(&d->bios[op].count, 1);
	slot_add(&s->bios[op].bytes, r->bytes);
	slot_add(&d->bios[op].bytes, r->bytes);
	slot_add(&s->bios[op].ns, ns);
	slot_add(&d->bios[op].ns, ns);
	slot_add(&s->bios[op].errors, !!error);
	slot_add(&d->bios[op].errors, !!error);
	slot_max(&s->max_bio_ns[op], ns);
	slot_max(&d->max_bio_ns[op], ns);
	hist_note(&io_hists, IO_HIST_BIOS + op, ns);
	return 0;
}

SEC_TP("block_bio_complete")
int BPF_PROG(io_bio_complete, void *queue, struct bio *bio)
{
	struct io_state *state = io_state_of();
	struct io_request *r, copy;
	__u64 key = (__u64)bio;

	if (!state || !state->bios)
		return 0;
	r = bpf_map_lookup_elem(&io_bios, &key);
	if (!r)
		return 0;
	copy = *r;
	bpf_map_delete_elem(&io_bios, &key);
	__sync_fetch_and_add(&state->bios, -1ULL);
	return io_bio_done(&copy, KREAD(bio, bi_status));
}

#endif
