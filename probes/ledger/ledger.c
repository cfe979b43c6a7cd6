/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ledger's user side. A thread's final record is added at once to its process, its
 * command name and the tree; a report adds the living threads to copies of those. So
 * nothing is lost when a row is forgotten, and totals never fall.
 *
 * Limits: THREADS_KEPT rows of dead threads, COMMANDS_KEPT command names; beyond that
 * threads stand in their process only, commands in `other`.
 */
#include "book.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "causes.h"
#include "err.h"
#include "kernel_btf.h"
#include "prepare.h"
#include "summary_shape.h"

#define HOOKS "ledger_newtask", "ledger_switch", "ledger_waking"
/* An end without its begin is passed over, so the ends attach first. */
#define EXTRA                                                                                      \
	"ledger_lock_begin", "ledger_lock_end", "ledger_hrtimer_end", "ledger_hrtimer_begin",      \
		"ledger_timer_end", "ledger_timer_begin"

static const struct source ledger_sources[] = {
	{ "tp_btf", { HOOKS }, { EXTRA }, false },
	{ "raw_tp", { HOOKS }, { EXTRA }, true },
	{ 0 },
};

#define HIST_BLOCKS 4096
#define STEADY_TRIES 10

static int ledger_configure(struct probe *p, struct bpf_object *obj)
{
	struct bpf_map *hists = bpf_object__find_map_by_name(obj, "ledger_hists");
	uint32_t blocks = LEDGER_STATES + probe_limit(p, "ledger_hists", HIST_BLOCKS);
	long long delta = kernel_btf_preempt_delta();
	struct cause_table causes;
	int err;

	causes_fill(&causes);
	err = prepare_constant(obj, ".rodata.causes", &causes, sizeof(causes));
	if (!err)
		err = prepare_constant(obj, ".rodata.hist", &blocks, sizeof(blocks));
	if (!err)
		err = prepare_constant(obj, ".rodata.irq", &delta, sizeof(delta));
	if (!err && !hists)
		err = err_set(-ENOENT, "ledger has no map 'ledger_hists'");
	return err ? err : bpf_map__set_max_entries(hists, blocks);
}

static int ledger_start(struct probe *p)
{
	struct ledger_book *b = calloc(1, sizeof(*b));
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = probe_map_fd(p, "ledger_hists"), err;

	if (!b)
		return err_set(-ENOMEM, "no memory");
	p->data = b;
	b->rows = rows_new();
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return err_set(-errno, "cannot size the histograms");
	b->nblocks = info.max_entries;
	err = map_window_open(&b->hists, fd, (size_t)b->nblocks * sizeof(*b->blocks));
	if (err)
		return err_set(err, "cannot map the histograms");
	b->blocks = (uint32_t(*)[HIST_BUCKETS])(void *)b->hists.at;
	book_reach(b, LEDGER_STATES); /* those that threads without one share */
	b->free_fd = probe_map_fd(p, "ledger_free_hists");
	return cpu_time_open(&b->cpu_time, probe_map_fd(p, "ledger_cpu_ns"));
}

static void ledger_free(struct probe *p)
{
	struct ledger_book *b = p->data;

	if (!b)
		return;
	map_window_close(&b->hists);
	book_free(b);
	p->data = NULL;
}

/* Empties a dead thread's block and hands it back to the kernel side. */
static void give_back(struct ledger_book *b, uint32_t block)
{
	if (block < LEDGER_STATES || !book_reach(b, block))
		return;
	memset(b->blocks[block], 0, sizeof(b->blocks[block]));
	bpf_map_update_elem(b->free_fd, NULL, &block, 0);
}

/* The ring's record as a whole account again; false when its numbers make no sense. */
static bool unpack(const struct ledger_packed *p, size_t size, struct ledger_final *f)
{
	const struct packed_state *states = (const void *)(p + 1);
	const struct object_stat *objects = (const void *)(states + p->nstates);
	const struct waker_stat *wakers = (const void *)(objects + p->nobjects);

	if (p->nstates > LEDGER_STATES || p->nobjects > LEDGER_OBJECTS ||
	    p->nwakers > LEDGER_WAKERS ||
	    size < (size_t)((const char *)(wakers + p->nwakers) - (const char *)p))
		return false;
	*f = (struct ledger_final){
		.head = p->head, .now_ns = p->now_ns, .exec_ns = p->exec_ns,
		.kernel_switches = p->kernel_switches,
		.utime_ns = p->utime_ns, .stime_ns = p->stime_ns,
		.thread = {
			.since_ns = p->since_ns, .who = p->head.who,
			.clock_ns = p->clock_ns, .stolen_ns = p->stolen_ns,
			.switches = p->switches, .voluntary = p->voluntary,
			.base_utime_ns = p->base_utime_ns, .base_stime_ns = p->base_stime_ns,
		},
	};
	memcpy(f->comm, p->comm, COMM_LEN);
	memcpy(f->thread.objects, objects, p->nobjects * sizeof(*objects));
	memcpy(f->thread.wakers, wakers, p->nwakers * sizeof(*wakers));
	for (int i = 0; i < LEDGER_STATES; i++)
		f->thread.hist[i] = HIST_UNASKED;
	for (uint32_t i = 0; i < p->nstates; i++) {
		if (states[i].state >= LEDGER_STATES)
			return false;
		f->thread.states[states[i].state] = states[i].stat;
		f->thread.hist[states[i].state] = states[i].hist;
	}
	return true;
}

