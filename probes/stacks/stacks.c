/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stacks probe: descriptor and reader. Its hooks stand in the programs of the ledger and of
 * syscalls, and in a sampler on each CPU. What comes in is kept in the book (stack_book.h); the
 * last report has it with names.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "err.h"
#include "prepare.h"
#include "source.h"
#include "symbol/names.h"
#include "stack_traces.h"
#include "python.h"
#include "stacks_user.h"

/* Where processes have code; the rest stands in the programs of others. */
#define HOOKS "stacks_newtask", "stacks_exec", "stacks_end"

static const struct source stacks_sources[] = {
	{ "tp_btf", { HOOKS }, { NULL }, false },
	{ "raw_tp", { HOOKS }, { NULL }, true },
	{ 0 },
};

#define ROWS 16384

/* ---- before the load ---- */

static int size_tables(struct probe *p, struct bpf_object *obj)
{
	static const char *const names[] = { "stacks_rows", "stacks_rows_b" };
	uint32_t rows = probe_limit(p, "stacks_rows", ROWS);
	int err = 0;

	for (int i = 0; i < 2 && !err; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(obj, names[i]);

		err = map ? bpf_map__set_max_entries(map, rows) : -ENOENT;
	}
	return err;
}

static int stacks_configure(struct probe *p, struct bpf_object *obj)
{
	const struct options *o = p->session->options;
	struct stacks_cfg cfg = {
		.quantum_ns = o->stack_quantum_ns,
		.sample_ns = o->frequency ? 1000000000 / o->frequency : 0,
		.on = options_want_stacks(o),
		.wakers = o->wakers,
		.python = !o->no_python && options_want_stacks(o),
		.half = probe_limit(p, "stacks_rows", ROWS) / 2,
	};
	int err = prepare_constant(obj, ".rodata.stacks", &cfg, sizeof(cfg));

	bpf_program__set_autoload(bpf_object__find_program_by_name(obj, "stacks_on_cpu"), cfg.on);
	return err ? err : size_tables(p, obj);
}

/* ---- after the attach ---- */

static void start_sampler(struct probe *p)
{
	struct stacks_data *d = p->data;
	struct bpf_program *prog = bpf_object__find_program_by_name(p->obj, "stacks_on_cpu");
	int err = cpu_sampler_open(&d->sampler, prog, d->frequency);

	if (d->sampler.cycles_error)
		source_note(p, "cycles", "perf_event_open", d->sampler.cycles_error);
	source_note(p, d->sampler.clock, "perf_event_open", err);
	if (err)
		session_note(p->session, "code on a CPU is not sampled: %s (%s)", err_text(),
			     strerror(-err));
}

static void take_file(void *ctx, uint32_t file, int fd, const char *path, int root_fd)
{
	struct stacks_data *d = ctx;

	if (d->python)
		python_file(d->python, file, fd, path);
	names_file(d->names, file, fd, path, root_fd); /* which counts what it cannot read */
}

/* `run`: before the command is there. */
static void stacks_arm(struct probe *p, int launcher)
{
	struct stacks_data *d = p->data;

	(void)launcher;
	stacks_files_prepare(d->files, p->session->options->argv[0]);
}

static int stacks_seed(struct probe *p)
{
	struct stacks_data *d = p->data;

	return stacks_files_seed(d->files);
}

static int stacks_start(struct probe *p)
{
	int err;
	struct stacks_data *d = calloc(1, sizeof(*d));
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!d)
		return err_set(-ENOMEM, "no memory");
	p->data = d;
	d->frequency = p->session->options->frequency;
	d->quantum_ns = p->session->options->stack_quantum_ns;
	d->names = names_open(p->session->options->inlined);
	if (!d->names)
		return err_set(-ENOMEM, "no memory");
	d->python = p->session->options->no_python
			    ? NULL
			    : python_open(probe_map_fd(p, "stacks_python_files"),
					  probe_map_fd(p, "stacks_python_known"));
	d->tables[0] = probe_map_fd(p, "stacks_rows");
	d->tables[1] = probe_map_fd(p, "stacks_rows_b");
	d->control = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED,
			  probe_map_fd(p, "stacks_control"), 0);
	if (d->control == MAP_FAILED) {
		d->control = NULL;
		return err_set(-errno, "cannot map the control block of stacks");
	}
	err = stacks_files_open(&d->files, p, take_file, d);
	d->sampling = options_want_stacks(p->session->options);
	if (!err && d->sampling)
		start_sampler(p);
	return err;
}

static void stacks_free(struct probe *p)
{
	struct stacks_data *d = p->data;

	if (!d)
		return;
	cpu_sampler_close(&d->sampler);
	stacks_files_close(d->files);
	names_close(d->names);
	python_close(d->python);
	jit_watch_clear(&d->jits);
	stack_book_clear(&d->book);
	if (d->control)
		munmap(d->control, (size_t)sysconf(_SC_PAGESIZE));
	free(d->ended.list);
	free(d->living);
	free(d);
	p->data = NULL;
}

/* ---- while it runs ---- */

