/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The session while it runs: the ring, the tree, the report. How it opens: open.c.
 * Limits: one ring of 4 MiB (--limit events=BYTES), TREE_MAX dead processes by name.
 */
#include "session.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "detach.h"
#include "err.h"
#include "source.h"
#include "trust.h"

static const struct source target_sources[] = {
	{ "tp_btf", { "target_newtask", "target_exec", "target_exit" }, { NULL }, false },
	{ "raw_tp",
	  { "target_newtask", "target_exec", "target_exit", "target_free" },
	  { NULL },
	  true },
	{ 0 },
};

const struct probe_class target_class = {
	.name = "target",
	.summary = "which threads belong to the target",
	.sources = target_sources,
};

#define SETTLE_NS 1000000000

uint64_t session_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void session_note(struct session *s, const char *fmt, ...)
{
	char *note = s->notes[s->nnotes];
	va_list ap;

	if (s->nnotes == sizeof(s->notes) / sizeof(s->notes[0]))
		return;
	va_start(ap, fmt);
	vsnprintf(note, sizeof(s->notes[0]), fmt, ap);
	va_end(ap);
	/* what fails at each tick is said once */
	for (size_t i = 0; i < s->nnotes; i++)
		if (!strcmp(s->notes[i], note))
			return;
	s->nnotes++;
}

int session_event(void *ctx, void *data, size_t size)
{
	struct session *s = ctx;
	const struct event_head *head = data;

	switch (head->kind) {
	case EVENT_BIRTH:
		tree_birth(&s->tree, data);
		return 0;
	case EVENT_EXEC:
		tree_exec(&s->tree, data);
		return 0;
	case EVENT_EXIT:
		tree_exit(&s->tree, data);
		if (s->on_exit)
			s->on_exit(s->on_exit_ctx, data);
		return 0;
	}
	for (size_t i = 0; i < s->nprobes; i++)
		if (s->probes[i].obj && s->probes[i].class->event &&
		    s->probes[i].class->event(&s->probes[i], head, size))
			break;
	return 0;
}

void session_close(struct session *s)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!s)
		return;
	detach_begin();
	tree_free(&s->tree);                    /* its rows point into the probes' own tables */
	for (size_t i = s->nprobes; i-- > 0;) { /* last attached, first detached: source_detach() */
		if (s->probes[i].class->free)
			s->probes[i].class->free(&s->probes[i]);
		source_detach(&s->probes[i]);
		free(s->probes[i].attempts);
	}
	slots_close(s);
	ring_buffer__free(s->ring);
	if (s->control)
		munmap(s->control, page);
	if (s->counters)
		munmap(s->counters, page);
	source_detach(&s->target);
	detach_end();
	bpf_object__close(s->beside);
	bpf_object__close(s->shared);
	free(s->target.attempts);
	free(s->probes);
	free(s);
}

/* ---- whom to follow ---- */

void session_arm(struct session *s, pid_t launcher)
{
	for (size_t i = 0; i < s->nprobes; i++)
		if (s->probes[i].obj && s->probes[i].class->arm)
			s->probes[i].class->arm(&s->probes[i], launcher);
	s->start_ns = session_clock();
	__atomic_store_n(&s->control->launcher_tid, (uint32_t)launcher, __ATOMIC_SEQ_CST);
}

/* Runs an iterator program to its end; what it writes goes to `take`. */
static int iterate(struct probe *p, const char *prog_name, const struct bpf_iter_attach_opts *opts,
		   void (*take)(void *ctx, const void *data, size_t size), void *ctx)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(p->obj, prog_name);
	struct bpf_link *link;
	static char buf[1 << 16];
	ssize_t n = -1;
	int fd, err = 0;

	link = prog ? bpf_program__attach_iter(prog, opts) : NULL;
	err = link ? libbpf_get_error(link) : -errno;
	if (err)
		return err_set(err, "cannot attach iterator '%s'", prog_name);
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		err = err_set(fd, "cannot run iterator '%s'", prog_name);
	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err = err_set(-errno, "cannot read iterator '%s'", prog_name);
			break;
		}
		take(ctx, buf, (size_t)n);
	}
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}

int session_iterate(struct probe *p, const char *prog_name,
		    void (*take)(void *ctx, const void *data, size_t size), void *ctx)
{
	return iterate(p, prog_name, NULL, take, ctx);
}

int session_iterate_map(struct probe *p, const char *prog_name, const char *map,
			void (*take)(void *ctx, const void *data, size_t size), void *ctx)
{
	union bpf_iter_link_info info = { .map.map_fd = (__u32)probe_map_fd(p, map) };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));

	return iterate(p, prog_name, &opts, take, ctx);
}

int session_iterate_task(struct probe *p, const char *prog_name, pid_t tid,
			 void (*take)(void *ctx, const void *data, size_t size), void *ctx)
{
	union bpf_iter_link_info info = { .task.tid = (__u32)tid };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));

	return iterate(p, prog_name, &opts, take, ctx);
}

static void take_nothing(void *ctx, const void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
}

