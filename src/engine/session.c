/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The session: shared maps, probes in order, the ring, the tree. See session.h.
 * Limits: one ring of 4 MiB (--limit events=BYTES), TREE_MAX dead processes by name.
 */
#include "session.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "prepare.h"
#include "source.h"
#include "trust.h"

extern const unsigned char target_bpf_start[], target_bpf_end[];
extern const unsigned char target_hash_bpf_start[], target_hash_bpf_end[];

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
	.image = { target_bpf_start, target_bpf_end },
	.image_hash = { target_hash_bpf_start, target_hash_bpf_end },
};

#define SETTLE_NS 10000000

uint64_t session_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- opening ---- */

static const char *forced_source(const struct session *s, const char *probe)
{
	for (size_t i = 0; i < s->options->nforced; i++)
		if (!strcmp(s->options->forced[i].probe, probe))
			return s->options->forced[i].source;
	return NULL;
}

/*
 * The ledger reads other tasks than the current one, so its source decides the key of all
 * task state: a forced one that is keyed by pointer takes the target object with it.
 */
static const char *target_force(const struct session *s)
{
	const char *f = forced_source(s, "target");

	if (f)
		return f;
	for (const struct probe_class *const *c = probe_classes; *c; c++) {
		const char *name = forced_source(s, (*c)->name);
		bool plain = false, hash = false;

		for (const struct source *src = (*c)->sources; name && src->name; src++)
			if (!strcmp(src->name, name))
				*(src->hash ? &hash : &plain) = true;
		if (hash && !plain)
			return "raw_tp";
	}
	return NULL;
}

static void share(struct source_env *env, struct session *s)
{
	static const char *const names[SHARED_MAPS] = { "targets", "events", "counters",
							"control" };

	for (int i = 0; i < SHARED_MAPS; i++) {
		env->shared[i].name = names[i];
		env->shared[i].fd = probe_map_fd(&s->target, names[i]);
	}
}

static bool probe_wanted(const struct session *s, const char *name)
{
	const char *at = s->options->probes;
	size_t len = strlen(name);

	if (!at || !strcmp(name, "ledger")) /* the others read its results */
		return true;
	while (*at) {
		size_t n = strcspn(at, ",");

		if (n == len && !strncmp(at, name, len))
			return true;
		at += n + (at[n] == ',');
	}
	return false;
}

void session_note(struct session *s, const char *fmt, ...)
{
	va_list ap;

	if (s->nnotes == sizeof(s->notes) / sizeof(s->notes[0]))
		return;
	va_start(ap, fmt);
	vsnprintf(s->notes[s->nnotes++], sizeof(s->notes[0]), fmt, ap);
	va_end(ap);
}

static int open_probe(struct session *s, const struct probe_class *class, struct source_env *env)
{
	struct probe *p = &s->probes[s->nprobes++];
	bool asked;
	int err;

	p->class = class;
	p->session = s;
	env->forced = forced_source(s, class->name);
	err = source_attach(p, env);
	if (!err && class->start)
		err = class->start(p);
	if (!err)
		return 0;
	asked = env->forced || s->options->probes;
	source_detach(p);
	if (asked)
		return err_set(err, "probe '%s': no source attaches%s%s", class->name,
			       env->forced ? ", asked for was " : "",
			       env->forced ? env->forced : "");
	session_note(s, "probe %s is absent: no source attaches (%s)", class->name, strerror(-err));
	return 0;
}

static int open_probes(struct session *s, struct source_env *env)
{
	size_t n = 0;
	int err;

	for (const struct probe_class *const *c = probe_classes; *c; c++)
		n++;
	s->probes = calloc(n, sizeof(*s->probes));
	if (!s->probes)
		return err_set(-ENOMEM, "no memory");
	for (const struct probe_class *const *c = probe_classes; *c; c++) {
		if (!probe_wanted(s, (*c)->name))
			continue;
		err = open_probe(s, *c, env);
		if (err)
			return err;
	}
	return 0;
}

static int on_event(void *ctx, void *data, size_t size)
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

static void *map_shared(struct session *s, const char *name, size_t size)
{
	void *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       probe_map_fd(&s->target, name), 0);

	return m == MAP_FAILED ? NULL : m;
}