static void take_walked(void *ctx, const struct stacks_body *body, size_t size)
{
	struct stacks_data *d = ctx;

	if (stack_book_body(&d->book, body, size))
		jit_watch_body(&d->jits, d->names, body);
}

static bool stacks_event(struct probe *p, const struct event_head *head, size_t size)
{
	struct stacks_data *d = p->data;

	switch (head->kind) {
	case EVENT_STACKS_BODY:
		if (size >= sizeof(struct stacks_body))
			take_walked(d, (const void *)head, size);
		return true;
	case EVENT_STACKS_CODE:
	case EVENT_STACKS_CODE_AT:
		return d->python && python_event(d->python, head, size);
	case EVENT_STACKS_FILE:
		stacks_files_told(d->files, (const void *)head);
		return true;
	case EVENT_STACKS_COPY:
		if (size >= sizeof(struct stacks_copy))
			stacks_files_copied(d->files, (const void *)head);
		return true;
	case EVENT_STACKS_PROCESS:
		stacks_files_asked(d->files, head);
		return true;
	case EVENT_STACKS_FULL:
		d->full = true;
		return true;
	}
	return false;
}

static struct stack_account_copy *room_for(struct stack_account_copy **list, size_t n, size_t *room)
{
	if (n == *room) {
		*room = *room ? *room * 2 : 64;
		*list = reallocarray(*list, *room, sizeof(**list));
		if (!*list)
			abort();
	}
	return &(*list)[n];
}

static void copy_account(struct stack_account_copy *to, const struct ledger_final *f)
{
	const struct ledger_thread *t = &f->thread;

	*to = (struct stack_account_copy){
		.proc_id = t->who.proc_id,
		.thread_id = t->who.thread_id,
		.pid = t->who.pid,
		.tid = t->who.tid,
		.state = t->state,
		.since_ns = t->since_ns,
		.now_ns = f->now_ns,
	};
	memcpy(to->comm, f->comm, COMM_LEN);
	for (int i = 0; i < LEDGER_STATES; i++)
		to->ns[i] = t->states[i].ns;
	if (f->alive && t->state < LEDGER_STATES && f->now_ns > t->since_ns)
		to->ns[t->state] += f->now_ns - t->since_ns;
}

static void stacks_account(struct probe *p, const struct ledger_final *f)
{
	struct stacks_data *d = p->data;
	struct ended_list *e = &d->ended;

	if (!d->sampling)
		return;
	if (!f) {
		d->nliving = 0;
	} else if (f->alive) {
		copy_account(room_for(&d->living, d->nliving, &d->living_room), f);
		d->nliving++;
	} else {
		copy_account(room_for(&e->list, e->n, &e->room), f);
		e->n++;
	}
}

static void stacks_poll(struct probe *p)
{
	struct stacks_data *d = p->data;

	stacks_files_work(d->files, take_walked, d);
	if (d->sampling && stacks_drain(p, false))
		session_note(p->session, "%s", err_text());
}

static int by_thread(const void *a, const void *b)
{
	const struct stack_account_copy *x = a, *y = b;

	return x->thread_id < y->thread_id ? -1 : x->thread_id > y->thread_id;
}

const struct stack_account_copy *stacks_living(const struct stacks_data *d, uint32_t thread_id)
{
	const struct stack_account_copy key = { .thread_id = thread_id };

	return d->nliving ? bsearch(&key, d->living, d->nliving, sizeof(key), by_thread) : NULL;
}

static int stacks_snapshot(struct probe *p, struct report *r)
{
	struct stacks_data *d = p->data;
	int err = 0;

	if (r->final)
		jit_watch_report(&d->jits, d->names, &p->session->tree);
	if (!d->sampling) /* on for those who take stacks themselves */
		return 0;
	r->stacks.present = true;
	r->stacks.quantum_ns = d->quantum_ns;
	r->stacks.frequency = d->frequency;
	r->stacks.clock = d->sampler.nlinks ? d->sampler.clock : NULL;
	r->stacks.samples = d->book.samples;
	r->stacks.truncated = d->book.truncated;
	if (!r->final)
		return 0;
	if (d->nliving)
		qsort(d->living, d->nliving, sizeof(*d->living), by_thread);
	err = stacks_drain(p, true);
	if (d->nliving)
		err = stacks_waiting(p) ?: err;
	session_poll(
		p->session); /* the stacks of these rows; threads that end now are living here */
	stacks_fill(p, r);
	return err;
}

const struct probe_class stacks_probe = {
	.name = "stacks",
	.summary = "the code behind the time: stacks of waits, by time off the CPU, and of what "
		   "ran, by time on it",
	.shape = stacks_shape,
	.tick_shape = stacks_tick_shape,
	.reported = stacks_reported,
	.sources = stacks_sources,
	.opt_in = true,
	.configure = stacks_configure,
	.start = stacks_start,
	.arm = stacks_arm,
	.seed = stacks_seed,
	.event = stacks_event,
	.account = stacks_account,
	.poll = stacks_poll,
	.snapshot = stacks_snapshot,
	.text = stacks_text,
	.free = stacks_free,
};