static bool ledger_event(struct probe *p, const struct event_head *head, size_t size)
{
	struct ledger_book *b = p->data;
	struct ledger_final f;

	if (head->kind != EVENT_LEDGER_FINAL || size < sizeof(struct ledger_packed))
		return false;
	if (!unpack((const void *)head, size, &f))
		return true;
	book_reach_thread(b, &f.thread);
	book_final(b, &p->session->tree, &f);
	session_account(p->session, &f);
	for (int i = 0; i < LEDGER_STATES; i++)
		if (f.thread.hist[i] < HIST_UNASKED)
			give_back(b, f.thread.hist[i]);
	return true;
}

static void ledger_poll(struct probe *p)
{
	struct ledger_book *b = p->data;

	rows_poll(b->rows, p);
}

/* Histogram blocks of threads whose end the ring refused: into the tree's. */
static void take_spilled_hists(struct probe *p, struct ledger_book *b)
{
	int fd = probe_map_fd(p, "ledger_spilled_hists");
	uint32_t tag;

	while (!bpf_map_lookup_and_delete_elem(fd, NULL, &tag)) {
		uint32_t state = tag >> 24, block = tag & 0xffffff;

		if (state >= LEDGER_STATES || !book_reach(b, block))
			continue;
		sum_hist_add(&b->tree, (int)state, b->blocks[block]);
		give_back(b, block);
	}
}

static void take_live(void *ctx, const void *data, size_t size)
{
	struct probe *p = ctx;
	struct ledger_book *b = p->data;
	struct ledger_final f;

	for (size_t at = 0; at + sizeof(f) <= size; at += sizeof(f)) {
		memcpy(&f, (const char *)data + at, sizeof(f));
		cpu_time_live(&b->cpu_time, &f);
		book_live(b, p->session, &f);
		session_account(p->session, &f);
	}
}

static uint64_t comings_and_goings(const struct session *s)
{
	return __atomic_load_n(&s->counters[COUNTER_THREADS_BORN], __ATOMIC_ACQUIRE) +
	       __atomic_load_n(&s->counters[COUNTER_THREADS_ENDED], __ATOMIC_ACQUIRE);
}

/* Threads that have begun to exit and not left their last CPU: some are not listed any more. */
static uint64_t on_their_way(const struct session *s)
{
	uint64_t ended = __atomic_load_n(&s->counters[COUNTER_THREADS_ENDED], __ATOMIC_ACQUIRE);
	uint64_t exited = __atomic_load_n(&s->counters[COUNTER_THREADS_EXITED], __ATOMIC_ACQUIRE);

	return exited > ended ? exited - ended : 0;
}

/*
 * Reads the living when all ends so far are booked. A thread that is born or ends meanwhile
 * would be missing or counted twice, so it is done again until none has; a target that
 * starts threads all the time may not let us.
 */
static int read_living(struct probe *p, struct ledger_book *b, int tries)
{
	struct session *s = p->session;
	int err = 0;

	for (int i = 0; i < tries; i++) {
		uint64_t before = comings_and_goings(s);

		session_poll(s);
		book_begin(b);
		session_account(s, NULL);
		cpu_time_begin(&b->cpu_time);
		err = session_iterate(p, "ledger_live", take_live, p);
		b->unsteady = comings_and_goings(s) - before + on_their_way(s);
		if (err || !b->unsteady)
			break;
	}
	return err;
}

static int ledger_snapshot(struct probe *p, struct report *r)
{
	struct ledger_book *b = p->data;
	int err = read_living(p, b, r->final ? STEADY_TRIES : 2);

	take_spilled_hists(p, b);
	if (!err &&
	    bpf_map_lookup_elem(probe_map_fd(p, "ledger_spill"), &(uint32_t){ 0 }, &b->spill))
		err = err_set(-errno, "cannot read the ledger's spill");
	if (!err)
		err = cpu_time_fill(&b->cpu_time, r);
	if (!err) {
		r->ledger.present = true;
		book_report(b, p, r);
	}
	book_end(b);
	return err;
}

/* Interrupts take no lock that is slept for; programs wait for the spinlocks of their maps. */
static const char *const nested_is_nobodys[] = { "ledger_lock_begin", "ledger_lock_end", NULL };

const struct probe_class ledger_probe = {
	.name = "ledger",
	.summary = "where every thread's wall-clock time went: on a CPU, waiting for one, "
		   "blocked and on what",
	.shape = ledger_shape,
	.tick_shape = ledger_tick_shape,
	.reported = ledger_reported,
	.sources = ledger_sources,
	.nested_is_nobodys = nested_is_nobodys,
	.configure = ledger_configure,
	.start = ledger_start,
	.event = ledger_event,
	.poll = ledger_poll,
	.snapshot = ledger_snapshot,
	.free = ledger_free,
};
