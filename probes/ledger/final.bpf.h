/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The end of a thread: what was used of its account goes out through the ring, or, when that
 * is full, into the tree's sums (ledger_spill).
 */
#ifndef DWELL_LEDGER_FINAL_BPF_H
#define DWELL_LEDGER_FINAL_BPF_H

#include "account.bpf.h"
#include "block.bpf.h"
#include "usage.bpf.h"
#include "waker.bpf.h"

/* Blocks of spilled threads: state << 24 | index. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8192);
	__type(value, __u32);
} ledger_spilled_hists SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ledger_spill);
} ledger_spill SEC(".maps");

struct spilling {
	struct ledger_thread *from;
	struct ledger_spill *to;
};

static long spill_state(__u32 i, struct spilling *p)
{
	struct ledger_thread *l = p->from;
	struct ledger_spill *s = p->to;
	__u32 tag;

	if (i >= LEDGER_STATES)
		return 1;
	tag = l->hist[i];
	__sync_fetch_and_add(&s->states[i].ns, l->states[i].ns);
	__sync_fetch_and_add(&s->states[i].count, l->states[i].count);
	if (l->states[i].max_ns > s->states[i].max_ns)
		s->states[i].max_ns = l->states[i].max_ns;
	if (tag >= HIST_UNASKED)
		return 0;
	tag |= i << 24;
	if (bpf_map_push_elem(&ledger_spilled_hists, &tag, 0))
		counter_add(COUNTER_LOST_HIST);
	return 0;
}

__noinline int spill(struct ledger_thread *l, __u64 now)
{
	struct spilling spilling = { .from = l };
	struct ledger_spill *s;
	__u32 zero = 0;

	counter_add(COUNTER_SPILLED_FINAL);
	s = bpf_map_lookup_elem(&ledger_spill, &zero);
	if (!s || !l)
		return 0;
	__sync_fetch_and_add(&s->threads, 1);
	__sync_fetch_and_add(
		&s->lifetime_ns,
		now - ((l->who.flags & TARGET_ATTACHED) ? l->who.born_ns : l->who.start_ns));
	__sync_fetch_and_add(&s->switches, l->switches);
	__sync_fetch_and_add(&s->voluntary, l->voluntary);
	spilling.to = s;
	bpf_loop(LEDGER_STATES, spill_state, &spilling, 0);
	for (int i = 0; i < LEDGER_OBJECTS; i++)
		object_flush(&l->objects[i]);
	for (int i = 0; i < LEDGER_WAKERS; i++)
		waker_flush(&l->wakers[i]);
	return 0;
}

#define PACK_ROOM 2048 /* a power of two above LEDGER_PACKED_MAX */

struct pack_buffer {
	char bytes[PACK_ROOM + 64];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pack_buffer);
} ledger_pack SEC(".maps");

#define PACK_AT(buffer, type, at) ((type *)((buffer)->bytes + ((at) & (PACK_ROOM - 1))))

struct packing {
	struct pack_buffer *buffer;
	struct ledger_thread *from;
	__u32 at;
	__u32 states, objects, wakers;
};

static long pack_state(__u32 i, struct packing *p)
{
	struct packed_state *to = PACK_AT(p->buffer, struct packed_state, p->at);
	struct ledger_thread *l = p->from;

	if (i >= LEDGER_STATES || !l->states[i].count)
		return 0;
	to->state = i;
	to->hist = l->hist[i];
	to->stat = l->states[i];
	p->states++;
	p->at += sizeof(*to);
	return 0;
}

static long pack_object(__u32 i, struct packing *p)
{
	struct ledger_thread *l = p->from;

	if (i >= LEDGER_OBJECTS || !l->objects[i].stat.count)
		return 0;
	*PACK_AT(p->buffer, struct object_stat, p->at) = l->objects[i];
	p->objects++;
	p->at += sizeof(struct object_stat);
	return 0;
}

static long pack_waker(__u32 i, struct packing *p)
{
	struct ledger_thread *l = p->from;

	if (i >= LEDGER_WAKERS || !l->wakers[i].count)
		return 0;
	*PACK_AT(p->buffer, struct waker_stat, p->at) = l->wakers[i];
	p->wakers++;
	p->at += sizeof(struct waker_stat);
	return 0;
}

/* What was used of an account, behind the header. Returns the size. */
static __always_inline __u32 pack_used(struct pack_buffer *b, struct ledger_thread *l)
{
	struct packing p = { .buffer = b, .from = l, .at = sizeof(struct ledger_packed) };
	struct ledger_packed *head = (void *)b->bytes;

	bpf_loop(LEDGER_STATES, pack_state, &p, 0);
	bpf_loop(LEDGER_OBJECTS, pack_object, &p, 0);
	bpf_loop(LEDGER_WAKERS, pack_waker, &p, 0);
	head->nstates = p.states;
	head->nobjects = p.objects;
	head->nwakers = p.wakers;
	head->pad = 0;
	return p.at;
}

/* Writes the account of the current thread into the ring; -1 when it is full. */
__noinline int account_send(struct ledger_thread *l, __u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_current();
	struct ledger_packed *head;
	struct pack_buffer *b;
	__u32 zero = 0, size;

	b = bpf_map_lookup_elem(&ledger_pack, &zero);
	if (!b || !l)
		return -1;
	head = (void *)b->bytes;
	head->head = (struct event_head){ .kind = EVENT_LEDGER_FINAL, .who = l->who };
	if (t)
		head->head.who.tid = t->tid; /* an exec may have changed it */
	head->now_ns = now;
	head->exec_ns = task->se.sum_exec_runtime - l->base_exec_ns;
	head->kernel_switches = task->nvcsw + task->nivcsw - l->base_switches;
	head->utime_ns = task->utime;
	head->stime_ns = task->stime;
	head->since_ns = l->since_ns;
	head->clock_ns = l->clock_ns;
	head->stolen_ns = l->stolen_ns;
	head->switches = l->switches;
	head->voluntary = l->voluntary;
	head->base_utime_ns = l->base_utime_ns;
	head->base_stime_ns = l->base_stime_ns;
	bpf_get_current_comm(head->comm, sizeof(head->comm));
	size = pack_used(b, l);
	if (size > LEDGER_PACKED_MAX)
		return -1;
	return bpf_ringbuf_output(&events, b, size, event_wake_flags()) ? -1 : 0;
}

/* The last switch away, still current: nothing of this thread is ever charged again. */
__noinline int account_close(struct ledger_thread *l, __u64 now)
{
	if (!l)
		return 0;
	move(l, STATE_ON_CPU, STATE_OTHER, now);
	l->switches++;
	l->voluntary++;
	l->ended = 1;
	usage_close();
	if (account_send(l, now))
		spill(l, now);
	counter_add(COUNTER_THREADS_ENDED); /* last: who reads it finds the record told */
	task_map_delete(&ledger_threads, bpf_get_current_task_btf());
	return 0;
}

#endif