int session_seed(struct session *s, const pid_t *pids, size_t n)
{
	int fd = probe_map_fd(&s->target, "seed_pids"), err;
	uint64_t before = s->counters[COUNTER_THREADS_BORN];

	for (size_t i = 0; i < n; i++) {
		struct slot_owner unknown = { 0 };
		uint32_t pid = (uint32_t)pids[i];

		if (bpf_map_update_elem(fd, &pid, &unknown, BPF_NOEXIST) && errno != EEXIST)
			return err_set(-errno, "cannot take in PID %d", pids[i]);
	}
	err = session_iterate(&s->target, "target_seed", take_nothing, NULL);
	for (size_t i = 0; !err && i < s->nprobes; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s_seed", s->probes[i].class->name);
		if (s->probes[i].obj && bpf_object__find_program_by_name(s->probes[i].obj, name))
			err = session_iterate(&s->probes[i], name, take_nothing, NULL);
	}
	for (size_t i = 0; !err && i < s->nprobes; i++)
		if (s->probes[i].obj && s->probes[i].class->seed)
			err = s->probes[i].class->seed(&s->probes[i]);
	return err ? err : (int)(s->counters[COUNTER_THREADS_BORN] - before);
}

/* ---- while it runs ---- */

int session_fd(const struct session *s)
{
	return ring_buffer__epoll_fd(s->ring);
}

void session_poll(struct session *s)
{
	ring_buffer__consume(s->ring);
	slots_collect(s);
	for (size_t i = 0; i < s->nprobes; i++)
		if (s->probes[i].obj && s->probes[i].class->poll)
			s->probes[i].class->poll(&s->probes[i]);
	tree_trim(&s->tree);
}

void session_account(struct session *s, const struct ledger_final *f)
{
	for (size_t i = 0; i < s->nprobes; i++)
		if (s->probes[i].obj && s->probes[i].class->account)
			s->probes[i].class->account(&s->probes[i], f);
}

bool session_lost_ends(const struct session *s)
{
	return s->counters[COUNTER_LOST_BIRTH] + s->counters[COUNTER_LOST_EXIT] +
	       s->counters[COUNTER_SPILLED_FINAL] + s->counters[COUNTER_UNTOLD_END];
}

uint64_t session_live_threads(const struct session *s)
{
	uint64_t ended = __atomic_load_n(&s->counters[COUNTER_THREADS_EXITED], __ATOMIC_ACQUIRE);
	uint64_t born = __atomic_load_n(&s->counters[COUNTER_THREADS_BORN], __ATOMIC_ACQUIRE);

	return born > ended ? born - ended : 0;
}

void session_settle(struct session *s)
{
	uint64_t limit = session_clock() + SETTLE_NS;

	while (s->counters[COUNTER_THREADS_ENDED] < s->counters[COUNTER_THREADS_EXITED] &&
	       session_clock() < limit) {
		usleep(200);
		session_poll(s);
	}
}

struct proc_member *session_members(struct session *s, size_t *n)
{
	struct proc_member *list = calloc(HASH_COUNT(s->tree.processes) + 1, sizeof(*list));
	struct process *p, *next;

	*n = 0;
	if (!list)
		abort();
	HASH_ITER(hh, s->tree.processes, p, next) {
		if (p->dead || p->exited || !p->pid)
			continue;
		list[*n].pid = (pid_t)p->pid;
		list[*n].ppid = (pid_t)p->ppid;
		list[*n].start_ns = p->start_ns;
		memcpy(list[*n].comm, p->comm, COMM_LEN);
		++*n;
	}
	return list;
}

static void report_exit(struct session *s, struct report *r)
{
	const struct process *root = tree_find(&s->tree, s->tree.root_proc_id);

	if (!root || !root->dead || !root->has_status)
		return;
	r->has_exit = true;
	r->exit_signal = root->status & 0x7f;
	r->exit_code = (root->status >> 8) & 0xff;
}

struct report *session_report(struct session *s, bool final)
{
	struct report *r = report_new();

	session_poll(s);
	r->bpf = true;
	r->final = final;
	r->now_ns = session_clock();
	r->start_ns = s->start_ns;
	r->wall_ns = (s->stop_ns ? s->stop_ns : r->now_ns) - s->start_ns;
	r->processes_live = s->counters[COUNTER_PROCESSES_ENDED]; /* before those that are born */
	r->processes_born = s->counters[COUNTER_PROCESSES_BORN];
	r->processes_live =
		r->processes_born > r->processes_live ? r->processes_born - r->processes_live : 0;
	r->threads_born = s->counters[COUNTER_THREADS_BORN];
	r->threads_live = session_live_threads(s);
	r->execs = s->counters[COUNTER_EXECS];
	report_exit(s, r);
	if (slots_read_usage(s, final))
		session_note(s, "%s", err_text());
	for (size_t i = 0; i < s->nprobes; i++) {
		struct probe *p = &s->probes[i];

		if (p->obj && p->class->snapshot && p->class->snapshot(p, r))
			session_note(s, "%s", err_text());
	}
	trust_fill(s, r);
	return r;
}