static int open_target(struct session *s, struct source_env *env)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int err;

	s->target.class = &target_class;
	s->target.session = s;
	env->forced = target_force(s);
	env->any_key = true;
	err = source_attach(&s->target, env);
	if (err)
		return err;
	s->hash = s->target.source->hash;
	s->control = map_shared(s, "control", page);
	s->counters = map_shared(s, "counters", page);
	if (!s->control || !s->counters)
		return err_set(-errno, "cannot map the control block");
	s->ring = ring_buffer__new(probe_map_fd(&s->target, "events"), on_event, s, NULL);
	return s->ring ? 0 : err_set(-errno, "cannot open the event ring");
}

static int quiet_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static int quiet_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char *text;

	if (log_level < LOG_DEBUG || level == LIBBPF_DEBUG || vasprintf(&text, fmt, ap) < 0)
		return 0;
	/* the verifier's log is one message of many lines, the last of which say what is wrong */
	fprintf(stderr, "dwell: %s", text);
	free(text);
	return 0;
}

int session_open(struct session **out, const struct options *options, bool attach)
{
	struct session *s = calloc(1, sizeof(*s));
	struct source_env env = { .prepare = prepare_object, .seed = attach };
	int err;

	if (!s)
		return err_set(-ENOMEM, "no memory");
	libbpf_set_print(quiet_libbpf);
	/* each object parses the kernel's BTF: let the second reuse the first one's pages */
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
	s->options = options;
	s->attach = attach;
	s->begin_ns = s->start_ns = session_clock();
	env.ctx = s;
	err = prepare_check(options);
	if (!err)
		err = open_target(s, &env);
	if (err) {
		if (!*err_text())
			err_set(err, "BPF programs cannot be attached");
		session_close(s);
		return err;
	}
	env.any_key = false;
	env.hash = s->hash;
	share(&env, s);
	err = open_probes(s, &env);
	malloc_trim(0);
	if (err) {
		session_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void session_close(struct session *s)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!s)
		return;
	tree_free(&s->tree); /* its rows point into the probes' own tables */
	for (size_t i = 0; i < s->nprobes; i++) {
		if (s->probes[i].class->free)
			s->probes[i].class->free(&s->probes[i]);
		source_detach(&s->probes[i]);
		free(s->probes[i].attempts);
	}
	ring_buffer__free(s->ring);
	if (s->control)
		munmap(s->control, page);
	if (s->counters)
		munmap(s->counters, page);
	source_detach(&s->target);
	free(s->target.attempts);
	free(s->probes);
	free(s);
}

int session_try_source(const struct probe_class *class, const struct source *source,
		       struct source_attempt *attempt)
{
	static const struct options none;
	const struct probe_class *of = class ? class : &target_class;
	struct session s = { .options = &none };
	const struct source one[] = { *source, { 0 } };
	struct probe_class alone = *of;
	struct probe p = { .class = &alone, .session = &s };
	struct source_env env = { .prepare = prepare_object, .ctx = &s, .any_key = true };
	int err;

	libbpf_set_print(quiet_libbpf);
	alone.sources = one;
	err = source_attach(&p, &env);
	*attempt = p.nattempts ? p.attempts[p.nattempts - 1]
			       : (struct source_attempt){ .error = err, .what = "open" };
	attempt->name = source->name;
	source_detach(&p);
	free(p.attempts);
	return err;
}

/* ---- whom to follow ---- */

void session_arm(struct session *s, pid_t launcher)
{
	s->start_ns = session_clock();
	__atomic_store_n(&s->control->launcher_tid, (uint32_t)launcher, __ATOMIC_SEQ_CST);
}

/* Runs an iterator program to its end; what it writes goes to `take`. */
int session_iterate(struct probe *p, const char *prog_name,
		    void (*take)(void *ctx, const void *data, size_t size), void *ctx)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(p->obj, prog_name);
	struct bpf_link *link;
	static char buf[1 << 16];
	ssize_t n = -1;
	int fd, err = 0;

	link = prog ? bpf_program__attach_iter(prog, NULL) : NULL;
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
		uint32_t pid = (uint32_t)pids[i], unknown = 0; /* its proc_id */

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
	tree_trim(&s->tree);
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
	r->processes_born = s->counters[COUNTER_PROCESSES_BORN];
	r->processes_live = r->processes_born - s->counters[COUNTER_PROCESSES_ENDED];
	r->threads_born = s->counters[COUNTER_THREADS_BORN];
	r->threads_live = session_live_threads(s);
	r->execs = s->counters[COUNTER_EXECS];
	report_exit(s, r);
	for (size_t i = 0; i < s->nprobes; i++) {
		struct probe *p = &s->probes[i];

		if (p->obj && p->class->snapshot && p->class->snapshot(p, r))
			session_note(s, "%s", err_text());
	}
	trust_fill(s, r);
	return r;
}
